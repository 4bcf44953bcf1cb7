// What Python hands over for sizes of pictures and their differences; cuda_ops/cpu/abi.py mirrors
// it.
#pragma once

#include <cstdint>

extern "C" {

enum FacecodecDifferenceKind : int32_t {
  FACECODEC_SIZE = 0,         // mean of absolute values over the channels -> result, a channel
  FACECODEC_SIZE_TURNED = 1,  // its gradient, from that of the result, which is in `weights`
  FACECODEC_APART = 2,        // absolute differences, weighted and summed -> sums
  FACECODEC_APART_TURNED = 3, // its gradient, `scale` that of the sum
};

// Frames of some channels, each of so many pixels; an item is `facecodec_difference_run()` of them.
struct FacecodecDifference {
  const float *pictures; // [frames][channels][pixels]
  const float *targets;  // the same
  const float *weights;  // [frames][pixels]
  float *result;         // [frames][channels][pixels], of SIZE [frames][pixels]
  double *sums;          // [frames][items a frame]
  FacecodecDifferenceKind kind;
  float scale;
  int32_t frames, channels, pixels, threads;
};

int facecodec_difference_run();
int facecodec_difference(const FacecodecDifference *job);
}
