// Lines: the last few rows of a feature map, a ring that flows down the picture.
//
// A stage makes the rows the next one asks for; a row is made once, used by the rows around it
// while it lies in cache, and overwritten. Columns beyond the edges are zero.
#pragma once

#include <cstdlib>
#include <cstring>
#include <new>

#include "vec.h"

namespace facecodec {

// Memory of one thread, kept between calls: pages are touched once, not once a frame.
class Scratch {
public:
  ~Scratch() { std::free(data_); }
  float *floats(size_t count) {
    if (count > size_) {
      std::free(data_);
      const size_t bytes = (count * sizeof(float) + 4095) / 4096 * 4096;
      data_ = static_cast<float *>(std::aligned_alloc(4096, bytes));
      if (!data_) throw std::bad_alloc();
      std::memset(data_, 0, bytes);
      size_ = bytes / sizeof(float);
    }
    return data_;
  }

private:
  float *data_ = nullptr;
  size_t size_ = 0;
};

struct Lines {
  float *data = nullptr;
  int channels = 0, rows = 0, height = 0, width = 0, stride = 0;
  const float *blank = nullptr; // a row of zeros, for rows above and below the picture
  int made = 0;                 // rows before this one have been made

  static int stride_of(int width) { return round_up(width, PANEL) + 2 * LANES; }
  static size_t size(int channels, int rows, int width) {
    return static_cast<size_t>(channels) * rows * stride_of(width);
  }

  void open(float *memory, const float *zeros, int channels_, int rows_, int height_, int width_,
            int first) {
    data = memory;
    blank = zeros + LANES;
    channels = channels_;
    rows = rows_;
    height = height_;
    width = width_;
    stride = stride_of(width);
    made = first;
    for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(channels) * rows; ++i) {
      float *row = data + i * stride;
      store(row, Vec{});
      std::memset(row + LANES + width, 0, (stride - LANES - width) * sizeof(float));
    }
  }
  float *row(int channel, int y) const {
    return data + (static_cast<ptrdiff_t>(channel) * rows + y % rows) * stride + LANES;
  }
  const float *row_or_blank(int channel, int y) const {
    return y < 0 || y >= height ? blank : row(channel, y);
  }
};

} // namespace facecodec
