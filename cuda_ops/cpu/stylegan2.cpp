// StyleGAN2's operators: launchers, and the passes over memory around the products.
#include <algorithm>
#include <atomic>
#include <exception>

#include "direct.h"
#include "modulated.h"

namespace facecodec {
namespace {

thread_local Scratch scratch;

// Calls work(item, scratch) for all items; false when a thread found no memory.
template <class Work> bool for_items(int items, int chunk, int threads, const Work &work) {
  std::atomic<bool> failed{false};
#pragma omp parallel for schedule(dynamic, chunk) num_threads(threads)
  for (int item = 0; item < items; ++item) {
    try {
      work(item, scratch);
    } catch (const std::exception &) {
      failed = true; // an exception may not leave a parallel region
    }
  }
  return !failed;
}

// Calls work(frame, row, line) for all rows, each thread with a line of `floats`.
template <class Work> bool for_rows(int frames, int height, int threads, size_t floats, Work work) {
  const int items = frames * height, chunk = std::max(1, std::min(16, items / (4 * threads)));
  return for_items(items, chunk, threads, [&](int item, Scratch &memory) {
    work(item / height, item % height, memory.floats(floats));
  });
}

template <class Convolution> bool convolve(const FacecodecModulated &job) {
  const Convolution work(job);
  return for_items(work.items(), 1, job.threads,
                   [&](int item, Scratch &memory) { work.run(item, memory); });
}

bool direct(const FacecodecModulated &job) {
  return job.up ? convolve<DirectUp>(job) : convolve<DirectSame>(job);
}

template <class P> bool toom(const FacecodecModulated &job) {
  if (job.up) return convolve<Doubling<P>>(job);
  return job.tile == FACECODEC_TILES_SAME6 ? convolve<SameSize<Same6, P>>(job)
                                           : convolve<SameSize<Same, P>>(job);
}

void smooth_map(const FacecodecSmooth &job, ptrdiff_t frame, int y, float *line) {
  const int channels = job.channels, tall = job.height + job.filter;
  const ptrdiff_t row = static_cast<ptrdiff_t>(job.width + job.filter) * channels;
  const float *map = job.source + frame * tall * row;
  const ptrdiff_t first = static_cast<ptrdiff_t>(y) * job.width;
  float *result = job.result + (frame * job.height * job.width + first) * channels;
  const auto put = [&](int c) {
    const Finishing finish(job.finish, frame, channels, c);
    return [=](int x, Vec v) {
      store(result + static_cast<ptrdiff_t>(x) * channels + c, finish(first + x, v));
    };
  };
  if (!job.filter) {
    for (int c = 0; c < channels; c += LANES) {
      const auto pixel = put(c);
      for (int x = 0; x < job.width; ++x) pixel(x, load(map + (first + x) * channels + c));
    }
    return;
  }
  const float *rows[4];
  for (int i = 0; i < 4; ++i)
    rows[i] = y + i >= 1 && y + i <= tall ? map + (y + i - 1) * row : nullptr;
  smooth_row(rows, job.width, channels, line, put);
}

inline float sum(Vec v) {
  float total = 0.0f;
  for (int i = 0; i < LANES; ++i) total += v[i];
  return total;
}

// Row y of a doubled plane, added: every pixel is 3/4 of the nearest and 1/4 of the next nearest.
void add_doubled(const float *plane, int height, int width, int y, float *line, float *to) {
  const int near = y / 2, far = y % 2 ? near + 1 : near - 1;
  line[0] = line[width + 1] = 0.0f;
  const float *a = plane + static_cast<ptrdiff_t>(near) * width;
  const float *b = plane + static_cast<ptrdiff_t>(far) * width;
  const bool inside = far >= 0 && far < height;
  for (int x = 0; x < width; ++x) line[x + 1] = 0.75f * a[x] + (inside ? 0.25f * b[x] : 0.0f);
  for (int x = 0; x < width; ++x) {
    to[2 * x] += 0.75f * line[x + 1] + 0.25f * line[x];
    to[2 * x + 1] += 0.75f * line[x + 1] + 0.25f * line[x + 2];
  }
}

void colour_row(const FacecodecColours &job, ptrdiff_t frame, int y, float *line) {
  const int channels = job.channels;
  const ptrdiff_t plane = static_cast<ptrdiff_t>(job.height) * job.width;
  const float *pixel =
      job.source + (frame * plane + static_cast<ptrdiff_t>(y) * job.width) * channels;
  const float *weight = job.weight + frame * 3 * channels;
  float *result = job.result + frame * 3 * plane + static_cast<ptrdiff_t>(y) * job.width;
  for (int x = 0; x < job.width; ++x, pixel += channels) {
    Vec a = Vec{}, b = Vec{}, d = Vec{};
    for (int c = 0; c < channels; c += LANES) {
      const Vec v = load(pixel + c);
      a += v * load(weight + c);
      b += v * load(weight + channels + c);
      d += v * load(weight + 2 * channels + c);
    }
    const float colours[3] = {sum(a), sum(b), sum(d)};
    for (int i = 0; i < 3; ++i) {
      const float v = colours[i] + job.bias[i];
      result[i * plane + x] = job.clamp < 0.0f ? v : std::min(std::max(v, -job.clamp), job.clamp);
    }
  }
  if (!job.coarse) return;
  const int height = job.height / 2, width = job.width / 2;
  for (int i = 0; i < 3; ++i)
    add_doubled(job.coarse + (frame * 3 + i) * height * width, height, width, y, line,
                result + i * plane);
}

// One row of one plane: down into a line of the source's width, then along it.
void fir_row(const FacecodecFir &job, ptrdiff_t plane, int y, float *line) {
  const float *map = job.source + plane * job.height * job.width;
  std::fill(line, line + job.width, 0.0f);
  for (int i = 0; i < job.count; ++i) {
    const int at = y * job.down + i - job.pad;
    if (at < 0 || at % job.up || at / job.up >= job.height) continue;
    const float *row = map + static_cast<ptrdiff_t>(at / job.up) * job.width;
    const float tap = job.taps[job.count - 1 - i];
    for (int x = 0; x < job.width; ++x) line[x] += tap * row[x];
  }
  float *result = job.result + (plane * job.out_height + y) * job.out_width;
  for (int x = 0; x < job.out_width; ++x) {
    float total = 0.0f;
    for (int i = 0; i < job.count; ++i) {
      const int at = x * job.down + i - job.pad;
      if (at < 0 || at % job.up || at / job.up >= job.width) continue;
      total += job.taps[job.count - 1 - i] * line[at / job.up];
    }
    result[x] = total;
  }
}

} // namespace
} // namespace facecodec

