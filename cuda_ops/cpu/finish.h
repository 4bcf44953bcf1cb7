// What follows StyleGAN2's convolutions: scale, noise, bias, activation, clamp; and the filter
// before.
#pragma once

#include <algorithm>
#include <cstring>

#include "stylegan2_abi.h"
#include "vec.h"

namespace facecodec {

// What follows a convolution, for one vector of channels, its constants in registers.
class Finishing {
public:
  Finishing(const FacecodecFinish &finish, ptrdiff_t frame, int channels, int channel)
      : scale_(finish.scale ? GAIN * load(finish.scale + frame * channels + channel) : splat(GAIN)),
        offset_(GAIN * load(finish.bias + channel)), noise_(finish.noise), clamp_(finish.clamp) {}

  Vec operator()(ptrdiff_t pixel, Vec v) const {
    v = leaky(v * scale_ + (noise_ ? offset_ + GAIN * noise_[pixel] : offset_));
    return clamp_ < 0.0f ? v : smaller(larger(v, splat(-clamp_)), splat(clamp_));
  }

private:
  static constexpr float GAIN = 1.41421356237309515f;
  Vec scale_, offset_;
  const float *noise_;
  float clamp_;
};

// One row of the filter [1, 3, 3, 1] / 4 on both axes: down into a line, then along it. `rows` are
// the four rows of the source it takes, [width + 1][channels], null beyond an edge; `line` has room
// for [width + 3][channels]; put(channel) returns what takes the pixels of a vector, called with
// (x, v).
template <class Put>
inline void smooth_row(const float *const rows[4], int width, int channels, float *line,
                       const Put &put) {
  const ptrdiff_t row = static_cast<ptrdiff_t>(width + 1) * channels;
  constexpr int BLOCK = 16;
  const float taps[4] = {0.25f, 0.75f, 0.75f, 0.25f};
  const float *from[4];
  float weights[4];
  for (int i = 0; i < 4; ++i) { // the two in the middle cannot both be beyond an edge
    from[i] = rows[i] ? rows[i] : rows[1] ? rows[1] : rows[2];
    weights[i] = rows[i] ? taps[i] : 0.0f;
  }
  std::memset(line, 0, channels * sizeof(float));
  std::memset(line + row + channels, 0, channels * sizeof(float));
  float *middle = line + channels; // one pixel of nothing at either end
  for (ptrdiff_t i = 0; i < row; i += LANES)
    store(middle + i, weights[0] * load(from[0] + i) + weights[1] * load(from[1] + i) +
                          (weights[2] * load(from[2] + i) + weights[3] * load(from[3] + i)));
  for (int start = 0; start < width;
       start += BLOCK) // all channels of a few pixels, then of the next
    for (int c = 0; c < channels; c += LANES) {
      const auto pixel = put(c);
      const float *at = line + static_cast<ptrdiff_t>(start) * channels + c;
      Vec last = load(at), now = load(at + channels), next = load(at + 2 * channels);
      for (int x = start; x < std::min(start + BLOCK, width); ++x, at += channels) {
        const Vec after = load(at + 3 * channels);
        pixel(x, 0.25f * (last + after) + 0.75f * (now + next));
        last = now;
        now = next;
        next = after;
      }
    }
}

} // namespace facecodec
