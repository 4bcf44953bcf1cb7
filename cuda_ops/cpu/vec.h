// The machine's float vector, in GCC's portable vector extension: AVX-512, AVX2 or 128 bits.
#pragma once

#include <cstddef>

#if defined(__AVX512F__)
#define FACECODEC_LANES 16
#elif defined(__AVX__)
#define FACECODEC_LANES 8
#else
#define FACECODEC_LANES 4
#endif

namespace facecodec {

constexpr int LANES = FACECODEC_LANES;
constexpr int PANEL = 2 * LANES;            // pixels of one register tile
constexpr int GROUP = LANES == 16 ? 12 : 6; // output channels of one register tile

// Aligned like a float, so that every load and store may be unaligned.
typedef float Vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int IntVec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

inline Vec load(const float *p) { return *reinterpret_cast<const Vec *>(p); }
inline void store(float *p, Vec v) { *reinterpret_cast<Vec *>(p) = v; }
inline Vec splat(float value) { return value - Vec{}; }
inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }
inline Vec smaller(Vec a, Vec b) { return a < b ? a : b; }
inline Vec leaky(Vec v) { return larger(v, 0.2f * v); }

// Lanes of a and b in turn, a0 b0 a1 b1 ...: the first and the second half of them.
inline Vec interleave_low(Vec a, Vec b) {
#if FACECODEC_LANES == 16
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif FACECODEC_LANES == 8
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}
inline Vec interleave_high(Vec a, Vec b) {
#if FACECODEC_LANES == 16
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
#elif FACECODEC_LANES == 8
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

// The even and the odd numbers of a and b, which follow each other.
inline Vec even_lanes(Vec a, Vec b) {
#if FACECODEC_LANES == 16
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif FACECODEC_LANES == 8
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#else
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#endif
}
inline Vec odd_lanes(Vec a, Vec b) {
#if FACECODEC_LANES == 16
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif FACECODEC_LANES == 8
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
  return __builtin_shufflevector(a, b, 1, 3, 5, 7);
#endif
}

constexpr int round_up(int value, int step) { return (value + step - 1) / step * step; }

} // namespace facecodec
