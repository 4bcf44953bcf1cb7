// Products in bf16, summed in float32: pairs of channels in AMX tiles or AVX-512 dot products.
//
// Activations are rounded as they leave the depthwise filter, weights when they are packed; all
// else stays float32. Compiled where the machine has either; `products16` says which may be used.
#pragma once

#include "abi.h"
#include "depthwise.h"
#include "maps.h"
#include "tiles.h"

#if defined(__AVX512BF16__)
#define FACECODEC_BF16 1
#include <immintrin.h>
#endif

namespace facecodec {

enum Products16 { NONE = 0, DOTS = 1, TILES = 2 };

// Panels as in depthwise.h, of words that hold channels 2i and 2i + 1 in bf16. Where channels are
// not a whole number of tiles the rest is zero.
struct Panels16 {
  static constexpr int PAIRS = 16; // of one tile
  uint32_t *data;
  int channels, per_row;

  static int pairs(int channels) { return round_up((channels + 1) / 2, PAIRS); }
  static size_t pitch(int channels) { return static_cast<size_t>(pairs(channels)) * PANEL + 16; }
  static size_t size(int channels, int rows, int width) {
    return pitch(channels) * rows * (round_up(width, PANEL) / PANEL);
  }
  uint32_t *at(int row, int panel) const {
    return data + (static_cast<size_t>(row) * per_row + panel) * pitch(channels);
  }
  int filled() const { return (channels + 1) / 2; }
  void blank_rest(int row) const {
    const int empty = pairs(channels) - filled();
    for (int panel = 0; empty && panel < per_row; ++panel)
      std::memset(at(row, panel) + filled() * PANEL, 0, empty * PANEL * sizeof(uint32_t));
  }
};

// Two channels rounded to bf16, in one word each: halves away from zero.
inline void store_pair(uint32_t *to, Vec first, Vec second) {
  Word low, high;
  std::memcpy(&low, &first, sizeof low);
  std::memcpy(&high, &second, sizeof high);
  *reinterpret_cast<Word *>(to) = ((low + 0x8000u) >> 16) | ((high + 0x8000u) & 0xffff0000u);
}

#if FACECODEC_BF16

constexpr int TILE_GROUP = 2 * TILE; // output channels worked on together
constexpr int DOT_GROUP = 12;

#if FACECODEC_AMX
inline Products16 products16() { return tiles_granted() ? TILES : DOTS; }
#else
inline Products16 products16() { return DOTS; }
#endif

// Rows [from, to) of all channels filtered, as `depthwise` does it.
inline void depthwise16(const Lines &in, const float *taps, const float *style, int from, int to,
                        Panels16 out) {
  for (int row = 0; row < to - from; ++row) out.blank_rest(row);
  for (int pair = 0; pair < out.filled(); ++pair) {
    const int c = 2 * pair, d = c + 1 < in.channels ? c + 1 : c;
    Vec w[2][9];
    for (int i = 0; i < 9; ++i) {
      w[0][i] = splat(taps[9 * c + i] * style[c]);
      w[1][i] = splat(d == c ? 0.0f : taps[9 * d + i] * style[d]);
    }
    filter<2, 1>(in, {c, d}, w, from, to, [&](int y, bool both, int x, auto &a, auto &b) {
      const int panel = x / PANEL, at = pair * PANEL + x % PANEL;
      if (both) store_pair(out.at(y - from + 1, panel) + at, b[0][0], b[1][0]);
      store_pair(out.at(y - from, panel) + at, a[0][0], a[1][0]);
    });
  }
}

// The weights of a product, packed in bf16 for tiles or for dots, and its channels.
struct Weights16 {
  const uint32_t *data;
  int in, out;
};

// What follows the product of a convolution: noise and bias are added to M channels of a panel of
// sums, they are activated and put where they go.
template <typename Into> struct Finish {
  const FacecodecConv &conv;
  int padded;
  const Into &into;

  template <int M> void take(const float *sums, int first, int y, int panel) const {
    const float *noise = conv.noise + static_cast<ptrdiff_t>(y) * padded + panel * PANEL;
    const Vec left = load(noise), right = load(noise + LANES);
    const int count = conv.out - first < M ? conv.out - first : M;
    for (int m = 0; m < count; ++m, sums += PANEL) {
      const float bias = conv.bias[first + m];
      const Vec v[2] = {leaky(load(sums) + (left + bias)),
                        leaky(load(sums + LANES) + (right + bias))};
      into.put(first + m, y, panel, v);
    }
  }
  void close_row(int channel, int y) const { into.close_row(channel, y); }
};

// Weights are tiles [group][block of 32 inputs][2][16 outputs][16 pairs], zero where there are
// none.
template <typename Then>
inline void product_tiles(Weights16 given, const Panels16 &panels, int from, int to,
                          const Then &then) {
#if FACECODEC_AMX
  const int blocks = Panels16::pairs(given.in) / Panels16::PAIRS;
  const uint32_t *weights = given.data;
  constexpr int SIZE = TILE * TILE;
  for (int first = 0; first < given.out; first += TILE_GROUP, weights += 2 * SIZE * blocks) {
    for (int y = from; y < to; ++y) {
      for (int panel = 0; panel < panels.per_row; ++panel) {
        const uint32_t *pixels = panels.at(y - from, panel);
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        for (int k = 0; k < blocks; ++k, pixels += Panels16::PAIRS * PANEL) {
          _tile_loadd(4, weights + 2 * k * SIZE, 64);
          _tile_loadd(6, pixels, 4 * PANEL);
          _tile_loadd(7, pixels + TILE, 4 * PANEL);
          _tile_loadd(5, weights + (2 * k + 1) * SIZE, 64);
          _tile_dpbf16ps(0, 4, 6);
          _tile_dpbf16ps(1, 4, 7);
          _tile_dpbf16ps(2, 5, 6);
          _tile_dpbf16ps(3, 5, 7);
        }
        alignas(64) float sums[TILE_GROUP * PANEL];
        _tile_stored(0, sums, 4 * PANEL);
        _tile_stored(1, sums + TILE, 4 * PANEL);
        _tile_stored(2, sums + TILE * PANEL, 4 * PANEL);
        _tile_stored(3, sums + TILE * PANEL + TILE, 4 * PANEL);
        then.template take<TILE_GROUP>(sums, first, y, panel);
      }
      for (int m = first; m < first + TILE_GROUP && m < given.out; ++m) then.close_row(m, y);
    }
  }
#endif
}

// Weights are [group][pair][12 outputs], zero where there are none.
template <typename Then>
inline void product_dots(Weights16 given, const Panels16 &panels, int from, int to,
                         const Then &then) {
  const int pairs = (given.in + 1) / 2;
  const uint32_t *weights = given.data;
  for (int first = 0; first < given.out; first += DOT_GROUP, weights += DOT_GROUP * pairs) {
    for (int y = from; y < to; ++y) {
      for (int panel = 0; panel < panels.per_row; ++panel) {
        const uint32_t *pixels = panels.at(y - from, panel), *weight = weights;
        __m512 sum[DOT_GROUP][2];
#pragma GCC unroll 12
        for (int m = 0; m < DOT_GROUP; ++m) sum[m][0] = sum[m][1] = _mm512_setzero_ps();
        for (int k = 0; k < pairs; ++k, pixels += PANEL, weight += DOT_GROUP) {
          const __m512bh left = (__m512bh)_mm512_loadu_si512(pixels);
          const __m512bh right = (__m512bh)_mm512_loadu_si512(pixels + LANES);
#pragma GCC unroll 12
          for (int m = 0; m < DOT_GROUP; ++m) {
            const __m512bh w = (__m512bh)_mm512_set1_epi32(static_cast<int>(weight[m]));
            sum[m][0] = _mm512_dpbf16_ps(sum[m][0], w, left);
            sum[m][1] = _mm512_dpbf16_ps(sum[m][1], w, right);
          }
        }
        float sums[DOT_GROUP * PANEL];
#pragma GCC unroll 12
        for (int m = 0; m < DOT_GROUP; ++m) {
          _mm512_storeu_ps(sums + m * PANEL, sum[m][0]);
          _mm512_storeu_ps(sums + m * PANEL + LANES, sum[m][1]);
        }
        then.template take<DOT_GROUP>(sums, first, y, panel);
      }
      for (int m = first; m < first + DOT_GROUP && m < given.out; ++m) then.close_row(m, y);
    }
  }
}

template <typename Then>
inline void product16(int kind, Weights16 weights, const Panels16 &panels, int from, int to,
                      const Then &then) {
  if (kind == TILES)
    product_tiles(weights, panels, from, to, then);
  else
    product_dots(weights, panels, from, to, then);
}

template <typename Into>
inline void separable_rows16(const FacecodecConv &conv, int frame, const Lines &in, float *buffer,
                             int from, int to, const Into &into) {
  const Panels16 panels{reinterpret_cast<uint32_t *>(buffer), conv.in,
                        round_up(in.width, PANEL) / PANEL};
  depthwise16(in, conv.depthwise, conv.style + frame * conv.style_stride, from, to, panels);
  const Weights16 weights{static_cast<const uint32_t *>(conv.pointwise), conv.in, conv.out};
  product16(conv.products16, weights, panels, from, to,
            Finish<Into>{conv, round_up(in.width, PANEL), into});
}

#else

inline Products16 products16() { return NONE; }

template <typename Into>
inline void separable_rows16(const FacecodecConv &, int, const Lines &, float *, int, int,
                             const Into &) {}

#endif

} // namespace facecodec
