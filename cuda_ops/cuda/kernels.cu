// The launchers that Python calls. For g++ see host.cpp.
#include "abi.h"
#include "fir.h"
#include "head.h"
#include "separable.h"

namespace facecodec {
namespace {

template <int HAAR> int separable(const FacecodecSeparable &job, void *stream) {
  using Job = Separable<HAAR>;
  const int64_t tiles =
      static_cast<int64_t>(parts(job.height, Job::ROWS)) * parts(job.width, Job::COLUMNS);
  return launch(Job{job}, Grid{tiles, parts(job.out, Job::OUTPUTS), job.frames}, stream);
}

template <FacecodecPicture KIND> int head(const FacecodecHead &job, void *stream) {
  using Job = PictureHead<KIND>;
  const int64_t pixels = static_cast<int64_t>(job.height) * job.width;
  return launch(Job{job}, Grid{(pixels + Job::THREADS - 1) / Job::THREADS, 1, job.frames}, stream);
}

} // namespace
} // namespace facecodec

extern "C" int facecodec_separable(const FacecodecSeparable *job, void *stream) {
  return job->haar ? facecodec::separable<1>(*job, stream) : facecodec::separable<0>(*job, stream);
}

extern "C" int facecodec_head(const FacecodecHead *job, void *stream) {
  switch (job->kind) {
  case FACECODEC_COLOURS: return facecodec::head<FACECODEC_COLOURS>(*job, stream);
  case FACECODEC_HAAR: return facecodec::head<FACECODEC_HAAR>(*job, stream);
  default: return facecodec::head<FACECODEC_BYTES>(*job, stream);
  }
}

extern "C" int facecodec_fir(const FacecodecFir *job, void *stream) {
  const int64_t pixels = static_cast<int64_t>(job->out_height) * job->out_width;
  const int64_t tiles = (pixels + facecodec::Fir::THREADS - 1) / facecodec::Fir::THREADS;
  const facecodec::Grid grid{tiles * job->frames * job->channels, 1, 1};
  return facecodec::launch(facecodec::Fir{*job}, grid, stream);
}

// The sizes of the structures above, so that a mirror of them can be checked.
extern "C" int facecodec_size(int which) {
  const int sizes[] = {sizeof(FacecodecSeparable), sizeof(FacecodecHead), sizeof(FacecodecFir)};
  return sizes[which];
}

#if defined(__CUDACC__)
extern "C" const char *facecodec_error(int number) {
  return cudaGetErrorString(static_cast<cudaError_t>(number));
}
#else
extern "C" const char *facecodec_error(int) { return "no error"; }
#endif
