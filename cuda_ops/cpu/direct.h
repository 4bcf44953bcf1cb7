// StyleGAN2's 3x3 convolutions by AMX tiles. Tiles multiply so fast that fewer products (toom.h)
// would cost more in transforms than they save: the nine taps are nine products of a shifted map.
//
// The pixels of some rows are one sequence, border and all, so that a tap is a constant shift and a
// tile is any 16 pixels that follow each other; what is made of the border is thrown away.
#pragma once

#include <algorithm>

#include "cache.h"
#include "finish.h"
#include "lines.h"
#include "rounded.h"
#include "upsampled.h"

namespace facecodec {

constexpr int MADE = 2 * TILE; // pixels, and output channels, of one block of sums

// Bytes that a thread's rows may take of its core's own cache.
inline size_t room() { return static_cast<size_t>(core_cache()) / 2; }

// Products of MADE pixels from `pixel` on and MADE output channels, summed over shifts of the map.
// Weights are tiles [shift][32 inputs][2][16 pairs of inputs][16 outputs][2].
inline const uint16_t *shifted_products(const RoundedRows &map, ptrdiff_t pixel, const int *shifts,
                                        int count, const uint16_t *weights, float *sums) {
  constexpr int SIZE = 2 * TILE * TILE;
  const ptrdiff_t line = map.step() * sizeof(uint16_t), below = TILE * map.step();
  FACECODEC_TILE_ZERO(0);
  FACECODEC_TILE_ZERO(1);
  FACECODEC_TILE_ZERO(2);
  FACECODEC_TILE_ZERO(3);
  for (int i = 0; i < count; ++i) {
    const uint16_t *from = map.at(pixel + shifts[i]);
    for (int k = 0; k < map.deep(); k += PAIRED, from += PAIRED, weights += 2 * SIZE) {
      FACECODEC_TILE_LOAD(4, from, line);
      FACECODEC_TILE_LOAD(5, from + below, line);
      FACECODEC_TILE_LOAD(6, weights, 64);
      FACECODEC_TILE_LOAD(7, weights + SIZE, 64);
      FACECODEC_TILE_MULTIPLY(0, 4, 6);
      FACECODEC_TILE_MULTIPLY(1, 4, 7);
      FACECODEC_TILE_MULTIPLY(2, 5, 6);
      FACECODEC_TILE_MULTIPLY(3, 5, 7);
    }
  }
  constexpr ptrdiff_t row = MADE * sizeof(float);
  FACECODEC_TILE_STORE(0, sums, row);
  FACECODEC_TILE_STORE(1, sums + TILE, row);
  FACECODEC_TILE_STORE(2, sums + TILE * MADE, row);
  FACECODEC_TILE_STORE(3, sums + TILE * MADE + TILE, row);
  return weights;
}

// Calls put(i, y, x) for those of MADE pixels of the sequence from `first` on that lie in a map:
// `i` counts them, x < width, y < height.
template <class Put>
inline void for_pixels(int first, int wide, int width, int height, const Put &put) {
  int y = first / wide, x = first % wide;
  for (int i = 0; i < MADE && y < height; ++i) {
    if (x < width) put(i, y, x);
    if (++x == wide) {
      x = 0;
      ++y;
    }
  }
}

// What both convolutions share: how output channels are shared out among the threads.
class Blocks {
public:
  Blocks(const FacecodecModulated &job, int bands) : count_((job.out + MADE - 1) / MADE) {
    shares_ = std::max(1, std::min(count_, job.threads / std::max(1, bands)));
  }
  int shares() const { return shares_; }
  int first(int share) const { return count_ * share / shares_; }
  int last(int share) const { return count_ * (share + 1) / shares_; }

private:
  int count_, shares_;
};

// A convolution that keeps the size: bands of rows that fit a core's cache, for which its weights
// are read.
class DirectSame {
public:
  explicit DirectSame(const FacecodecModulated &job)
      : job_(job), rows_(fitting(job)), bands_((job.height + rows_ - 1) / rows_),
        blocks_(job, job.frames * bands_) {
    if (bands_ > 1) bands_ = std::min(job.height, round_up(bands_, std::max(1, job.threads)));
    rows_ = (job.height + bands_ - 1) / bands_;
  }
  int items() const { return job_.frames * bands_ * blocks_.shares(); }

  void run(int item, Scratch &scratch) const {
    const int share = item % blocks_.shares(), part = item / blocks_.shares();
    const int first = part % bands_ * rows_, count = std::min(rows_, job_.height - first);
    if (count <= 0) return;
    const ptrdiff_t frame = part / bands_;
    RoundedRows map(job_, count + 2);
    map.open(scratch.floats(map.floats()));
    map.take(frame, first - 1, count + 2);
    const TilesInUse tiles(true);
    const int wide = map.wide(), pixels = (count - 1) * wide + job_.width;
    int shifts[9];
    for (int i = 0; i < 9; ++i) shifts[i] = i / 3 * wide + i % 3;
    const ptrdiff_t block = static_cast<ptrdiff_t>(9) * MADE * map.deep();
    alignas(64) float sums[MADE * MADE];
    for (int b = blocks_.first(share); b < blocks_.last(share); ++b)
      for (int pixel = 0; pixel < pixels; pixel += MADE) {
        shifted_products(map, pixel, shifts, 9,
                         static_cast<const uint16_t *>(job_.weights) + b * block, sums);
        for (int c = 0; c < MADE && b * MADE + c < job_.out; c += LANES) {
          const int channel = b * MADE + c;
          const Finishing finish(job_.finish, frame, job_.out, channel);
          const ptrdiff_t plane = frame * job_.height;
          for_pixels(pixel, wide, job_.width, count, [&](int i, int y, int x) {
            const ptrdiff_t here = static_cast<ptrdiff_t>(first + y) * job_.width + x;
            store(job_.result + (plane * job_.width + here) * job_.out + channel,
                  finish(here, load(sums + i * MADE + c)));
          });
        }
      }
  }

private:
  static int fitting(const FacecodecModulated &job) {
    const size_t one = RoundedRows(job, 2).floats() - RoundedRows(job, 1).floats();
    const int rows = static_cast<int>(room() / std::max<size_t>(1, one * sizeof(float))) - 2;
    return std::min(job.height, std::max(LEAST, rows));
  }

