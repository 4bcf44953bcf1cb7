// StyleGAN2's 3x3 convolutions as items of work for the threads: strips of tiles where the size
// stays; where it doubles, bands of rows, which the filter follows while they lie in cache.
#pragma once

#include <algorithm>

#include "finish.h"
#include "lines.h"
#include "toom.h"
#include "upsampled.h"

namespace facecodec {

// Cuts `tiles` into equal pieces of at most `most` and calls work(first, count) for each.
template <class Work> void in_pieces(int tiles, int most, const Work &work) {
  const int pieces = (tiles + most - 1) / most;
  for (int i = 0; i < pieces; ++i) {
    const int first = static_cast<int>(static_cast<int64_t>(tiles) * i / pieces);
    work(first, static_cast<int>(static_cast<int64_t>(tiles) * (i + 1) / pieces) - first);
  }
}

// A convolution that keeps the size.
template <class T, class P> class SameSize {
  typedef Tiles<T, P> Some;

public:
  explicit SameSize(const FacecodecModulated &job) : job_(job), cut_(job) {
    const int tiles = Some::across(job) * Some::down(job);
    strips_ = round_up((tiles + cut_.most - 1) / cut_.most, std::max(1, job.threads / cut_.shares));
    length_ = (tiles + strips_ - 1) / strips_;
  }
  int items() const { return job_.frames * strips_ * cut_.shares; }

  void run(int item, Scratch &scratch) const {
    const int part = item / cut_.shares, first = part % strips_ * length_;
    const int tiles = Some::across(job_) * Some::down(job_),
              count = std::min(length_, tiles - first);
    if (count <= 0) return;
    const ptrdiff_t frame = part / strips_,
                    plane = static_cast<ptrdiff_t>(job_.height) * job_.width;
    float *memory = scratch.floats(Some::floats(job_, cut_.together, count));
    Some some(job_, frame, cut_.share(item % cut_.shares), cut_.together, memory);
    some.run(first, count, [&](int y, int x, int channel) {
      const ptrdiff_t first = static_cast<ptrdiff_t>(y) * job_.width + x;
      float *to = job_.result + (frame * plane + first) * job_.out + channel;
      const Finishing finish(job_.finish, frame, job_.out, channel);
      return [first, to, finish, wide = job_.width, out = job_.out](int i, int j, Vec v) {
        const ptrdiff_t pixel = static_cast<ptrdiff_t>(i) * wide + j;
        store(to + pixel * out, finish(first + pixel, v));
      };
    });
  }

private:
  const FacecodecModulated &job_;
  Cut<T, P> cut_;
  int strips_, length_;
};

// The transposed convolution of stride 2, the filter, and what follows.
template <class P> class Doubling {
  typedef Tiles<Up, P> Some;
  static constexpr int BANDS = 2; // a thread; each computes one row of its neighbour's tiles again
  static constexpr int LEAST = 8; // rows of tiles in a band

public:
  explicit Doubling(const FacecodecModulated &job) : job_(job), cut_(job) {
    const int down = Some::down(job),
              wanted = cut_.shares > 1 ? job.threads / cut_.shares : BANDS * job.threads;
    bands_ = std::max(1, std::min(wanted, down / LEAST));
  }
  int items() const { return job_.frames * bands_ * cut_.shares; }

  void run(int item, Scratch &scratch) const {
    const Share share = cut_.share(item % cut_.shares);
    const int part = item / cut_.shares, band = part % bands_;
    const int down = Some::down(job_), across = Some::across(job_);
    const int first = down * band / bands_, last = down * (band + 1) / bands_;
    const int step =
        std::min(last - first + 1, std::max(1, cut_.most / across)); // rows of tiles at once
    UpsampledRows rows(job_, part / bands_, share.first * PANEL, share.last * PANEL,
                       (step + 1) * Up::MADE);
    const int at_once = std::min(cut_.most, step * across);
    const size_t tiles = Some::floats(job_, cut_.together, at_once);
    float *memory = scratch.floats(tiles + rows.floats());
    rows.open(memory + tiles, std::max(0, first * Up::MADE - UpsampledRows::BELOW));
    Some some(job_, part / bands_, share, cut_.together, memory);
    for (int row = std::max(0, first - 1); row < last; row += step) {
      const int end = std::min(row + step, last);
      in_pieces((end - row) * across, at_once, [&](int from, int count) {
        some.run(row * across + from, count, [&](int y, int x, int channel) {
          float *to = rows.at(y, x, channel);
          return [to, stride = rows.stride(), wide = rows.channels()](int i, int j, Vec v) {
            store(to + i * stride + j * wide, v);
          };
        });
      });
      rows.emit(end == down ? 2 * job_.height : end * Up::MADE - UpsampledRows::BELOW);
    }
  }

private:
  const FacecodecModulated &job_;
  Cut<Up, P> cut_;
  int bands_;
};

} // namespace facecodec
