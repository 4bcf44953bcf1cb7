// Rows of a map as tiles read them: styled, rounded to bf16, with a border of zeros.
#pragma once

#include <cstdint>
#include <cstring>

#include "stylegan2_abi.h"
#include "tiles.h"
#include "vec.h"

namespace facecodec {

constexpr int PAIRED = 2 * TILE; // channels of a row of a tile

// Some rows of one frame, [rows][width + 2][step]: pixel (-1, -1) comes first.
class RoundedRows {
public:
  RoundedRows(const FacecodecModulated &job, int rows)
      : job_(job), deep_(round_up(job.in, PAIRED)), step_(deep_ % 128 ? deep_ : deep_ + PAIRED),
        wide_(job.width + 2), size_((static_cast<size_t>(rows) * wide_ + SPARE) * step_) {}

  size_t floats() const { return size_ / 2; }
  void open(float *memory) { data_ = reinterpret_cast<uint16_t *>(memory); }
  int deep() const { return deep_; }       // channels, whole rows of tiles
  int wide() const { return wide_; }       // pixels of a row, border and all
  ptrdiff_t step() const { return step_; } // numbers from one pixel to the next: no power of two
  const uint16_t *at(ptrdiff_t pixel) const { return data_ + pixel * step_; }

  // Takes `count` rows of a frame from row `first` on, which may lie outside.
  void take(ptrdiff_t frame, int first, int count) {
    for (int i = 0; i < count; ++i) {
      uint16_t *row = data_ + static_cast<ptrdiff_t>(i) * wide_ * step_;
      const int y = first + i;
      if (y < 0 || y >= job_.height) {
        blank(row, wide_);
        continue;
      }
      blank(row, 1);
      blank(row + (wide_ - 1) * step_, 1);
      const float *map =
          job_.source + (frame * job_.height + y) * static_cast<ptrdiff_t>(job_.width) * job_.in;
      for (int x = 0; x < job_.width; ++x)
        round(map + static_cast<ptrdiff_t>(x) * job_.in, frame, row + (x + 1) * step_);
    }
  }

private:
  static constexpr int SPARE = 3 * PAIRED; // pixels that the last tiles read beyond the last row
  typedef unsigned Word __attribute__((vector_size(4 * LANES), may_alias));
  typedef uint16_t Half __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

  void blank(uint16_t *to, int pixels) const { std::memset(to, 0, pixels * step_ * sizeof *to); }

  // To the nearest, halves to even.
  static void put(uint16_t *to, Vec v) {
    Word bits;
    std::memcpy(&bits, &v, sizeof bits);
    const Word rounded = bits + 0x7fffu + (bits >> 16 & 1u);
    *reinterpret_cast<Half *>(to) = __builtin_convertvector(rounded >> 16, Half);
  }

  void round(const float *pixel, ptrdiff_t frame, uint16_t *to) const {
    const float *style = job_.style + frame * job_.in;
    for (int c = 0; c < job_.in; c += LANES) put(to + c, load(style + c) * load(pixel + c));
    if (deep_ > job_.in) std::memset(to + job_.in, 0, (deep_ - job_.in) * sizeof *to);
  }

  const FacecodecModulated &job_;
  int deep_, step_, wide_;
  size_t size_;
  uint16_t *data_ = nullptr;
};

} // namespace facecodec
