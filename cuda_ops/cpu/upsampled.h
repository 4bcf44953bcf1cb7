// The transposed convolution of stride 2 row by row, and the filter that follows while it lies in
// cache.
#pragma once

#include <algorithm>

#include "finish.h"

namespace facecodec {

// The last `count` rows of the convolution, a ring, of output channels [from, to), and the filter.
class UpsampledRows {
public:
  static constexpr int BELOW = 2; // rows of the convolution that a row needs below its own

  UpsampledRows(const FacecodecModulated &job, ptrdiff_t frame, int from, int to, int count)
      : job_(job), frame_(frame), count_(count), from_(from),
        channels_(std::min(to, job.out) - from),
        stride_(static_cast<ptrdiff_t>(2 * job.width + 1) * channels_) {}
  size_t floats() const { return static_cast<size_t>(count_) * stride_ + stride_ + 2 * channels_; }
  void open(float *memory, int next) { data_ = memory, next_ = next; }
  int channels() const { return channels_; }
  ptrdiff_t stride() const { return stride_; }
  float *at(int y, int x, int channel) const {
    return data_ + static_cast<ptrdiff_t>(y % count_) * stride_ + x * channels_ + channel - from_;
  }
  // Filters the rows of the result up to `end`.
  void emit(int end) {
    const int width = 2 * job_.width;
    for (; next_ < end; ++next_) {
      const float *rows[4];
      for (int i = 0; i < 4; ++i) {
        const int y = next_ + i - 1;
        rows[i] = y < 0 || y > 2 * job_.height ? nullptr : at(y, 0, from_);
      }
      const ptrdiff_t first = static_cast<ptrdiff_t>(next_) * width;
      float *to = job_.result + (frame_ * 4 * job_.height * job_.width + first) * job_.out + from_;
      float *line = data_ + static_cast<ptrdiff_t>(count_) * stride_;
      smooth_row(rows, width, channels_, line, [&](int c) {
        const Finishing finish(job_.finish, frame_, job_.out, from_ + c);
        return [first, to, finish, c, out = job_.out](int x, Vec v) {
          store(to + static_cast<ptrdiff_t>(x) * out + c, finish(first + x, v));
        };
      });
    }
  }

private:
  const FacecodecModulated &job_;
  ptrdiff_t frame_;
  int count_, from_, channels_;
  ptrdiff_t stride_;
  float *data_ = nullptr;
  int next_ = 0;
};

} // namespace facecodec
