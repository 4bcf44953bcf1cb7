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

// How maps lie in memory, see maps.h.
enum FacecodecLayout : int32_t {
  FACECODEC_PLANAR = 0,   // floats, [channels][height][width]
  FACECODEC_PANELS = 1,   // floats, [height][panels of a row][channels][PANEL]
  FACECODEC_PANELS16 = 2, // the same in bf16
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
  const void *source; // [frames], source_stride numbers apart, of the source's map
  int64_t source_stride;
  int32_t source_channels; // that it has; not all need to be read
  const float *gain;       // [frames], gain_stride apart, of [channels]; null for none
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
  void *result; // [frames] of a map, of floats [3][height][width] or of bytes [height][width][3]
  // [frames] of the maps that the convolutions make, for the backward pass; null where nobody asks,
  // and where the map is the result.
  void *kept[2];
  FacecodecLayout layout; // of the source, of kept maps and of a result that is a map
  int32_t threads;
};

// The backward pass of a convolution of a block. Maps are in panels, of bf16 where products are;
// sums are to be added up over the bands.
struct FacecodecBackConv {
  const float *depthwise; // [in][9]
  const void *pointwise;  // transposed, packed as a convolution's
  const void *kept;       // [frames] of the maps that the convolution made
  const float *style;     // [frames], style_stride apart, of [in]
  int64_t style_stride;
  float *style_gradient; // [frames][bands][in]
  int32_t in, out;
};

// The backward pass of a block of one or two convolutions, from the gradient of its result, a map
// or a picture, to those of its source and of all that scales channels.
struct FacecodecBackward {
  const void *gradient; // to the result: [frames] of a map, or of floats [3][height][width]
  const void *source;   // as that of the block, as are the next six
  int64_t source_stride;
  int32_t source_channels;
  const float *gain;
  int64_t gain_stride;
  float gain_factor;
  int32_t haar, frames, channels, height, width;
  int32_t convs;
  FacecodecBackConv conv[2];
  FacecodecPicture head; // no bytes
  const float *head_weight;
  const float *head_style;
  int64_t head_stride;
  float *head_gradient;  // to the head's style, [frames][bands][out]
  float *gain_gradient;  // [frames][bands][channels read]; null where there is no gain
  void *source_gradient; // [frames] of maps like the source's, of the channels read
  int32_t bands, threads;
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
