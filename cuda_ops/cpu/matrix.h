// Rows times packed columns, kept in registers: in floats, or in bf16 with sums in floats.
#pragma once

#include <cstdint>
#include <cstring>

#include "bf16.h"
#include "vec.h"

namespace facecodec {

// How products are made: what transformed tiles and weights are held as, and M rows of a product,
// to[m] = sum over k of rows[m * pitch + k] * columns[k][PANEL].
struct InFloats {
  typedef float Number;
  static void put(Number *to, Vec v) { store(to, v); }
  template <int M>
  static inline __attribute__((always_inline)) void
  rows(const Number *__restrict rows, ptrdiff_t pitch, const Number *__restrict columns, int depth,
       float *__restrict to) {
    Vec acc[M][2];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) acc[m][0] = acc[m][1] = Vec{};
    for (int k = 0; k < depth; ++k, columns += PANEL) {
      const Vec left = load(columns), right = load(columns + LANES);
#pragma GCC unroll 16
      for (int m = 0; m < M; ++m) {
        const Vec value = splat(rows[m * pitch + k]);
        acc[m][0] += value * left;
        acc[m][1] += value * right;
      }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      store(to + m * PANEL, acc[m][0]);
      store(to + m * PANEL + LANES, acc[m][1]);
    }
  }
};

#if FACECODEC_BF16
// Channels 2k and 2k + 1 are one word; columns are [k / 2][PANEL] of such words.
struct InBf16 {
  typedef uint16_t Number;
  static void put(Number *to, Vec v) {
    const __m256bh rounded = _mm512_cvtneps_pbh((__m512)v);
    std::memcpy(to, &rounded, sizeof rounded);
  }
  template <int M>
  static inline __attribute__((always_inline)) void
  rows(const Number *__restrict rows, ptrdiff_t pitch, const Number *__restrict columns, int depth,
       float *__restrict to) {
    __m512 acc[M][2];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) acc[m][0] = acc[m][1] = _mm512_setzero_ps();
    for (int k = 0; k < depth; k += 2, columns += 2 * PANEL) {
      const __m512bh left = (__m512bh)_mm512_loadu_si512(columns);
      const __m512bh right = (__m512bh)_mm512_loadu_si512(columns + PANEL);
#pragma GCC unroll 16
      for (int m = 0; m < M; ++m) {
        int pair;
        std::memcpy(&pair, rows + m * pitch + k, sizeof pair);
        const __m512bh value = (__m512bh)_mm512_set1_epi32(pair);
        acc[m][0] = _mm512_dpbf16_ps(acc[m][0], value, left);
        acc[m][1] = _mm512_dpbf16_ps(acc[m][1], value, right);
      }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      _mm512_storeu_ps(to + m * PANEL, acc[m][0]);
      _mm512_storeu_ps(to + m * PANEL + LANES, acc[m][1]);
    }
  }
};
#endif

// to[count][PANEL] = rows[count] x columns.
template <class P>
inline void matrix_product(const typename P::Number *rows, ptrdiff_t pitch, int count,
                           const typename P::Number *columns, int depth, float *to) {
  for (; count >= GROUP; count -= GROUP, rows += GROUP * pitch, to += GROUP * PANEL)
    P::template rows<GROUP>(rows, pitch, columns, depth, to);
#if FACECODEC_LANES == 16
  if (count >= 6) {
    P::template rows<6>(rows, pitch, columns, depth, to);
    count -= 6;
    rows += 6 * pitch;
    to += 6 * PANEL;
  }
#endif
  switch (count) {
  case 1: P::template rows<1>(rows, pitch, columns, depth, to); break;
  case 2: P::template rows<2>(rows, pitch, columns, depth, to); break;
  case 3: P::template rows<3>(rows, pitch, columns, depth, to); break;
  case 4: P::template rows<4>(rows, pitch, columns, depth, to); break;
  case 5: P::template rows<5>(rows, pitch, columns, depth, to); break;
  }
}

} // namespace facecodec
