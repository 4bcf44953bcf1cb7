// 3x3 convolutions by fewer products (Toom-Cook, as Winograd 1980 and Lavin & Gray 2015 use it):
// tiles of the map are transformed, multiplied point by point with transformed weights, and
// transformed back. Maps are channels-last, so that a transform is plain sums of vectors of
// channels, and a point's products over all tiles are a product of two matrices.
#pragma once

#include <algorithm>

#include "cache.h"
#include "matrix.h"
#include "stylegan2_abi.h"
#include "vec.h"

namespace facecodec {

// 4 outputs of 3 taps by 6 products instead of 12, points 0, A, -A, B, -B and infinity. In bf16
// these leave half the error that 1 and 2 do; on the choice of points see Barabasz et al., arXiv
// 1803.10986.
struct Same {
  static constexpr int TAKEN = 6, PRODUCTS = 6, MADE = 4, STEP = 4, KINDS = 6;
  static constexpr float A = 0.625f, B = 1.5f, A2 = A * A, B2 = B * B;
  static int kind(int product) { return product; }
  static void in(const Vec *d, int s, Vec *to) {
    const Vec d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s], d4 = d[4 * s], d5 = d[5 * s];
    const Vec even = d4 - B2 * d2, odd = A * (d3 - B2 * d1);
    const Vec even2 = d4 - A2 * d2, odd2 = B * (d3 - A2 * d1);
    to[0] = A2 * B2 * d0 - (A2 + B2) * d2 + d4;
    to[1] = even + odd;
    to[2] = even - odd;
    to[3] = even2 + odd2;
    to[4] = even2 - odd2;
    to[5] = A2 * B2 * d1 - (A2 + B2) * d3 + d5;
  }
  static void out(const Vec *m, int s, Vec *to) {
    const Vec sum = m[s] + m[2 * s], difference = m[s] - m[2 * s];
    const Vec sum2 = m[3 * s] + m[4 * s], difference2 = m[3 * s] - m[4 * s];
    to[0] = m[0] + sum + sum2;
    to[1] = A * difference + B * difference2;
    to[2] = A2 * sum + B2 * sum2;
    to[3] = A2 * A * difference + B2 * B * difference2 + m[5 * s];
  }
};

// 6 outputs by 8 products instead of 18, points 0, A, -A, B, -B, C, -C and infinity: a fifth fewer
// than `Same` for more rounding, which float32 can bear and bf16 cannot.
struct Same6 {
  static constexpr int TAKEN = 8, PRODUCTS = 8, MADE = 6, STEP = 6, KINDS = 8;
  static constexpr float A = 0.5f, B = 1.0f, C = 1.5f, A2 = A * A, B2 = B * B, C2 = C * C;
  static constexpr float S1 = A2 + B2 + C2, S2 = A2 * B2 + A2 * C2 + B2 * C2, S3 = A2 * B2 * C2;
  static int kind(int product) { return product; }
  static void pair(const Vec *d, int s, float point, float sum, float product, Vec *to) {
    const Vec even = d[6 * s] - sum * d[4 * s] + product * d[2 * s];
    const Vec odd = point * (d[5 * s] - sum * d[3 * s] + product * d[s]);
    to[0] = even + odd;
    to[1] = even - odd;
  }
  static void in(const Vec *d, int s, Vec *to) {
    to[0] = d[6 * s] - S1 * d[4 * s] + S2 * d[2 * s] - S3 * d[0];
    pair(d, s, A, B2 + C2, B2 * C2, to + 1);
    pair(d, s, B, A2 + C2, A2 * C2, to + 3);
    pair(d, s, C, A2 + B2, A2 * B2, to + 5);
    to[7] = d[7 * s] - S1 * d[5 * s] + S2 * d[3 * s] - S3 * d[s];
  }
  static void out(const Vec *m, int s, Vec *to) {
    const Vec a = m[s] + m[2 * s], b = m[3 * s] + m[4 * s], c = m[5 * s] + m[6 * s];
    const Vec a1 = m[s] - m[2 * s], b1 = m[3 * s] - m[4 * s], c1 = m[5 * s] - m[6 * s];
    to[0] = m[0] + a + b + c;
    to[1] = A * a1 + B * b1 + C * c1;
    to[2] = A2 * a + B2 * b + C2 * c;
    to[3] = A2 * A * a1 + B2 * B * b1 + C2 * C * c1;
    to[4] = A2 * A2 * a + B2 * B2 * b + C2 * C2 * c;
    to[5] = A2 * A2 * A * a1 + B2 * B2 * B * b1 + C2 * C2 * C * c1 + m[7 * s];
  }
};