  static constexpr int LEAST = 4;
  const FacecodecModulated &job_;
  int rows_, bands_;
  Blocks blocks_;
};

// The transposed convolution of stride 2, y[2i] = w0 x[i] + w2 x[i-1], y[2i+1] = w1 x[i], on both
// axes: four kinds of pixels, of four, two, two and one shift; the filter follows while rows lie in
// cache.
class DirectUp {
public:
  explicit DirectUp(const FacecodecModulated &job)
      : job_(job), blocks_(job, deep(job) ? 1 : job.threads) {
    const int wanted = blocks_.shares() > 1 ? 1 : BANDS * job.threads;
    bands_ = std::max(1, std::min(wanted, (job.height + 1) / LEAST));
  }
  int items() const { return job_.frames * bands_ * blocks_.shares(); }

  void run(int item, Scratch &scratch) const {
    const int share = item % blocks_.shares(), part = item / blocks_.shares(), band = part % bands_;
    const int begin = blocks_.first(share), end = blocks_.last(share), down = job_.height + 1;
    const ptrdiff_t frame = part / bands_;
    const int first = down * band / bands_, last = down * (band + 1) / bands_;
    const int step = std::min(last - first + 2, at_once(begin, end));
    UpsampledRows rows(job_, frame, begin * MADE, end * MADE, 2 * step + KEPT);
    RoundedRows map(job_, step + 1);
    float *memory = scratch.floats(map.floats() + rows.floats());
    rows.open(memory + map.floats(), std::max(0, 2 * first - UpsampledRows::BELOW));
    map.open(memory);
    for (int row = std::max(0, first - 2); row < last; row += step) {
      const int count = std::min(step, last - row);
      map.take(frame, row - 1, count + 1);
      multiply(map, row, count, begin, end, rows);
      rows.emit(row + count == down ? 2 * job_.height : 2 * (row + count) - UpsampledRows::BELOW);
    }
  }

private:
  static constexpr int BANDS = 2,
                       LEAST = 16; // of rows; each band computes two of its neighbour's again
  static constexpr int KEPT = 4;   // rows of the convolution that the next ones still need
  static constexpr size_t DEEP = 1u << 20; // bytes of weights that are better shared out

  static bool deep(const FacecodecModulated &job) {
    return static_cast<size_t>(9) * 2 * job.in * job.out > DEEP;
  }

  // Rows made at once, so that they and the map's fit the cache.
  int at_once(int begin, int end) const {
    const size_t made = UpsampledRows(job_, 0, begin * MADE, end * MADE, 1).floats() / 2;
    const size_t taken = RoundedRows(job_, 2).floats() - RoundedRows(job_, 1).floats();
    const size_t most = room() / sizeof(float), fixed = (KEPT + 1) * made + taken;
    return most < fixed + 2 * (2 * made + taken)
               ? 2
               : static_cast<int>((most - fixed) / (2 * made + taken));
  }

  // Rows [row, row + count) of the map, and the border beside them, to twice as many of the
  // convolution.
  void multiply(const RoundedRows &map, int row, int count, int begin, int end,
                const UpsampledRows &rows) const {
    const TilesInUse tiles(true);
    const int wide = map.wide(), pixels = (count - 1) * wide + job_.width + 1;
    // from pixel (y, x) of the sequence, which is x[y - 1][x - 1]
    const int here = wide + 1, left = wide, above = 1, both = 0;
    const int shifts[] = {here, left, above, both, here, above, here, left, here};
    const int counts[] = {4, 2, 2, 1};
    const ptrdiff_t block = static_cast<ptrdiff_t>(9) * MADE * map.deep();
    alignas(64) float sums[MADE * MADE];
    for (int b = begin; b < end; ++b)
      for (int pixel = 0; pixel < pixels; pixel += MADE) {
        const uint16_t *weights = static_cast<const uint16_t *>(job_.weights) + b * block;
        const int *shift = shifts;
        for (int kind = 0; kind < 4; shift += counts[kind++]) {
          weights = shifted_products(map, pixel, shift, counts[kind], weights, sums);
          const int lower = kind / 2, right = kind % 2;
          for (int c = 0; c < MADE && b * MADE + c < job_.out; c += LANES)
            for_pixels(pixel, wide, job_.width + 1, count, [&](int i, int y, int x) {
              const int tall = 2 * (row + y) + lower, across = 2 * x + right;
              if (tall <= 2 * job_.height && across <= 2 * job_.width)
                store(rows.at(tall, across, b * MADE + c), load(sums + i * MADE + c));
            });
        }
      }
  }

  const FacecodecModulated &job_;
  Blocks blocks_;
  int bands_;
};

} // namespace facecodec
