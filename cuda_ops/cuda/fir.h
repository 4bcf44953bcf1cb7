// StyleGAN2's passes around its dense products: upsampling, filter and downsampling with what
// follows a convolution (scale, noise, bias, leaky ReLU, clamp) in one pass. A thread makes one
// pixel; zeros that upsampling would put between pixels are never read.
#pragma once

#include "abi.h"
#include "launch.h"

namespace facecodec {

struct Fir {
  static constexpr int THREADS = 256, SHARED = 1;
  struct State {};

  FacecodecFir job;

  FACECODEC_BODY int phases() const { return 1; }

  FACECODEC_BODY void phase(int, const Place &at, State &, float *) const {
    const int64_t pixels = static_cast<int64_t>(job.out_height) * job.out_width;
    const int tiles = static_cast<int>((pixels + THREADS - 1) / THREADS);
    const int plane = at.x / tiles;
    const int64_t pixel = static_cast<int64_t>(at.x % tiles) * THREADS + at.thread;
    if (pixel >= pixels) return;
    const int y = static_cast<int>(pixel / job.out_width);
    const int x = static_cast<int>(pixel % job.out_width);
    float v = filtered(plane, y, x);
    if (job.act) v = activated(v, plane, pixel);
    job.result[plane * pixels + pixel] = v;
  }

private:
  // The first tap of an output pixel that meets a pixel and no zero between two.
  FACECODEC_BODY int first_tap(int out) const {
    const int at = (out * job.down - job.pad) % job.up;
    return at == 0 ? 0 : at > 0 ? job.up - at : -at;
  }

  FACECODEC_BODY float filtered(int plane, int y, int x) const {
    const float *map = job.source + static_cast<int64_t>(plane) * job.height * job.width;
    float sum = 0.0f;
    for (int i = first_tap(y); i < job.count; i += job.up) {
      const int row = (y * job.down + i - job.pad) / job.up;
      if (row < 0 || row >= job.height) continue;
      float line = 0.0f;
      for (int j = first_tap(x); j < job.count; j += job.up) {
        const int column = (x * job.down + j - job.pad) / job.up;
        if (column < 0 || column >= job.width) continue;
        line += job.taps[job.count - 1 - j] * map[static_cast<int64_t>(row) * job.width + column];
      }
      sum += job.taps[job.count - 1 - i] * line;
    }
    return sum;
  }

  FACECODEC_BODY float activated(float v, int plane, int64_t pixel) const {
    const float gain = 1.41421356237309515f;
    if (job.scale) v *= job.scale[plane];
    v += job.bias[plane % job.channels];
    if (job.noise) v += job.noise[pixel];
    v = leaky(v) * gain;
    return job.clamp < 0.0f ? v : between(-job.clamp, v, job.clamp);
  }
};

} // namespace facecodec
