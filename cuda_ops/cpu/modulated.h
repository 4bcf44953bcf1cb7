// StyleGAN2's 3x3 convolutions as items of work for the threads: strips of tiles where the size stays;
// where it doubles, bands of rows, which the filter follows while they lie in cache.
#pragma once

#include <algorithm>

#include "finish.h"
#include "lines.h"
#include "toom.h"

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
  explicit SameSize(const FacecodecToom &job) : job_(job), cut_(job) {
    const int tiles = Some::across(job) * Some::down(job);
    strips_ = round_up((tiles + cut_.most - 1) / cut_.most, std::max(1, job.threads / cut_.shares));
    length_ = (tiles + strips_ - 1) / strips_;
  }
  int items() const { return job_.frames * strips_ * cut_.shares; }

  void run(int item, Scratch &scratch) const {
    const int part = item / cut_.shares, first = part % strips_ * length_;
    const int tiles = Some::across(job_) * Some::down(job_), count = std::min(length_, tiles - first);
    if (count <= 0) return;
    const ptrdiff_t frame = part / strips_, plane = static_cast<ptrdiff_t>(job_.height) * job_.width;
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
  const FacecodecToom &job_;
  Cut<T, P> cut_;
  int strips_, length_;
};

// The transposed convolution of stride 2, the filter, and what follows.
template <class P> class Doubling {
  typedef Tiles<Up, P> Some;
  static constexpr int BELOW = 2;   // rows of the convolution that a row needs below its own
  static constexpr int BANDS = 2;   // a thread; each makes one row of tiles anew
  static constexpr int LEAST = 8;   // rows of tiles in a band

public:
  explicit Doubling(const FacecodecToom &job) : job_(job), cut_(job) {
    const int down = Some::down(job), wanted = cut_.shares > 1 ? job.threads / cut_.shares : BANDS * job.threads;
    bands_ = std::max(1, std::min(wanted, down / LEAST));
  }
  int items() const { return job_.frames * bands_ * cut_.shares; }

  void run(int item, Scratch &scratch) const {
    const Share share = cut_.share(item % cut_.shares);
    const int part = item / cut_.shares, band = part % bands_;
    const int down = Some::down(job_), across = Some::across(job_);
    const int first = down * band / bands_, last = down * (band + 1) / bands_;
    const int step = std::min(last - first + 1, std::max(1, cut_.most / across)); // rows of tiles at once
    Rows rows(job_, part / bands_, share, (step + 1) * Up::MADE);
    const int at_once = std::min(cut_.most, step * across);
    const size_t tiles = Some::floats(job_, cut_.together, at_once);
    float *memory = scratch.floats(tiles + rows.floats());
    rows.open(memory + tiles, std::max(0, first * Up::MADE - BELOW));
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
      rows.emit(end == down ? 2 * job_.height : end * Up::MADE - BELOW);
    }
  }

private:
  // The last rows of the convolution, a ring of whole rows of tiles, and the filter that follows.
  class Rows {
  public:
    Rows(const FacecodecToom &job, ptrdiff_t frame, Share share, int count)
        : job_(job), frame_(frame), count_(count), from_(share.first * PANEL),
          channels_(std::min(share.last * PANEL, job.out) - from_), stride_((2 * job.width + 1) * channels_) {}
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
    const FacecodecToom &job_;
    ptrdiff_t frame_;
    int count_, from_, channels_;
    ptrdiff_t stride_;
    float *data_ = nullptr;
    int next_ = 0;
  };

  const FacecodecToom &job_;
  Cut<Up, P> cut_;
  int bands_;
};

} // namespace facecodec
