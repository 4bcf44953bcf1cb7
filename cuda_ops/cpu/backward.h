// Parts of the backward pass of a block: panels of gradients, and products with the weights turned
// round.
#pragma once

#include "abi.h"
#include "bf16.h"
#include "gemm.h"
#include "separable.h"

namespace facecodec {

constexpr int MOST_BANDS = 12; // rows of a head: four Haar bands of three colours
constexpr int HEAD_GROUP = 4;  // channels of a head's gradient that are made together

// How many channels panels take at once.
template <class P> constexpr int TOGETHER = 1;

inline void put(const Panels &to, int row, int x, int channel, const Vec (&v)[1]) {
  store(to.at(row, x / PANEL) + channel * PANEL + x % PANEL, v[0]);
}
inline void blank_rest(const Panels &, int) {}

#if FACECODEC_BF16
template <> constexpr int TOGETHER<Panels16> = 2;

inline void put(const Panels16 &to, int row, int x, int channel, const Vec (&v)[2]) {
  store_pair(to.at(row, x / PANEL) + channel / 2 * PANEL + x % PANEL, v[0], v[1]);
}
inline void blank_rest(const Panels16 &panels, int rows) {
  for (int row = 0; row < rows; ++row) panels.blank_rest(row);
}
#endif

// The slope of the activation that gave `kept`, times a gradient.
inline Vec sloped(Vec gradient, Vec kept) { return kept > 0.0f ? gradient : 0.2f * gradient; }

inline float sum_of(const float *lanes) {
  float total = 0.0f;
  for (int i = 0; i < LANES; ++i) total += lanes[i];
  return total;
}
inline void add_to(float *lanes, Vec v) { store(lanes, load(lanes) + v); }

// The four bands of two rows of pixels, from column x on.
inline void to_haar(const Vec (&top)[2], const Vec (&bottom)[2], Vec (&bands)[4]) {
  const Vec a = even_lanes(top[0], top[1]), b = odd_lanes(top[0], top[1]);
  const Vec d = even_lanes(bottom[0], bottom[1]), e = odd_lanes(bottom[0], bottom[1]);
  const Vec left = a + d, right = b + e, up = a - d, side = b - e;
  bands[0] = 0.5f * (left + right);
  bands[1] = 0.5f * (up + side);
  bands[2] = 0.5f * (left - right);
  bands[3] = 0.5f * (up - side);
}

// One panel of a picture's gradient as the head's rows made it: [rows of the head][PANEL].
inline void head_rows(const FacecodecBackward &job, ptrdiff_t frame, int y, int panel, float *to) {
  const float *picture = static_cast<const float *>(job.gradient);
  const int scale = job.head == FACECODEC_COLOURS ? 1 : 2, x = panel * PANEL;
  const int width = scale * job.width, height = scale * job.height;
  for (int c = 0; c < 3; ++c) {
    const float *row = picture + ((frame * 3 + c) * height + scale * y) * width + scale * x;
    for (int v = 0; v < PANEL; v += LANES) {
      if (scale == 1) {
        store(to + c * PANEL + v, load_part(row + v, width - x - v));
        continue;
      }
      Vec rows[2][2], bands[4];
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j)
          rows[i][j] =
              load_part(row + i * width + 2 * v + j * LANES, width - 2 * (x + v) - j * LANES);
      to_haar(rows[0], rows[1], bands);
      for (int i = 0; i < 4; ++i) store(to + (4 * c + i) * PANEL + v, bands[i]);
    }
  }
}

// The head's weights by its rows, [rows][channels], as `head_rows` orders them.
inline int fold_rows(const FacecodecBackward &job, int out, int channels, float *to) {
  const int bands = job.head == FACECODEC_COLOURS ? 1 : 4;
  std::memset(to, 0, MOST_BANDS * channels * sizeof(float));
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < bands; ++i) {
      const int row = i == 0 ? c : 3 + 3 * c + i - 1;
      std::memcpy(to + (bands * c + i) * channels, job.head_weight + row * out,
                  out * sizeof(float));
    }
  return 3 * bands;
}

// Rows [from, to) of a gradient to a convolution's result, in panels, to that of its filters.
inline void transposed(const FacecodecBackConv &conv, int, const Panels &panels, int from, int to,
                       const IntoLines &into) {
  const float *weights = static_cast<const float *>(conv.pointwise);
  const int in = conv.in, out = conv.out;
  for_groups(weights, in, in, out, [&]<int M>(int first, const float *group, int step) {
    for (int y = from; y < to; ++y) {
      for (int panel = 0; panel < panels.per_row; ++panel) {
        Vec acc[M][2];
        product<M>(group, step, panels.at(y - from, panel), out, acc);
        for (int m = 0; m < M; ++m) into.put(first + m, y, panel, acc[m]);
      }
      for (int m = 0; m < M; ++m) into.close_row(first + m, y);
    }
  });
}

#if FACECODEC_BF16
// Sums of a product in bf16, as they are.
struct Sums {
  const IntoLines &into;
  int channels;

  template <int M> void take(const float *sums, int first, int y, int panel) const {
    for (int m = 0; m < M && first + m < channels; ++m, sums += PANEL) {
      const Vec v[2] = {load(sums), load(sums + LANES)};
      into.put(first + m, y, panel, v);
    }
  }
  void close_row(int channel, int y) const { into.close_row(channel, y); }
};

inline void transposed(const FacecodecBackConv &conv, int kind, const Panels16 &panels, int from,
                       int to, const IntoLines &into) {
  const Weights16 weights{static_cast<const uint32_t *>(conv.pointwise), conv.out, conv.in};
  product16(kind, weights, panels, from, to, Sums{into, conv.in});
}
#endif

} // namespace facecodec
