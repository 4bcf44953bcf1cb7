// The backward pass of gain and inverse Haar transform alone.
#include <cstddef>

#include "abi.h"

namespace facecodec {
namespace {

void haar_channel(const FacecodecHaarBackward &job, ptrdiff_t frame, int c) {
  const int width = job.width, channels = job.channels;
  const ptrdiff_t plane = static_cast<ptrdiff_t>(job.height) * width;
  const float *gradient = job.gradient + (frame * channels + c) * 4 * plane;
  ptrdiff_t at[4], channel[4];
  float gain[4], sum[4] = {};
  for (int i = 0; i < 4; ++i) {
    channel[i] = i == 0 ? c : channels + 3 * c + i - 1;
    at[i] = (frame * 4 * channels + channel[i]) * plane;
    gain[i] = job.gain[frame * job.gain_stride + channel[i]];
  }
  for (int y = 0; y < job.height; ++y) {
    const float *top = gradient + static_cast<ptrdiff_t>(4) * y * width, *bottom = top + 2 * width;
    const ptrdiff_t row = static_cast<ptrdiff_t>(y) * width;
    const float *x0 = job.source + at[0] + row, *x1 = job.source + at[1] + row;
    const float *x2 = job.source + at[2] + row, *x3 = job.source + at[3] + row;
    float *g0 = job.source_gradient + at[0] + row, *g1 = job.source_gradient + at[1] + row;
    float *g2 = job.source_gradient + at[2] + row, *g3 = job.source_gradient + at[3] + row;
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (int j = 0; j < width; ++j) {
      const float a = top[2 * j], b = top[2 * j + 1], d = bottom[2 * j], e = bottom[2 * j + 1];
      const float ll = 0.5f * (a + b + d + e), lh = 0.5f * (a + b - d - e);
      const float hl = 0.5f * (a - b + d - e), hh = 0.5f * (a - b - d + e);
      s0 += ll * x0[j];
      s1 += lh * x1[j];
      s2 += hl * x2[j];
      s3 += hh * x3[j];
      g0[j] = ll * gain[0];
      g1[j] = lh * gain[1];
      g2[j] = hl * gain[2];
      g3[j] = hh * gain[3];
    }
    sum[0] += s0;
    sum[1] += s1;
    sum[2] += s2;
    sum[3] += s3;
  }
  for (int i = 0; i < 4; ++i) job.gain_gradient[frame * 4 * channels + channel[i]] = sum[i];
}

} // namespace
} // namespace facecodec

extern "C" int facecodec_haar_backward(const FacecodecHaarBackward *given) {
  const FacecodecHaarBackward job = *given;
#pragma omp parallel for num_threads(job.threads)
  for (int item = 0; item < job.frames * job.channels; ++item)
    facecodec::haar_channel(job, item / job.channels, item % job.channels);
  return 0;
}
