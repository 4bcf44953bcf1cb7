// A modulated separable convolution over a stretch of rows: depthwise, product, noise, bias, ReLU.
#pragma once

#include "abi.h"
#include "bf16.h"
#include "depthwise.h"
#include "gemm.h"

namespace facecodec {

// Where a convolution puts its rows; `MapRows` is another. Each has `put`, which stores one channel
// of one panel. Rows that go on may be kept in a map as well.
struct IntoLines {
  Lines lines;
  MapRows kept{};
  void put(int channel, int y, int panel, const Vec (&v)[2]) const {
    float *to = lines.row(channel, y) + panel * PANEL;
    store(to, v[0]);
    store(to + LANES, v[1]);
    kept.put(channel, y, panel, v);
  }
  void close_row(int channel, int y) const { lines.row(channel, y)[lines.width] = 0.0f; }
};

struct IntoPanels {
  Panels panels;
  int first; // the row that lies at 0
  MapRows kept{};
  void put(int channel, int y, int panel, const Vec (&v)[2]) const {
    float *to = panels.at(y - first, panel) + channel * PANEL;
    store(to, v[0]);
    store(to + LANES, v[1]);
    kept.put(channel, y, panel, v);
  }
  void close_row(int, int) const {}
};

// Rows [from, to) of one frame, from panels already filtered.
template <typename Into>
inline void pointwise(const FacecodecConv &conv, const Panels &panels, int from, int to, int width,
                      const Into &into) {
  const int padded = round_up(width, PANEL);
  for_groups(static_cast<const float *>(conv.pointwise), conv.packed, conv.out, conv.in,
             [&]<int M>(int first, const float *weights, int step) {
               for (int y = from; y < to; ++y) {
                 for (int panel = 0; panel < panels.per_row; ++panel) {
                   Vec acc[M][2];
                   product<M>(weights, step, panels.at(y - from, panel), conv.in, acc);
                   const float *noise =
                       conv.noise + static_cast<ptrdiff_t>(y) * padded + panel * PANEL;
                   const Vec left = load(noise), right = load(noise + LANES);
#pragma GCC unroll 16
                   for (int m = 0; m < M; ++m) {
                     const float bias = conv.bias[first + m];
                     const Vec v[2] = {leaky(acc[m][0] + (left + bias)),
                                       leaky(acc[m][1] + (right + bias))};
                     into.put(first + m, y, panel, v);
                   }
                 }
                 for (int m = 0; m < M; ++m) into.close_row(first + m, y);
               }
             });
}

template <typename Into>
inline void separable_rows(const FacecodecConv &conv, int frame, const Lines &in, float *buffer,
                           int from, int to, const Into &into) {
  if (conv.products16) {
    separable_rows16(conv, frame, in, buffer, from, to, into);
    return;
  }
  const Panels panels{buffer, conv.in, round_up(in.width, PANEL) / PANEL};
  depthwise(in, conv.depthwise, conv.style + frame * conv.style_stride, from, to, panels);
  pointwise(conv, panels, from, to, in.width, into);
}

} // namespace facecodec