// The transposed convolution of stride 2: y[2i] = w0 x[i] + w2 x[i-1], y[2i+1] = w1 x[i]. Three
// even outputs by 4 products instead of 6, points 0, 1, -1 and infinity, and three odd ones by 3.
struct Up {
  static constexpr int TAKEN = 4, PRODUCTS = 7, MADE = 6, STEP = 3, KINDS = 5;
  static int kind(int product) { return product < KINDS ? product : KINDS - 1; }
  static void in(const Vec *d, int s, Vec *to) {
    const Vec d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s];
    to[0] = d0 - d2;
    to[1] = d1 + d2;
    to[2] = d2 - d1;
    to[3] = d3 - d1;
    to[4] = d1;
    to[5] = d2;
    to[6] = d3;
  }
  static void out(const Vec *m, int s, Vec *to) {
    const Vec sum = m[s] + m[2 * s];
    to[0] = m[0] + sum;
    to[2] = m[s] - m[2 * s];
    to[4] = sum + m[3 * s];
    to[1] = m[4 * s];
    to[3] = m[5 * s];
    to[5] = m[6 * s];
  }
};

// Panels of output channels that one item of work makes.
struct Share {
  int first, last;
};

// Bytes of transformed tiles that a thread holds at once: a third of its core's own cache.
inline int cached() { return static_cast<int>(core_cache() / 3); }

// How a convolution is cut into work. Weights that no cache holds are read as seldom as can be:
// threads share panels instead of tiles, more tiles are held, and a point is multiplied for all of
// its panels.
template <class T, class P> struct Cut {
  static constexpr int POINTS = T::PRODUCTS * T::PRODUCTS;
  static constexpr int LEAST = 2 * GROUP;  // tiles that a thread holds, so that weights are used
  static constexpr size_t DEEP = 8u << 20; // bytes of weights that are too many for the cache
  static constexpr int DEEP_TILES = 8 * GROUP, MOST_SHARES = 4;

  int panels, shares, together, most;

  explicit Cut(const FacecodecModulated &job) : panels((job.out + PANEL - 1) / PANEL) {
    const size_t bytes = sizeof(typename P::Number) * job.in;
    const bool deep = T::KINDS * T::KINDS * bytes * job.out > DEEP;
    shares = deep ? std::min(std::min(job.threads, panels), MOST_SHARES) : 1;
    together = deep ? (panels + shares - 1) / shares : 1;
    const int held = cached() / static_cast<int>(POINTS * bytes) / GROUP * GROUP;
    most = deep ? DEEP_TILES : std::max(LEAST, held);
  }
  Share share(int i) const { return {panels * i / shares, panels * (i + 1) / shares}; }
};

