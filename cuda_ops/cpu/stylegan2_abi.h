// What Python hands over for StyleGAN2; cuda_ops/cpu/abi.py mirrors it field by field.
// Maps are channels-last, [frames][height][width][channels], with channels a multiple of LANES.
#pragma once

#include <cstdint>

extern "C" {

// What follows a convolution: scale, noise, bias, leaky ReLU times the root of 2, clamp.
struct FacecodecFinish {
  const float *scale; // [frames][channels]; null for none
  const float *noise; // [height][width]; null for none
  const float *bias;  // [channels]
  float clamp;        // below zero: none
};

// What a map is cut into: the side of a tile in pixels, or AMX tiles; Tile of modulated.py.
enum FacecodecTile : int32_t {
  FACECODEC_TILES_AMX = 0,
  FACECODEC_TILES_UP = 3,
  FACECODEC_TILES_SAME = 4,
  FACECODEC_TILES_SAME6 = 6,
};

// A 3x3 convolution, its input scaled by styles: by fewer products (toom.h), or by AMX tiles
// (direct.h).
struct FacecodecModulated {
  const float *source; // [frames][height][width][in]
  const float *style;  // [frames][in]
  const void *weights; // [out / PANEL][kinds of products][in][PANEL], bf16: [in / 2][PANEL][2]; or
                       // direct.h's
  float *result;       // [frames][height][width][out], or with `up` [2 height][2 width]
  int32_t frames, in, out, height, width;
  int32_t up; // 1: the transposed convolution of stride 2, and the filter of FacecodecSmooth
  FacecodecTile tile;
  int32_t bf16; // 1: tiles and weights are multiplied in bf16, where the processor does that
  FacecodecFinish finish;
  int32_t threads;
};

// The filter [1, 3, 3, 1] / 4 on both axes, without padding, and what follows; or that alone.
struct FacecodecSmooth {
  const float *source; // [frames][height (+ 1)][width (+ 1)][channels]
  float *result;       // [frames][height][width][channels]
  int32_t frames, channels, height, width;
  int32_t filter; // 0: no filter, the source is of the result's size
  FacecodecFinish finish;
  int32_t threads;
};

// A 1x1 convolution to colours, and a coarser picture doubled and added.
struct FacecodecColours {
  const float *source; // [frames][height][width][channels]
  const float *weight; // [frames][3][channels], style folded in
  const float *bias;   // [3]
  const float *coarse; // [frames][3][height / 2][width / 2]; null for none
  float *result;       // [frames][3][height][width]
  int32_t frames, channels, height, width;
  float clamp; // below zero: none
  int32_t threads;
};

// Upsampling with zeros, padding, a separable filter, downsampling, of planes [height][width].
struct FacecodecFir {
  const float *source;
  float *result; // [planes][out_height][out_width]
  int32_t planes, height, width, out_height, out_width, up, down, pad, count;
  const float *taps; // [count], convolved
  int32_t threads;
};

int facecodec_modulated(const FacecodecModulated *job);
int facecodec_smooth(const FacecodecSmooth *job);
int facecodec_colours(const FacecodecColours *job);
int facecodec_fir(const FacecodecFir *job);
}
