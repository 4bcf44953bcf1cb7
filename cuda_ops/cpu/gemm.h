// The product of packed weights and a panel of pixels, kept in registers.
#pragma once

#include "vec.h"

namespace facecodec {

// With 16 registers the sums take all: a constant that the compiler keeps in one across the loop
// would push a sum out to memory, which halves the speed. A call keeps them apart.
#if FACECODEC_LANES == 16
#define FACECODEC_PRODUCT inline __attribute__((always_inline))
#else
#define FACECODEC_PRODUCT __attribute__((noinline))
#endif

// acc[m][v] = sum over k of weights[k * step + m] * pixels[k][v]: M channels, PANEL pixels.
template <int M>
FACECODEC_PRODUCT void product(const float *__restrict weights, int step,
                               const float *__restrict pixels, int depth, Vec (&result)[M][2]) {
  Vec acc[M][2];
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) acc[m][0] = acc[m][1] = Vec{};
  for (int k = 0; k < depth; ++k, weights += step, pixels += PANEL) {
    const Vec left = load(pixels), right = load(pixels + LANES);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      const Vec weight = splat(weights[m]);
      acc[m][0] += weight * left;
      acc[m][1] += weight * right;
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    result[m][0] = acc[m][0];
    result[m][1] = acc[m][1];
  }
}

// Call visit<M>(first, weights, step) for every group of the first `wanted` of `packed` output
// channels. Weights are packed by groups of GROUP channels, [depth][GROUP], the last one narrower.
template <typename Visit>
inline void for_groups(const float *weights, int packed, int wanted, int depth, Visit visit) {
  for (int first = 0; first < wanted; first += GROUP) {
    const float *group = weights + static_cast<ptrdiff_t>(first) * depth;
    const int step = packed - first < GROUP ? packed - first : GROUP;
    switch (wanted - first < step ? wanted - first : step) {
    case 1: visit.template operator()<1>(first, group, step); break;
    case 2: visit.template operator()<2>(first, group, step); break;
    case 3: visit.template operator()<3>(first, group, step); break;
    case 4: visit.template operator()<4>(first, group, step); break;
    case 5: visit.template operator()<5>(first, group, step); break;
#if FACECODEC_LANES == 16
    case 6: visit.template operator()<6>(first, group, step); break;
    case 7: visit.template operator()<7>(first, group, step); break;
    case 8: visit.template operator()<8>(first, group, step); break;
    case 9: visit.template operator()<9>(first, group, step); break;
    case 10: visit.template operator()<10>(first, group, step); break;
    case 11: visit.template operator()<11>(first, group, step); break;
#endif
    default: visit.template operator()<GROUP>(first, group, step);
    }
  }
}

} // namespace facecodec
