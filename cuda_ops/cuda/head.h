// The end of MobileStyleGAN: a 1x1 convolution to colours or to their Haar bands, the inverse
// transform, bytes. A thread makes all that comes of one pixel.
#pragma once

#include "abi.h"
#include "launch.h"

namespace facecodec {

// -1..1 to 0..255, rounded to even and clamped.
FACECODEC_BODY unsigned char level(float v) {
  const float shift = 8388608.0f; // 2^23: the sum is a whole number
  return static_cast<unsigned char>(between(0.0f, v * 127.5f + 127.5f, 255.0f) + shift - shift);
}

template <FacecodecPicture KIND> struct PictureHead {
  static constexpr int COLOURS = 3, BANDS = KIND == FACECODEC_COLOURS ? 3 : 12, DEPTH = 64,
                       THREADS = 128;
  static constexpr int SHARED = BANDS * DEPTH;

  struct State {
    float sum[BANDS];
  };

  FacecodecHead job;

  FACECODEC_BODY int phases() const { return 2 * parts(job.in, DEPTH); }

  FACECODEC_BODY void phase(int p, const Place &at, State &state, float *shared) const {
    const int first = p / 2 * DEPTH, count = smaller(DEPTH, job.in - first);
    if (p % 2 == 0) {
      const float *style = job.style + at.z * job.style_stride + first;
      for (int i = at.thread; i < BANDS * count; i += THREADS) {
        const int band = i / count, k = i % count;
        shared[k * BANDS + band] = job.weight[band * job.in + first + k] * style[k];
      }
      return;
    }
    const int64_t plane = static_cast<int64_t>(job.height) * job.width;
    const int64_t pixel = static_cast<int64_t>(at.x) * THREADS + at.thread;
    if (pixel >= plane) return;
    const float *map = job.source + (static_cast<int64_t>(at.z) * job.in + first) * plane + pixel;
    for (int k = 0; k < count; ++k) {
      const float v = map[k * plane];
      FACECODEC_UNROLL
      for (int band = 0; band < BANDS; ++band) state.sum[band] += shared[k * BANDS + band] * v;
    }
    if (first + count == job.in) store(at.z, pixel, state);
  }

private:
  FACECODEC_BODY void store(int frame, int64_t pixel, const State &state) const {
    const int y = static_cast<int>(pixel / job.width), x = static_cast<int>(pixel % job.width);
    for (int c = 0; c < COLOURS; ++c) {
      if constexpr (KIND == FACECODEC_COLOURS)
        put(frame, c, y, x, job.height, job.width, state.sum[c] + job.bias[c]);
      else
        store_square(frame, c, y, x, state);
    }
  }

  // The 2x2 pixels of one colour.
  FACECODEC_BODY void store_square(int frame, int c, int y, int x, const State &state) const {
    const int height = 2 * job.height, width = 2 * job.width;
    float band[4];
    FACECODEC_UNROLL
    for (int b = 0; b < 4; ++b) {
      const int from = b == 0 ? c : COLOURS + 3 * c + b - 1;
      band[b] = 0.5f * (state.sum[from] + job.bias[from]);
    }
    FACECODEC_UNROLL
    for (int corner = 0; corner < 4; ++corner) {
      const int a = corner / 2, b = corner % 2;
      const float low = a ? band[0] - band[1] : band[0] + band[1];
      const float side = a ? band[2] - band[3] : band[2] + band[3];
      put(frame, c, 2 * y + a, 2 * x + b, height, width, b ? low - side : low + side);
    }
  }

  FACECODEC_BODY void put(int frame, int c, int y, int x, int height, int width, float v) const {
    if (KIND == FACECODEC_BYTES) {
      const int64_t at = (static_cast<int64_t>(frame) * height + y) * width + x;
      static_cast<unsigned char *>(job.result)[COLOURS * at + c] = level(v);
    } else {
      const int64_t row = (static_cast<int64_t>(frame) * COLOURS + c) * height + y;
      static_cast<float *>(job.result)[row * width + x] = v;
    }
  }
};

} // namespace facecodec
