// Octaves of a picture: halved, what that loses, and both turned round for the backward pass.
#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

#include "octave_abi.h"

namespace facecodec {
namespace {

constexpr int ROWS = 16; // rows of the small picture that are one item of work

// Rows of one plane: of `height` x `width` pixels the large one, of half as many the small one.
struct Plane {
  const float *large, *small;
  float *result;
  int height, width;

  int rows() const { return height / 2; }
  int columns() const { return width / 2; }
  const float *above(int i) const { return small + std::max(i - 1, 0) * columns(); }
  const float *below(int i) const { return small + std::min(i + 1, rows() - 1) * columns(); }
};

void halve(const Plane &p, int i) {
  const float *a = p.large + static_cast<ptrdiff_t>(2) * i * p.width, *b = a + p.width;
  float *to = p.result + static_cast<ptrdiff_t>(i) * p.columns();
  for (int j = 0; j < p.columns(); ++j)
    to[j] = 0.25f * ((a[2 * j] + a[2 * j + 1]) + (b[2 * j] + b[2 * j + 1]));
}

void spread(const Plane &p, int i) {
  const float *from = p.small + static_cast<ptrdiff_t>(i) * p.columns();
  float *a = p.result + static_cast<ptrdiff_t>(2) * i * p.width, *b = a + p.width;
  for (int j = 0; j < p.columns(); ++j)
    a[2 * j] = a[2 * j + 1] = b[2 * j] = b[2 * j + 1] = 0.25f * from[j];
}

// Less the small picture, doubled bilinearly: a pixel takes 3/4 of the nearest and 1/4 of the next,
// on both axes, and the edge goes on beyond itself.
void finer(const Plane &p, int i, float *line) {
  const int n = p.columns();
  const float *here = p.small + static_cast<ptrdiff_t>(i) * n;
  for (int a = 0; a < 2; ++a) {
    const float *other = a ? p.below(i) : p.above(i);
    float *v = line + 1;
    for (int j = 0; j < n; ++j) v[j] = 0.75f * here[j] + 0.25f * other[j];
    v[-1] = v[0];
    v[n] = v[n - 1];
    const ptrdiff_t at = (static_cast<ptrdiff_t>(2) * i + a) * p.width;
    const float *from = p.large + at;
    float *to = p.result + at;
    for (int j = 0; j < n; ++j) {
      to[2 * j] = from[2 * j] - (0.75f * v[j] + 0.25f * v[j - 1]);
      to[2 * j + 1] = from[2 * j + 1] - (0.75f * v[j] + 0.25f * v[j + 1]);
    }
  }
}

// The gradient of that to the small picture, of one to the large one.
void turned(const Plane &p, int i, float *line) {
  const int n = p.columns(), last = p.height - 1;
  const auto row = [&](int y) {
    return p.large + static_cast<ptrdiff_t>(std::clamp(y, 0, last)) * p.width;
  };
  const float *a = row(2 * i - 1), *b = row(2 * i), *c = row(2 * i + 1), *d = row(2 * i + 2);
  float *v = line + 1;
  for (int x = 0; x < p.width; ++x) v[x] = 0.75f * (b[x] + c[x]) + 0.25f * (a[x] + d[x]);
  v[-1] = v[0];
  v[p.width] = v[p.width - 1];
  float *to = p.result + static_cast<ptrdiff_t>(i) * n;
  for (int j = 0; j < n; ++j)
    to[j] = -(0.75f * (v[2 * j] + v[2 * j + 1]) + 0.25f * (v[2 * j - 1] + v[2 * j + 2]));
}

} // namespace
} // namespace facecodec

extern "C" int facecodec_octave(const FacecodecOctave *given) {
  using namespace facecodec;
  const FacecodecOctave job = *given;
  const int rows = job.height / 2, parts = (rows + ROWS - 1) / ROWS;
  const ptrdiff_t large = static_cast<ptrdiff_t>(job.height) * job.width, small = large / 4;
  const bool to_small = job.kind == FACECODEC_HALVED || job.kind == FACECODEC_FINER_TURNED;
  std::atomic<bool> failed{false};
#pragma omp parallel for num_threads(job.threads)
  for (int item = 0; item < job.planes * parts; ++item) {
    const int plane = item / parts, from = item % parts * ROWS, to = std::min(from + ROWS, rows);
    const Plane p{job.large ? job.large + plane * large : nullptr,
                  job.small ? job.small + plane * small : nullptr,
                  job.result + plane * (to_small ? small : large), job.height, job.width};
    try {
      std::vector<float> line(job.width + 2);
      for (int i = from; i < to; ++i) switch (job.kind) {
        case FACECODEC_HALVED: halve(p, i); break;
        case FACECODEC_HALVED_TURNED: spread(p, i); break;
        case FACECODEC_FINER: finer(p, i, line.data()); break;
        case FACECODEC_FINER_TURNED: turned(p, i, line.data()); break;
        }
    } catch (const std::exception &) {
      failed = true; // an exception may not leave a parallel region
    }
  }
  return failed ? 1 : 0;
}
