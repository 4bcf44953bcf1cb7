// Maps in memory: planar floats, as torch has them, or panels of floats or bf16, as a network keeps
// them between its blocks and for the backward pass.
//
// A panel is PANEL pixels of one row of one channel, and the panels of all channels lie together:
// [row][column / PANEL][channel][PANEL]. A product makes many channels of few pixels, so that its
// results are written one after the other, and not each to a page of its own. Beyond a row's end
// panels hold anything.
#pragma once

#include <cstdint>
#include <cstring>

#include "abi.h"
#include "vec.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace facecodec {

typedef uint16_t Bf16;
typedef unsigned Word __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint16_t HalfWord __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

inline Vec load(const Bf16 *p) {
  const Word bits = __builtin_convertvector(*reinterpret_cast<const HalfWord *>(p), Word) << 16;
  Vec v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

// Rounded to the nearest, halves to even.
inline void store(Bf16 *p, Vec v) {
#if defined(__AVX512BF16__)
  const __m256bh rounded = _mm512_cvtneps_pbh((__m512)v);
  std::memcpy(p, &rounded, sizeof rounded);
#else
  Word bits;
  std::memcpy(&bits, &v, sizeof bits);
  bits = bits + 0x7fffu + (bits >> 16 & 1u);
  *reinterpret_cast<HalfWord *>(p) = __builtin_convertvector(bits >> 16, HalfWord);
#endif
}

inline void store_panel(float *p, const Vec (&v)[2]) {
  store(p, v[0]);
  store(p + LANES, v[1]);
}
inline void store_panel(Bf16 *p, const Vec (&v)[2]) {
#if defined(__AVX512BF16__)
  _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh((__m512)v[1], (__m512)v[0]));
#else
  store(p, v[0]);
  store(p + LANES, v[1]);
#endif
}

// The first `count` numbers at p, zero beyond; `count` may be below 0 or above LANES.
inline Vec load_part(const float *p, int count) {
  if (count >= LANES) return load(p);
  float part[LANES] = {};
  for (int i = 0; i < count; ++i) part[i] = p[i];
  return load(part);
}
inline void store_part(float *p, Vec v, int count) {
  if (count >= LANES) {
    store(p, v);
    return;
  }
  float part[LANES];
  store(part, v);
  for (int i = 0; i < count; ++i) p[i] = part[i];
}

// A vector with zeros from `count` on: what lies beyond a row's end must not count.
inline Vec first_lanes(Vec v, int count) {
  if (count >= LANES) return v;
  float part[LANES];
  store(part, v);
  return load_part(part, count);
}

constexpr int panels_of(int width) { return round_up(width, PANEL) / PANEL; }

// The map of one frame, in either layout: `load` and `at` take a column that begins a vector.
struct PlanarMap {
  const float *data;
  int channels, height, width;

  Vec load(int channel, int y, int x) const {
    return load_part(data + (static_cast<ptrdiff_t>(channel) * height + y) * width + x, width - x);
  }
};

template <typename T> struct PanelMap {
  T *data;
  int channels, height, per_row;

  PanelMap(T *data, int channels, int height, int width)
      : data(data), channels(channels), height(height), per_row(panels_of(width)) {}
  ptrdiff_t size() const { return static_cast<ptrdiff_t>(height) * per_row * channels * PANEL; }
  T *at(int channel, int y, int x) const {
    return data + ((static_cast<ptrdiff_t>(y) * per_row + x / PANEL) * channels + channel) * PANEL +
           x % PANEL;
  }
  Vec load(int channel, int y, int x) const { return facecodec::load(at(channel, y, x)); }
};

// Rows [from, to) of the map of one frame, where a convolution puts its panels; none where there is
// no memory.
struct MapRows {
  void *data;
  FacecodecLayout layout;
  int channels, height, width, from, to;

  void put(int channel, int y, int panel, const Vec (&v)[2]) const {
    if (!data || y < from || y >= to) return;
    const int x = panel * PANEL;
    if (layout == FACECODEC_PANELS16)
      store_panel(panels<Bf16>().at(channel, y, x), v);
    else if (layout == FACECODEC_PANELS)
      store_panel(panels<float>().at(channel, y, x), v);
    else {
      const ptrdiff_t at = (static_cast<ptrdiff_t>(channel) * height + y) * width + x;
      store_part(static_cast<float *>(data) + at, v[0], width - x);
      store_part(static_cast<float *>(data) + at + LANES, v[1], width - x - LANES);
    }
  }
  void close_row(int, int) const {}

private:
  template <typename T> PanelMap<T> panels() const {
    return {static_cast<T *>(data), channels, height, width};
  }
};

} // namespace facecodec
