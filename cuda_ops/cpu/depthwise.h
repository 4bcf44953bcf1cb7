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

// Filter rows [from, to) of all channels. The style scales the taps, which is the same as scaling
// the pixels and costs nothing.
inline void depthwise(const Lines &in, const float *taps, const float *style, int from, int to,
                      Panels out) {
  for (int c = 0; c < in.channels; ++c) {
    Vec w[9];
    for (int i = 0; i < 9; ++i) w[i] = splat(taps[9 * c + i] * style[c]);
    for (int y = from; y < to; y += 2) {
      const float *above = in.row_or_blank(c, y - 1), *here = in.row(c, y);
      const float *below = in.row_or_blank(c, y + 1);
      const bool pair = y + 1 < to;
      const float *last = pair ? in.row_or_blank(c, y + 2) : below;
      for (int panel = 0; panel < out.per_row; ++panel) {
        float *top = out.at(y - from, panel) + c * PANEL;
        float *bottom = out.at(y - from + pair, panel) + c * PANEL;
        for (int v = 0; v < PANEL; v += LANES) {
          const int x = panel * PANEL + v;
          Vec a = Vec{}, b = Vec{};
          a = three(above + x, w, 0, a);
          a = three(here + x, w, 3, a);
          b = three(here + x, w, 0, b);
          a = three(below + x, w, 6, a);
          b = three(below + x, w, 3, b);
          b = three(last + x, w, 6, b);
          if (pair) store(bottom + v, b);
          store(top + v, a);
        }
      }
    }
  }
}

} // namespace facecodec
