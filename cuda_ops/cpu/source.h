// Where a block's lines come from: rows of a feature map, or an inverse Haar transform of one.
#pragma once

#include "abi.h"
#include "lines.h"

namespace facecodec {

// One row of the map, scaled.
inline void copy_row(const FacecodecBlock &block, const float *map, const float *gain, int y,
                     const Lines &out) {
  const ptrdiff_t plane = static_cast<ptrdiff_t>(block.height) * block.width;
  for (int c = 0; c < block.channels; ++c) {
    const float *from = map + c * plane + static_cast<ptrdiff_t>(y) * block.width;
    float *to = out.row(c, y);
    const float scale = (gain ? gain[c] : 1.0f) * block.gain_factor;
    for (int x = 0; x < block.width; ++x) to[x] = from[x] * scale;
  }
}

// Two rows of the inverse transform: y[2i+a, 2j+b] = (ll ± lh ± hl ± hh) / 2, where lh changes
// sign with a, hl with b and hh with both.
inline void haar_rows(const FacecodecBlock &block, const float *map, const float *gain, int y,
                      const Lines &out) {
  const int width = block.width / 2, c4 = block.channels;
  const ptrdiff_t plane = static_cast<ptrdiff_t>(block.height / 2) * width;
  for (int c = 0; c < c4; ++c) {
    const ptrdiff_t at = static_cast<ptrdiff_t>(y / 2) * width;
    const float *band[4];
    float scale[4];
    for (int i = 0; i < 4; ++i) {
      const int channel = i == 0 ? c : c4 + 3 * c + i - 1;
      band[i] = map + channel * plane + at;
      scale[i] = (gain ? gain[channel] : 1.0f) * block.gain_factor * 0.5f;
    }
    float *top = out.row(c, y), *bottom = out.row(c, y + 1);
    int j = 0;
    for (; j + LANES <= width; j += LANES) {
      const Vec ll = scale[0] * load(band[0] + j), lh = scale[1] * load(band[1] + j);
      const Vec hl = scale[2] * load(band[2] + j), hh = scale[3] * load(band[3] + j);
      const Vec up = ll + lh, down = ll - lh, up_side = hl + hh, down_side = hl - hh;
      const Vec a = up + up_side, b = up - up_side, c = down + down_side, d = down - down_side;
      store(top + 2 * j, interleave_low(a, b));
      store(top + 2 * j + LANES, interleave_high(a, b));
      store(bottom + 2 * j, interleave_low(c, d));
      store(bottom + 2 * j + LANES, interleave_high(c, d));
    }
    for (; j < width; ++j) {
      const float ll = scale[0] * band[0][j], lh = scale[1] * band[1][j];
      const float hl = scale[2] * band[2][j], hh = scale[3] * band[3][j];
      top[2 * j] = ll + lh + hl + hh;
      top[2 * j + 1] = ll + lh - hl - hh;
      bottom[2 * j] = ll - lh + hl - hh;
      bottom[2 * j + 1] = ll - lh - hl + hh;
    }
  }
}

// Make the rows before `until` of one frame.
inline void make_source(const FacecodecBlock &block, int frame, Lines &out, int until) {
  const float *map = block.source + frame * block.source_stride;
  const float *gain = block.gain ? block.gain + frame * block.gain_stride : nullptr;
  while (out.made < until) {
    if (block.haar) {
      haar_rows(block, map, gain, out.made, out);
      out.made += 2;
    } else {
      copy_row(block, map, gain, out.made++, out);
    }
  }
}

} // namespace facecodec
