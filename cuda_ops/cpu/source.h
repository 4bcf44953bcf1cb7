// Where a block's lines come from: rows of a feature map, or an inverse Haar transform of one.
#pragma once

#include "abi.h"
#include "lines.h"
#include "maps.h"

namespace facecodec {

// One row of the map, scaled.
template <class Map>
inline void copy_row(const FacecodecBlock &block, const Map &map, const float *gain, int y,
                     const Lines &out) {
  for (int x = 0; x < block.width; x += LANES)
    for (int c = 0; c < block.channels; ++c) {
      const float scale = (gain ? gain[c] : 1.0f) * block.gain_factor;
      store_part(out.row(c, y) + x, map.load(c, y, x) * scale, block.width - x);
    }
}

// Two rows of the inverse transform: y[2i+a, 2j+b] = (ll ± lh ± hl ± hh) / 2, where lh changes
// sign with a, hl with b and hh with both.
template <class Map>
inline void haar_rows(const FacecodecBlock &block, const Map &map, const float *gain, int y,
                      const Lines &out) {
  const int c4 = block.channels;
  for (int x = 0; x < block.width; x += PANEL)
    for (int c = 0; c < c4; ++c) {
      Vec band[4];
      for (int i = 0; i < 4; ++i) {
        const int channel = i == 0 ? c : c4 + 3 * c + i - 1;
        const float scale = (gain ? gain[channel] : 1.0f) * block.gain_factor * 0.5f;
        band[i] = scale * map.load(channel, y / 2, x / 2);
      }
      const Vec up = band[0] + band[1], down = band[0] - band[1];
      const Vec up_side = band[2] + band[3], down_side = band[2] - band[3];
      const Vec a = up + up_side, b = up - up_side, d = down + down_side, e = down - down_side;
      float *top = out.row(c, y) + x, *bottom = out.row(c, y + 1) + x;
      const int count = block.width - x;
      store_part(top, interleave_low(a, b), count);
      store_part(top + LANES, interleave_high(a, b), count - LANES);
      store_part(bottom, interleave_low(d, e), count);
      store_part(bottom + LANES, interleave_high(d, e), count - LANES);
    }
}

// Make the rows before `until` of one frame.
template <class Map>
inline void make_rows(const FacecodecBlock &block, int frame, const Map &map, Lines &out,
                      int until) {
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

inline void make_source(const FacecodecBlock &block, int frame, Lines &out, int until) {
  const int half = block.haar ? 2 : 1, channels = block.source_channels;
  const int height = block.height / half, width = block.width / half;
  const ptrdiff_t at = frame * block.source_stride;
  const float *floats = static_cast<const float *>(block.source);
  if (block.layout == FACECODEC_PANELS16) {
    const Bf16 *map = static_cast<const Bf16 *>(block.source) + at;
    make_rows(block, frame, PanelMap<const Bf16>(map, channels, height, width), out, until);
  } else if (block.layout == FACECODEC_PANELS) {
    make_rows(block, frame, PanelMap<const float>(floats + at, channels, height, width), out,
              until);
  } else {
    make_rows(block, frame, PlanarMap{floats + at, channels, height, width}, out, until);
  }
}

} // namespace facecodec
