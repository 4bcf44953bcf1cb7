// StyleGAN2's operators: launchers, and the passes over memory around the products.
#include <algorithm>
#include <atomic>
#include <exception>

#include "toom.h"

namespace facecodec {
namespace {

thread_local Scratch scratch;

template <class T, class P> bool toom(const FacecodecToom &job) {
  typedef Tiles<T, P> Some;
  const int tiles = Some::across(job) * Some::down(job), most = Some::most(job);
  const int strips = round_up((tiles + most - 1) / most, job.threads);
  const int length = (tiles + strips - 1) / strips;
  std::atomic<bool> failed{false};
#pragma omp parallel for schedule(dynamic) num_threads(job.threads)
  for (int item = 0; item < job.frames * strips; ++item) {
    const int first = item % strips * length, count = std::min(length, tiles - first);
    try {
      if (count > 0) Some(job, item / strips, first, count, scratch).run();
    } catch (const std::exception &) {
      failed = true; // an exception may not leave a parallel region
    }
  }
  return !failed;
}

template <class P> bool toom(const FacecodecToom &job) {
  return job.up ? toom<Up, P>(job) : toom<Same, P>(job);
}

// One row of the filter and what follows: down first, into a line, then along it.
void smooth_row(const FacecodecSmooth &job, ptrdiff_t frame, int y, float *line) {
  const int channels = job.channels, wide = job.width + job.filter, tall = job.height + job.filter;
  const ptrdiff_t row = static_cast<ptrdiff_t>(wide) * channels;
  const float *map = job.source + frame * tall * row;
  const ptrdiff_t first = static_cast<ptrdiff_t>(y) * job.width;
  float *result = job.result + (frame * job.height * job.width + first) * channels;
  if (!job.filter) {
    for (int x = 0; x < job.width; ++x)
      for (int c = 0; c < channels; c += LANES) {
        const Vec v = load(map + (first + x) * channels + c);
        store(result + x * channels + c, finished(job.finish, frame, channels, c, first + x, v));
      }
    return;
  }
  const float taps[4] = {0.25f, 0.75f, 0.75f, 0.25f};
  std::memset(line, 0, channels * sizeof(float));
  std::memset(line + row + channels, 0, channels * sizeof(float));
  float *middle = line + channels; // one pixel of nothing at either end
  const float *rows[4];
  float weights[4];
  for (int i = 0; i < 4; ++i) {
    const bool inside = y + i >= 1 && y + i <= tall;
    rows[i] = map + (inside ? y + i - 1 : y) * row, weights[i] = inside ? taps[i] : 0.0f;
  }
  for (ptrdiff_t i = 0; i < row; i += LANES)
    store(middle + i, weights[0] * load(rows[0] + i) + weights[1] * load(rows[1] + i) +
                          (weights[2] * load(rows[2] + i) + weights[3] * load(rows[3] + i)));
  for (int x = 0; x < job.width; ++x) {
    const float *at = line + static_cast<ptrdiff_t>(x) * channels;
    for (int c = 0; c < channels; c += LANES) {
      const Vec outer = load(at + c) + load(at + 3 * channels + c);
      const Vec inner = load(at + channels + c) + load(at + 2 * channels + c);
      const Vec v = 0.25f * outer + 0.75f * inner;
      store(result + static_cast<ptrdiff_t>(x) * channels + c,
            finished(job.finish, frame, channels, c, first + x, v));
    }
  }
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
  const float *pixel = job.source + (frame * plane + static_cast<ptrdiff_t>(y) * job.width) * channels;
  const float *weight = job.weight + frame * 3 * channels;
  float *result = job.result + frame * 3 * plane + static_cast<ptrdiff_t>(y) * job.width;
  for (int x = 0; x < job.width; ++x, pixel += channels) {
    Vec a = Vec{}, b = Vec{}, d = Vec{};
    for (int c = 0; c < channels; c += LANES) {
      const Vec v = load(pixel + c);
      a += v * load(weight + c), b += v * load(weight + channels + c);
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
    add_doubled(job.coarse + (frame * 3 + i) * height * width, height, width, y, line, result + i * plane);
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

// Calls work(frame, row, line) for all rows, each thread with a line of `floats`.
template <class Work> bool for_rows(int frames, int height, int threads, size_t floats, Work work) {
  std::atomic<bool> failed{false};
  const int items = frames * height, chunk = std::max(1, std::min(16, items / (4 * threads)));
#pragma omp parallel for schedule(dynamic, chunk) num_threads(threads)
  for (int item = 0; item < items; ++item) {
    try {
      work(item / height, item % height, scratch.floats(floats));
    } catch (const std::exception &) {
      failed = true;
    }
  }
  return !failed;
}

} // namespace
} // namespace facecodec

// All return 0, or 1 when a thread found no memory.
extern "C" int facecodec_toom(const FacecodecToom *job) {
  using namespace facecodec;
#if FACECODEC_BF16
  if (job->bf16) return !toom<InBf16>(*job);
#endif
  return !toom<InFloats>(*job);
}

extern "C" int facecodec_smooth(const FacecodecSmooth *job) {
  using namespace facecodec;
  const size_t line = static_cast<size_t>(job->width + 3) * job->channels;
  return !for_rows(job->frames, job->height, job->threads, line,
                   [&](ptrdiff_t frame, int y, float *memory) { smooth_row(*job, frame, y, memory); });
}

extern "C" int facecodec_colours(const FacecodecColours *job) {
  using namespace facecodec;
  const size_t line = static_cast<size_t>(job->width) / 2 + 2;
  return !for_rows(job->frames, job->height, job->threads, line,
                   [&](ptrdiff_t frame, int y, float *memory) { colour_row(*job, frame, y, memory); });
}

extern "C" int facecodec_fir(const FacecodecFir *job) {
  using namespace facecodec;
  return !for_rows(job->planes, job->out_height, job->threads, job->width,
                   [&](ptrdiff_t plane, int y, float *memory) { fir_row(*job, plane, y, memory); });
}
