// The end of the network: a 1x1 convolution to colours, its inverse Haar transform, bytes.
#pragma once

#include "abi.h"
#include "depthwise.h"
#include "gemm.h"

namespace facecodec {

constexpr int COLOURS = 3;

// Pixels [count] of one row as bytes: -1..1 to 0..255, rounded to even, clamped.
inline void to_bytes(const float (&rows)[COLOURS][2 * PANEL], int count, unsigned char *out) {
  int levels[COLOURS][2 * PANEL];
  const float shift = 8388608.0f; // 2^23: the sum's low bits are the rounded number
  for (int c = 0; c < COLOURS; ++c) {
    for (int i = 0; i < 2 * PANEL; i += LANES) {
      Vec v = load(rows[c] + i) * 127.5f + 127.5f;
      v = smaller(larger(v, Vec{}), splat(255.0f)) + shift;
      IntVec bits;
      std::memcpy(&bits, &v, sizeof v);
      std::memcpy(levels[c] + i, &bits, sizeof v);
    }
  }
  for (int i = 0; i < count; ++i)
    for (int c = 0; c < COLOURS; ++c)
      out[COLOURS * i + c] = static_cast<unsigned char>(levels[c][i]);
}

// The weights of one frame, its style folded in: per colour the bands ll, lh, hl, hh together.
inline void fold_head(const FacecodecBlock &block, int frame, int depth, float *weights,
                      float *bias) {
  const int bands = block.head == FACECODEC_COLOURS ? 1 : 4;
  const float *style = block.head_style + frame * block.head_stride;
  for (int c = 0; c < COLOURS; ++c) {
    for (int band = 0; band < bands; ++band) {
      const int row = band == 0 ? c : COLOURS + 3 * c + band - 1;
      const float half = bands == 4 ? 0.5f : 1.0f;
      for (int k = 0; k < depth; ++k)
        weights[(c * depth + k) * bands + band] =
            block.head_weight[row * depth + k] * style[k] * half;
      bias[c * bands + band] = block.head_bias[row] * half;
    }
  }
}

inline void head_colours(const FacecodecBlock &block, int frame, const Panels &in, int from, int to,
                         const float *weights, const float *bias) {
  const int depth = in.channels;
  float *map = static_cast<float *>(block.result);
  for (int y = from; y < to; ++y)
    for (int panel = 0; panel < in.per_row; ++panel)
      for (int c = 0; c < COLOURS; ++c) {
        Vec acc[1][2];
        product<1>(weights + c * depth, 1, in.at(y - from, panel), depth, acc);
        const Vec v[2] = {acc[0][0] + bias[c], acc[0][1] + bias[c]};
        const int x = panel * PANEL, count = block.width - x < PANEL ? block.width - x : PANEL;
        const ptrdiff_t at = ((static_cast<ptrdiff_t>(frame) * COLOURS + c) * block.height + y);
        std::memcpy(map + at * block.width + x, v, count * sizeof(float));
      }
}

inline void head_haar(const FacecodecBlock &block, int frame, const Panels &in, int from, int to,
                      const float *weights, const float *bias) {
  const int depth = in.channels, width = 2 * block.width, height = 2 * block.height;
  for (int y = from; y < to; ++y)
    for (int panel = 0; panel < in.per_row; ++panel) {
      float rows[2][COLOURS][2 * PANEL];
      for (int c = 0; c < COLOURS; ++c) {
        Vec acc[4][2];
        product<4>(weights + 4 * c * depth, 4, in.at(y - from, panel), depth, acc);
        for (int v = 0; v < 2; ++v) {
          const Vec ll = acc[0][v] + bias[4 * c], lh = acc[1][v] + bias[4 * c + 1];
          const Vec hl = acc[2][v] + bias[4 * c + 2], hh = acc[3][v] + bias[4 * c + 3];
          const Vec a = ll + lh + (hl + hh), b = ll + lh - (hl + hh);
          const Vec d = ll - lh + (hl - hh), e = ll - lh - (hl - hh);
          float *top = rows[0][c] + 2 * v * LANES, *bottom = rows[1][c] + 2 * v * LANES;
          store(top, interleave_low(a, b));
          store(top + LANES, interleave_high(a, b));
          store(bottom, interleave_low(d, e));
          store(bottom + LANES, interleave_high(d, e));
        }
      }
      const int x = 2 * panel * PANEL, count = width - x < 2 * PANEL ? width - x : 2 * PANEL;
      for (int a = 0; a < 2; ++a) {
        if (block.head == FACECODEC_BYTES) {
          const ptrdiff_t at = (static_cast<ptrdiff_t>(frame) * height + 2 * y + a) * width + x;
          to_bytes(rows[a], count, static_cast<unsigned char *>(block.result) + COLOURS * at);
          continue;
        }
        for (int c = 0; c < COLOURS; ++c) {
          const ptrdiff_t line = (static_cast<ptrdiff_t>(frame) * COLOURS + c) * height + 2 * y + a;
          std::memcpy(static_cast<float *>(block.result) + line * width + x, rows[a][c],
                      count * sizeof(float));
        }
      }
    }
}

} // namespace facecodec
