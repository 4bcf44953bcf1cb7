// A modulated separable convolution in one pass: style gain and inverse Haar transform where the
// source has them, depthwise 3x3, product, noise, bias, leaky ReLU.
//
// A block makes ROWS x COLUMNS pixels of OUTPUTS channels. Input channels come DEPTH at a time:
// their pixels are loaded with a halo, filtered, and multiplied while the next ones load.
#pragma once

#include "abi.h"
#include "launch.h"

namespace facecodec {

struct alignas(16) Four {
  float v[4];
};

template <int HAAR> struct Separable {
  static constexpr int ROWS = 8, COLUMNS = 16, PIXELS = ROWS * COLUMNS, OUTPUTS = 64, DEPTH = 16;
  static constexpr int THREADS = 128;
  // Pitches in floats, chosen so that the threads of a warp read from different banks.
  static constexpr int WIDE = COLUMNS + 2, PLANE = 184, FILTERED = 136, WEIGHTS = OUTPUTS + 4;
  static constexpr int SOURCE_AT = 0, FILTERED_AT = DEPTH * PLANE;
  static constexpr int WEIGHTS_AT = FILTERED_AT + DEPTH * FILTERED;
  static constexpr int TAPS_AT = WEIGHTS_AT + 2 * DEPTH * WEIGHTS;
  static constexpr int SHARED = TAPS_AT + 9 * DEPTH;
  static_assert(PLANE >= (ROWS + 2) * WIDE && PLANE % 4 == 0 && FILTERED % 4 == 0, "");

  struct State {
    float sum[8][8]; // channels, pixels
  };

  FacecodecSeparable job;

  FACECODEC_BODY int phases() const { return 2 * parts(job.in, DEPTH) + 1; }

  // load 0 | filter 0 | multiply 0, load 1 | filter 1 | multiply 1, load 2 | ... | multiply, store
  FACECODEC_BODY void phase(int p, const Place &at, State &state, float *shared) const {
    const int chunk = p / 2;
    if (p % 2) {
      filter(at.thread, shared);
      return;
    }
    if (p) multiply(chunk - 1, at.thread, state, shared);
    if (chunk * DEPTH < job.in)
      load(chunk, at, shared);
    else
      store(at, state);
  }

private:
  FACECODEC_BODY int top(const Place &at) const { return at.x / parts(job.width, COLUMNS) * ROWS; }
  FACECODEC_BODY int left(const Place &at) const {
    return at.x % parts(job.width, COLUMNS) * COLUMNS;
  }

  FACECODEC_BODY void load(int chunk, const Place &at, float *shared) const {
    const float *map = job.source + at.z * job.source_stride;
    const float *gain = job.gain ? job.gain + at.z * job.gain_stride : nullptr;
    const int first = chunk * DEPTH;
    if constexpr (HAAR)
      load_haar(map, gain, first, at, shared + SOURCE_AT);
    else
      load_map(map, gain, first, at, shared + SOURCE_AT);
    const float *style = job.style + at.z * job.style_stride;
    for (int i = at.thread; i < 9 * DEPTH; i += THREADS) {
      const int c = first + i / 9;
      shared[TAPS_AT + i] = c < job.in ? job.depthwise[9 * first + i] * style[c] : 0.0f;
    }
    float *weights = shared + WEIGHTS_AT + chunk % 2 * DEPTH * WEIGHTS;
    for (int i = at.thread; i < DEPTH * OUTPUTS; i += THREADS) {
      const int k = i % DEPTH, out = at.y * OUTPUTS + i / DEPTH;
      const bool inside = first + k < job.in && out < job.out;
      weights[k * WEIGHTS + i / DEPTH] =
          inside ? job.pointwise[static_cast<int64_t>(out) * job.in + first + k] : 0.0f;
    }
  }

  FACECODEC_BODY void load_map(const float *map, const float *gain, int first, const Place &at,
                               float *source) const {
    constexpr int COUNT = (ROWS + 2) * WIDE;
    const int64_t plane = static_cast<int64_t>(job.height) * job.width;
    for (int i = at.thread; i < DEPTH * COUNT; i += THREADS) {
      const int k = i / COUNT, c = first + k, row = i % COUNT / WIDE, column = i % WIDE;
      const int y = top(at) + row - 1, x = left(at) + column - 1;
      float v = 0.0f;
      if (c < job.in && y >= 0 && y < job.height && x >= 0 && x < job.width)
        v = map[c * plane + static_cast<int64_t>(y) * job.width + x] * (gain ? gain[c] : 1.0f) *
            job.gain_factor;
      source[k * PLANE + row * WIDE + column] = v;
    }
  }

  // Squares of 2x2 pixels that come of one pixel of the four bands; those at the tile's edge are
  // half outside it.
  FACECODEC_BODY void load_haar(const float *map, const float *gain, int first, const Place &at,
                                float *source) const {
    constexpr int DOWN = ROWS / 2 + 2, ACROSS = COLUMNS / 2 + 2, COUNT = DOWN * ACROSS;
    const int height = job.height / 2, width = job.width / 2;
    const int64_t plane = static_cast<int64_t>(height) * width;
    for (int i = at.thread; i < DEPTH * COUNT; i += THREADS) {
      const int k = i / COUNT, c = first + k, down = i % COUNT / ACROSS, across = i % ACROSS;
      const int y = top(at) / 2 + down - 1, x = left(at) / 2 + across - 1;
      float band[4] = {};
      if (c < job.in && y >= 0 && y < height && x >= 0 && x < width) {
        FACECODEC_UNROLL
        for (int b = 0; b < 4; ++b) {
          const int channel = b == 0 ? c : job.in + 3 * c + b - 1;
          band[b] = map[channel * plane + static_cast<int64_t>(y) * width + x] *
                    (gain ? gain[channel] : 1.0f) * (0.5f * job.gain_factor);
        }
      }
      FACECODEC_UNROLL
      for (int corner = 0; corner < 4; ++corner) {
        const int a = corner / 2, b = corner % 2;
        const int row = 2 * down + a - 1, column = 2 * across + b - 1;
        if (row < 0 || row >= ROWS + 2 || column < 0 || column >= WIDE) continue;
        const float low = a ? band[0] - band[1] : band[0] + band[1];
        const float side = a ? band[2] - band[3] : band[2] + band[3];
        source[k * PLANE + row * WIDE + column] = b ? low - side : low + side;
      }
    }
  }

  // A thread goes down one column of two channels.
  FACECODEC_BODY void filter(int thread, float *shared) const {
    const int column = thread % COLUMNS, group = thread / COLUMNS;
    for (int k = 2 * group; k < 2 * group + 2; ++k) {
      const float *taps = shared + TAPS_AT + 9 * k;
      const float *in = shared + SOURCE_AT + k * PLANE + column;
      float *out = shared + FILTERED_AT + k * FILTERED + column;
      float w[9], row[3][3];
      FACECODEC_UNROLL
      for (int i = 0; i < 9; ++i) w[i] = taps[i];
      FACECODEC_UNROLL
      for (int y = 0; y < ROWS + 2; ++y) {
        FACECODEC_UNROLL
        for (int x = 0; x < 3; ++x) row[y % 3][x] = in[y * WIDE + x];
        if (y < 2) continue;
        float sum = 0.0f;
        FACECODEC_UNROLL
        for (int i = 0; i < 9; ++i) sum += w[i] * row[(y - 2 + i / 3) % 3][i % 3];
        out[(y - 2) * COLUMNS] = sum;
      }
    }
  }

  // A thread makes 8 channels of 8 pixels: four beside each other, and four half a tile below.
  FACECODEC_BODY void multiply(int chunk, int thread, State &state, const float *shared) const {
    const float *pixels = shared + FILTERED_AT + 4 * (thread % 16);
    const float *weights = shared + WEIGHTS_AT + chunk % 2 * DEPTH * WEIGHTS + 8 * (thread / 16);
    FACECODEC_UNROLL
    for (int k = 0; k < DEPTH; ++k, pixels += FILTERED, weights += WEIGHTS) {
      const Four a = *reinterpret_cast<const Four *>(pixels);
      const Four b = *reinterpret_cast<const Four *>(pixels + PIXELS / 2);
      const Four v = *reinterpret_cast<const Four *>(weights);
      const Four w = *reinterpret_cast<const Four *>(weights + 4);
      FACECODEC_UNROLL
      for (int m = 0; m < 8; ++m) {
        const float weight = m < 4 ? v.v[m % 4] : w.v[m % 4];
        FACECODEC_UNROLL
        for (int i = 0; i < 4; ++i) {
          state.sum[m][i] += weight * a.v[i];
          state.sum[m][4 + i] += weight * b.v[i];
        }
      }
    }
  }

  FACECODEC_BODY void store(const Place &at, const State &state) const {
    const int64_t plane = static_cast<int64_t>(job.height) * job.width;
    FACECODEC_UNROLL
    for (int m = 0; m < 8; ++m) {
      const int out = at.y * OUTPUTS + 8 * (at.thread / 16) + m;
      if (out >= job.out) continue;
      float *map = job.result + (static_cast<int64_t>(at.z) * job.out + out) * plane;
      FACECODEC_UNROLL
      for (int i = 0; i < 8; ++i) {
        const int pixel = 4 * (at.thread % 16) + i % 4 + i / 4 * (PIXELS / 2);
        const int y = top(at) + pixel / COLUMNS, x = left(at) + pixel % COLUMNS;
        if (y >= job.height || x >= job.width) continue;
        const int64_t here = static_cast<int64_t>(y) * job.width + x;
        map[here] = leaky(state.sum[m][i] + job.noise[here] + job.bias[out]);
      }
    }
  }
};

} // namespace facecodec
