// What Python hands over, as plain structures; cuda_ops/cuda/library.py mirrors them field by
// field. Every pointer lies on the device; launchers return 0 or CUDA's error number.
#pragma once

#include <cstdint>

extern "C" {

// A modulated separable convolution, and the scaled inverse Haar transform before it.
struct FacecodecSeparable {
  const float *source; // [frames], source_stride apart, of [channels or more][height][width]
  int64_t source_stride;
  const float *gain; // [frames], gain_stride apart, one a channel of the source; null for none
  int64_t gain_stride;
  float gain_factor;
  int32_t haar;           // 1: the source has 4 * in channels of half the height and width
  const float *depthwise; // [in][9]
  const float *pointwise; // [out][in]
  const float *noise;     // [height][width]
  const float *bias;      // [out]
  const float *style;     // [frames], style_stride apart, of [in]
  int64_t style_stride;
  float *result; // [frames][out][height][width]
  int32_t frames, in, out, height, width;
};

// What a head makes; Picture of cuda_ops/operands.py.
enum FacecodecPicture : int32_t {
  FACECODEC_COLOURS = 1, // its three channels are the colours
  FACECODEC_HAAR = 2,    // its twelve bands are transformed to colours of twice the size
  FACECODEC_BYTES = 3,   // the same, as bytes
};

// The 1x1 convolution that ends in a picture.
struct FacecodecHead {
  const float *source; // [frames][in][height][width]
  const float *weight; // [3 or 12][in]
  const float *bias;
  const float *style; // [frames], style_stride apart, of [in]
  int64_t style_stride;
  void *result; // floats [frames][3][...] or bytes [frames][...][3]
  int32_t frames, in, height, width;
  FacecodecPicture kind;
};

// Upsampling with zeros, padding, a separable filter, downsampling; then, where `act` is 1, scale,
// noise, bias, leaky ReLU times the root of 2, and clamp.
struct FacecodecFir {
  const float *source; // [frames][channels][height][width]
  float *result;       // [frames][channels][out_height][out_width]
  int32_t frames, channels, height, width, out_height, out_width;
  int32_t up, down, pad, count;
  float taps[32]; // of one axis, convolved
  int32_t act;
  const float *scale; // [frames][channels]; null for none
  const float *noise; // [out_height][out_width]; null for none
  const float *bias;  // [channels]
  float clamp;        // below zero: none
};

int facecodec_separable(const FacecodecSeparable *job, void *stream);
int facecodec_head(const FacecodecHead *job, void *stream);
int facecodec_fir(const FacecodecFir *job, void *stream);
int facecodec_size(int which);
const char *facecodec_error(int number);
}
