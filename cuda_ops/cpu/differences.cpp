// Sizes of pictures and their differences, and both turned round: every value is read once.
#include <algorithm>
#include <cmath>

#include "differences_abi.h"
#include "vec.h"

namespace facecodec {
namespace {

constexpr int RUN = 4096; // pixels of all channels that are one item of work

inline Vec size(Vec v) { return larger(v, -v); }
inline Vec sign(Vec v) {
  const IntVec below = v<Vec{}, above = v> Vec{}; // -1 where true
  return __builtin_convertvector(below - above, Vec);
}

// Some pixels of a frame.
struct Run {
  const float *pictures, *targets, *weights;
  float *result;
  ptrdiff_t plane; // pixels of a channel
  int channels, pixels;
  float scale;

  // Calls `whole(at)` for every vector of pixels, and `one(at)` for those that are left.
  template <class Whole, class One> void each(Whole whole, One one) const {
    int i = 0;
    for (; i + LANES <= pixels; i += LANES) whole(i);
    for (; i < pixels; ++i) one(i);
  }

  void sizes() const {
    const float share = 1.0f / channels;
    each(
        [&](int i) {
          Vec total{};
          for (int c = 0; c < channels; ++c) total += size(load(pictures + c * plane + i));
          store(result + i, share * total);
        },
        [&](int i) {
          float total = 0;
          for (int c = 0; c < channels; ++c) total += std::fabs(pictures[c * plane + i]);
          result[i] = share * total;
        });
  }

  double apart() const {
    Vec sum{};
    double rest = 0;
    each(
        [&](int i) {
          Vec total{};
          for (int c = 0; c < channels; ++c)
            total += size(load(pictures + c * plane + i) - load(targets + c * plane + i));
          sum += total * load(weights + i);
        },
        [&](int i) {
          for (int c = 0; c < channels; ++c)
            rest += weights[i] * std::fabs(pictures[c * plane + i] - targets[c * plane + i]);
        });
    for (int k = 0; k < LANES; ++k) rest += sum[k];
    return rest / channels;
  }

  // Both gradients: the sign of the picture, or of its difference, times the weights.
  void turned() const {
    const float share = scale / channels;
    for (int c = 0; c < channels; ++c) {
      const float *from = pictures + c * plane, *less = targets ? targets + c * plane : nullptr;
      float *to = result + c * plane;
      each(
          [&](int i) {
            const Vec v = less ? load(from + i) - load(less + i) : load(from + i);
            store(to + i, share * load(weights + i) * sign(v));
          },
          [&](int i) {
            const float v = less ? from[i] - less[i] : from[i];
            to[i] = share * weights[i] * static_cast<float>((v > 0) - (v < 0));
          });
    }
  }
};

} // namespace
} // namespace facecodec

extern "C" int facecodec_difference_run() { return facecodec::RUN; }

extern "C" int facecodec_difference(const FacecodecDifference *given) {
  using namespace facecodec;
  const FacecodecDifference job = *given;
  const int items = (job.pixels + RUN - 1) / RUN;
#pragma omp parallel for num_threads(job.threads)
  for (int item = 0; item < job.frames * items; ++item) {
    const ptrdiff_t frame = item / items, from = static_cast<ptrdiff_t>(item % items) * RUN;
    const ptrdiff_t all = frame * job.channels * job.pixels + from, one = frame * job.pixels + from;
    const auto at = [](auto *p, ptrdiff_t place) { return p ? p + place : nullptr; };
    const Run run{at(job.pictures, all),
                  at(job.targets, all),
                  at(job.weights, one),
                  at(job.result, job.kind == FACECODEC_SIZE ? one : all),
                  job.pixels,
                  job.channels,
                  static_cast<int>(std::min<ptrdiff_t>(RUN, job.pixels - from)),
                  job.scale};
    switch (job.kind) {
    case FACECODEC_SIZE: run.sizes(); break;
    case FACECODEC_APART: job.sums[item] = run.apart(); break;
    default: run.turned(); break;
    }
  }
  return 0;
}
