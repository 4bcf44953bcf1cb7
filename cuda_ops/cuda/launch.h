// How a job runs. nvcc makes a GPU kernel of it; g++ makes loops over the very same code, so that
// its arithmetic is tested where there is no GPU.
//
// A job is a structure with THREADS and SHARED (threads and shared floats of a block), a State of
// each thread, `phases()`, and `phase(p, place, state, shared)`. All threads of a block end a phase
// before any begins the next: what one phase writes to shared memory the next may read.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define FACECODEC_BODY __host__ __device__ __forceinline__
#define FACECODEC_UNROLL _Pragma("unroll")
#else
#include <vector>
#define FACECODEC_BODY inline
#define FACECODEC_UNROLL
#endif

namespace facecodec {

struct Grid {
  int64_t x;
  int y, z;
};

struct Place {
  int x, y, z, thread;
};

constexpr float LEAK = 0.2f;

FACECODEC_BODY int smaller(int a, int b) { return a < b ? a : b; }
FACECODEC_BODY int parts(int whole, int part) { return (whole + part - 1) / part; }
FACECODEC_BODY float leaky(float v) { return v > 0.0f ? v : LEAK * v; }
FACECODEC_BODY float between(float low, float v, float high) {
  return v < low ? low : v > high ? high : v;
}

#if defined(__CUDACC__)

template <class Job> __global__ void __launch_bounds__(Job::THREADS) run(const Job job) {
  __shared__ __align__(16) float shared[Job::SHARED];
  typename Job::State state{};
  const Place place{static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y),
                    static_cast<int>(blockIdx.z), static_cast<int>(threadIdx.x)};
  const int phases = job.phases();
  for (int p = 0; p < phases; ++p) {
    if (p) __syncthreads();
    job.phase(p, place, state, shared);
  }
}

// Returns 0, or CUDA's error number.
template <class Job> int launch(const Job &job, Grid grid, void *stream) {
  const dim3 blocks(static_cast<unsigned>(grid.x), grid.y, grid.z);
  run<Job><<<blocks, Job::THREADS, 0, static_cast<cudaStream_t>(stream)>>>(job);
  return static_cast<int>(cudaGetLastError());
}

#else

template <class Job> int launch(const Job &job, Grid grid, void *) {
  struct alignas(16) Four {
    float v[4];
  };
  std::vector<Four> memory(Job::SHARED / 4 + 1);
  float *shared = memory.front().v;
  for (int z = 0; z < grid.z; ++z)
    for (int y = 0; y < grid.y; ++y)
      for (int x = 0; x < grid.x; ++x) {
        // What shared memory holds at first is anybody's guess; here it is poison.
        for (auto &four : memory)
          for (float &v : four.v) v = __builtin_nanf("");
        std::vector<typename Job::State> states(Job::THREADS);
        for (int p = 0; p < job.phases(); ++p)
          for (int t = 0; t < Job::THREADS; ++t) job.phase(p, Place{x, y, z, t}, states[t], shared);
      }
  return 0;
}

#endif

} // namespace facecodec
