// Depthwise 3x3 over lines, into the panels that the product reads.
#pragma once

#include "lines.h"

namespace facecodec {

// Panels of one stretch of rows: [row][column / PANEL][channel][PANEL].
struct Panels {
  float *data;
  int channels, per_row;

  // A line of padding keeps panels of a power of two off the same cache sets.
  static size_t pitch(int channels) { return static_cast<size_t>(channels + 1) * PANEL; }
  static size_t size(int channels, int rows, int width) {
    return pitch(channels) * rows * (round_up(width, PANEL) / PANEL);
  }
  float *at(int row, int panel) const {
    return data + (static_cast<size_t>(row) * per_row + panel) * pitch(channels);
  }
};

inline Vec three(const float *p, const Vec (&w)[9], int first, Vec sum) {
  sum += w[first] * load(p - 1);
  sum += w[first + 1] * load(p);
  return sum + w[first + 2] * load(p + 1);
}

// Nine taps over rows [from, to) of N channels, two rows at a time: visit(y, both, x, top, bottom)
// gets V vectors of each channel from column x on, of rows y and, where `both` holds, y + 1. Whole
// panels: what lies beyond a row's end is anything.
template <int N, int V, typename Visit>
inline __attribute__((always_inline)) void filter(const Lines &in, const int (&channels)[N],
                                                  const Vec (&w)[N][9], int from, int to,
                                                  const Visit &visit) {
  const int width = round_up(in.width, PANEL);
  for (int y = from; y < to; y += 2) {
    const bool both = y + 1 < to;
    const float *line[N][4];
    for (int i = 0; i < N; ++i)
      for (int j = 0; j < 4; ++j)
        line[i][j] = in.row_or_blank(channels[i], y - 1 + j - (j == 3 && !both));
    for (int x = 0; x < width; x += V * LANES) {
      // `visit` deduces their type, and what is deduced is taken to be aligned as a vector.
      alignas(sizeof(Vec)) Vec a[N][V] = {}, b[N][V] = {};
#pragma GCC unroll 2
      for (int i = 0; i < N; ++i)
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) {
          const int at = x + v * LANES;
          a[i][v] = three(line[i][0] + at, w[i], 0, a[i][v]);
          a[i][v] = three(line[i][1] + at, w[i], 3, a[i][v]);
          b[i][v] = three(line[i][1] + at, w[i], 0, b[i][v]);
          a[i][v] = three(line[i][2] + at, w[i], 6, a[i][v]);
          b[i][v] = three(line[i][2] + at, w[i], 3, b[i][v]);
          b[i][v] = three(line[i][3] + at, w[i], 6, b[i][v]);
        }
      visit(y, both, x, a, b);
    }
  }
}

// Filter rows [from, to) of all channels. The style scales the taps, which is the same as scaling
// the pixels and costs nothing.
inline void depthwise(const Lines &in, const float *taps, const float *style, int from, int to,
                      Panels out) {
  for (int c = 0; c < in.channels; ++c) {
    Vec w[1][9];
    for (int i = 0; i < 9; ++i) w[0][i] = splat(taps[9 * c + i] * style[c]);
    filter<1, 1>(in, {c}, w, from, to, [&](int y, bool both, int x, auto &a, auto &b) {
      const int panel = x / PANEL, at = c * PANEL + x % PANEL;
      if (both) store(out.at(y - from + 1, panel) + at, b[0][0]);
      store(out.at(y - from, panel) + at, a[0][0]);
    });
  }
}

} // namespace facecodec