// All return 0, or 1 when a thread found no memory.
extern "C" int facecodec_modulated(const FacecodecModulated *job) {
  using namespace facecodec;
  if (job->tile == FACECODEC_TILES_AMX) return !direct(*job);
#if FACECODEC_BF16
  if (job->bf16) return !toom<InBf16>(*job);
#endif
  return !toom<InFloats>(*job);
}

extern "C" int facecodec_smooth(const FacecodecSmooth *job) {
  using namespace facecodec;
  const size_t line = static_cast<size_t>(job->width + 3) * job->channels;
  return !for_rows(
      job->frames, job->height, job->threads, line,
      [&](ptrdiff_t frame, int y, float *memory) { smooth_map(*job, frame, y, memory); });
}

extern "C" int facecodec_colours(const FacecodecColours *job) {
  using namespace facecodec;
  const size_t line = static_cast<size_t>(job->width) / 2 + 2;
  return !for_rows(
      job->frames, job->height, job->threads, line,
      [&](ptrdiff_t frame, int y, float *memory) { colour_row(*job, frame, y, memory); });
}

extern "C" int facecodec_fir(const FacecodecFir *job) {
  using namespace facecodec;
  return !for_rows(job->planes, job->out_height, job->threads, job->width,
                   [&](ptrdiff_t plane, int y, float *memory) { fir_row(*job, plane, y, memory); });
}
