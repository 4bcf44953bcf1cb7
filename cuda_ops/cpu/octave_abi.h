// What Python hands over for octaves of pictures; cuda_ops/cpu/abi.py mirrors it.
#pragma once

#include <cstdint>

extern "C" {

enum FacecodecOctaveKind : int32_t {
  FACECODEC_HALVED = 0,        // large -> small
  FACECODEC_HALVED_TURNED = 1, // its gradient, small -> large
  FACECODEC_FINER = 2,         // large less the small one doubled -> large
  FACECODEC_FINER_TURNED = 3,  // its gradient to the small one, large -> small
};

// Planes of height x width pixels, both even, and of half as many.
struct FacecodecOctave {
  const float *large; // [planes][height][width]
  const float *small; // [planes][height / 2][width / 2]
  float *result;
  FacecodecOctaveKind kind;
  int32_t planes, height, width, threads;
};

int facecodec_octave(const FacecodecOctave *job);
}
