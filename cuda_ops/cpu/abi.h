// What Python hands over, as plain structures; cuda_ops/cpu/abi.py mirrors them field by field.
#pragma once

#include <cstdint>

extern "C" {

// What a block ends in; Picture of cuda_ops/operands.py.
enum FacecodecPicture : int32_t {
  FACECODEC_NO_PICTURE = 0,
  FACECODEC_COLOURS = 1, // the last 1x1 convolution's channels are the colours
  FACECODEC_HAAR = 2,    // its twelve bands are transformed to colours of twice the size
  FACECODEC_BYTES = 3,   // the same, as bytes
};

// One separable convolution: weights and noise packed by cuda_ops/cpu/packing.py, the rows of noise
// padded to a multiple of PANEL.
struct FacecodecConv {
  const float *depthwise; // [in][9]
  const void *pointwise;  // packed: floats as in gemm.h, or bf16 as in bf16.h
  const float *noise;     // [height][round_up(width, PANEL)]
  const float *bias;      // [out]
  const float *style;     // [frames], style_stride floats apart, of [in]
  int64_t style_stride;
  int32_t in, out;    // `out` may be fewer than there are
  int32_t packed;     // output channels that there are
  int32_t products16; // 0: in float32; else Products16 of bf16.h
};

// A block: source, up to two separable convolutions, and a head that ends in a picture.
struct FacecodecBlock {
  const float *source; // [frames], source_stride apart, of [channels][height][width] of the source
  int64_t source_stride;
  const float *gain; // [frames], gain_stride apart, of [channels]; null for none
  int64_t gain_stride;
  float gain_factor;
  int32_t haar;                            // 1: an inverse Haar transform doubles the source
  int32_t frames, channels, height, width; // channels, height and width after the transform
  int32_t convs;
  FacecodecConv conv[2];
  FacecodecPicture head;
  const float *head_weight; // [3 or 12][out], not packed
  const float *head_bias;
  const float *head_style; // [frames], head_stride apart, of [out]
  int64_t head_stride;
  void *result; // floats [frames][out or 3][height][width], or bytes [frames][height][width][3]
  int32_t threads;
};

// The backward pass of a separable convolution; maps are [frames][channels][height][width].
struct FacecodecBackward {
  const float *gradient, *output; // of and from the activation, [out]
  const float *input;             // [in]
  const float *depthwise;         // [in][9]
  const void *pointwise;          // transposed, packed as a convolution's
  const float *style;             // [frames], style_stride apart, of [in]
  int64_t style_stride;
  float *input_gradient; // [in]
  float *style_gradient; // [frames][bands][in], to be summed over the bands
  int32_t frames, in, out, height, width, bands, threads;
  int32_t products16; // 0: in float32; else Products16 of bf16.h
};

// The backward pass of gain and inverse Haar transform.
struct FacecodecHaarBackward {
  const float *gradient; // [frames][channels][2 height][2 width]
  const float *source;   // [frames][4 channels][height][width]
  const float *gain;     // [frames], gain_stride apart, of [4 channels]
  int64_t gain_stride;
  float *source_gradient; // as the source
  float *gain_gradient;   // [frames][4 channels]
  int32_t frames, channels, height, width, threads;
};

// Jobs return 0, or 1 when a thread found no memory.
int facecodec_lanes();
int facecodec_products16();
int facecodec_size(int which);
int facecodec_block(const FacecodecBlock *block);
int facecodec_backward(const FacecodecBackward *job);
int facecodec_haar_backward(const FacecodecHaarBackward *job);
}