// Tiles of one frame: from the map to the pixels of a share of the output channels.
template <class T, class P> class Tiles {
public:
  typedef typename P::Number Number;
  static constexpr int POINTS = T::PRODUCTS * T::PRODUCTS;

  static int across(const FacecodecModulated &job) {
    return (made(job.width) + T::MADE - 1) / T::MADE;
  }
  static int down(const FacecodecModulated &job) {
    return (made(job.height) + T::MADE - 1) / T::MADE;
  }
  static int made(int side) { return T::STEP == T::MADE ? side : 2 * side + 1; }
  static int pitch(const FacecodecModulated &job) {
    return job.in + LANES * static_cast<int>(sizeof(float) / sizeof(Number));
  }
  // Floats of scratch memory for that many tiles at once.
  static size_t floats(const FacecodecModulated &job, int together, int count) {
    return static_cast<size_t>(POINTS) * count * (together * PANEL + pitch(job));
  }

  Tiles(const FacecodecModulated &job, ptrdiff_t frame, Share share, int together, float *memory)
      : job_(job), frame_(frame), share_(share), together_(together), pitch_(pitch(job)),
        made_(memory) {}

  // Makes `count` tiles from number `first` on: put(y, x, channel) returns what takes the pixels of
  // a tile that begins there, called with (i, j, v).
  template <class Put> void run(int first, int count, const Put &put) {
    first_ = first;
    count_ = count;
    taken_ =
        reinterpret_cast<Number *>(made_ + static_cast<size_t>(POINTS) * count * together_ * PANEL);
    for (int tile = 0; tile < count_; ++tile) take(tile);
    for (int from = share_.first; from < share_.last; from += together_) {
      const int to = std::min(from + together_, share_.last);
      for (int point = 0; point < POINTS; ++point)
        for (int panel = from; panel < to; ++panel) multiply(point, panel, from);
      for (int tile = 0; tile < count_; ++tile)
        for (int panel = from; panel < to; ++panel)
          for (int v = 0; v < PANEL && panel * PANEL + v < job_.out; v += LANES)
            make(tile, panel * PANEL + v, products(panel - from, 0) + tile * PANEL + v, put);
    }
  }

private:
  float *products(int panel, int point) const {
    return made_ + (static_cast<size_t>(panel) * POINTS + point) * count_ * PANEL;
  }

  void multiply(int point, int panel, int from) {
    const size_t matrix = static_cast<size_t>(job_.in) * PANEL;
    const int kind = T::kind(point / T::PRODUCTS) * T::KINDS + T::kind(point % T::PRODUCTS);
    const Number *weights = static_cast<const Number *>(job_.weights);
    matrix_product<P>(taken_ + static_cast<size_t>(point) * count_ * pitch_, pitch_, count_,
                      weights + (static_cast<size_t>(panel) * T::KINDS * T::KINDS + kind) * matrix,
                      job_.in, products(panel - from, point));
  }

  void take(int tile) {
    const int y = (first_ + tile) / across(job_) * T::STEP - 1;
    const int x = (first_ + tile) % across(job_) * T::STEP - 1;
    const bool inside =
        y >= 0 && x >= 0 && y + T::TAKEN <= job_.height && x + T::TAKEN <= job_.width;
    inside ? take_at<true>(tile, y, x) : take_at<false>(tile, y, x);
  }

  template <bool INSIDE> void take_at(int tile, int y, int x) {
    const ptrdiff_t row = static_cast<ptrdiff_t>(job_.width) * job_.in;
    const float *map =
        job_.source + (frame_ * job_.height + y) * row + static_cast<ptrdiff_t>(x) * job_.in;
    const float *style = job_.style + frame_ * job_.in;
    const ptrdiff_t point = static_cast<ptrdiff_t>(count_) * pitch_;
    for (int c = 0; c < job_.in; c += LANES) {
      Vec half[T::PRODUCTS][T::TAKEN];
      const Vec scale = load(style + c);
#pragma GCC unroll 8
      for (int j = 0; j < T::TAKEN; ++j) {
        Vec pixels[T::TAKEN], column[T::PRODUCTS];
#pragma GCC unroll 8
        for (int i = 0; i < T::TAKEN; ++i) {
          const bool there =
              INSIDE || (y + i >= 0 && y + i < job_.height && x + j >= 0 && x + j < job_.width);
          pixels[i] =
              there ? scale * load(map + i * row + static_cast<ptrdiff_t>(j) * job_.in + c) : Vec{};
        }
        T::in(pixels, 1, column);
#pragma GCC unroll 8
        for (int p = 0; p < T::PRODUCTS; ++p) half[p][j] = column[p];
      }
      Number *to = taken_ + tile * pitch_ + c;
#pragma GCC unroll 8
      for (int p = 0; p < T::PRODUCTS; ++p) {
        Vec whole[T::PRODUCTS];
        T::in(half[p], 1, whole);
#pragma GCC unroll 8
        for (int q = 0; q < T::PRODUCTS; ++q, to += point) P::put(to, whole[q]);
      }
    }
  }

  template <class Put> void make(int tile, int channel, const float *from, const Put &put) {
    const int y = (first_ + tile) / across(job_) * T::MADE,
              x = (first_ + tile) % across(job_) * T::MADE;
    const int tall = std::min(T::MADE, made(job_.height) - y);
    const int wide = std::min(T::MADE, made(job_.width) - x);
    const auto pixel = put(y, x, channel);
    Vec half[T::PRODUCTS][T::MADE];
    const ptrdiff_t point = static_cast<ptrdiff_t>(count_) * PANEL;
#pragma GCC unroll 8
    for (int p = 0; p < T::PRODUCTS; ++p) {
      Vec points[T::PRODUCTS];
#pragma GCC unroll 8
      for (int q = 0; q < T::PRODUCTS; ++q, from += point) points[q] = load(from);
      T::out(points, 1, half[p]);
    }
#pragma GCC unroll 8
    for (int j = 0; j < T::MADE; ++j) {
      Vec whole[T::MADE];
      T::out(&half[0][j], T::MADE, whole);
      if (j >= wide) break;
#pragma GCC unroll 8
      for (int i = 0; i < T::MADE; ++i) {
        if (i >= tall) break;
        pixel(i, j, whole[i]);
      }
    }
  }

  const FacecodecModulated &job_;
  ptrdiff_t frame_;
  Share share_;
  int together_, pitch_;
  int first_ = 0, count_ = 0;
  float *made_;
  Number *taken_ = nullptr;
};

} // namespace facecodec
