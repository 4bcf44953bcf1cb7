// What fitting needs: gradients with respect to the source of a block and to all that scales its
// channels. A band of rows goes through in one pass, as in block.cpp, backwards.
#include <algorithm>
#include <atomic>
#include <exception>

#include "abi.h"
#include "backward.h"

namespace facecodec {
namespace {

constexpr int STRETCH_PIXELS = 128;

// One band of rows of one frame, in maps of T and panels of P. Lines hold gradients to what the
// depthwise filters made: of the second convolution, then of the first.
template <typename T, class P> class BackBand {
public:
  BackBand(const FacecodecBackward &job, int item, int from, int to, Scratch &scratch)
      : job_(job), frame_(item / job.bands), item_(item), from_(from), to_(to),
        step_(round_up(std::min(std::max(2, STRETCH_PIXELS / job.width), job.height), 2)),
        last_(job.convs - 1) {
    const int width = job.width, ring = step_ + 4;
    head_channels_ = job.head ? round_up(job.conv[last_].out, HEAD_GROUP) : 0;
    size_t lines[2] = {}, panels = 0, sums = head_channels_;
    for (int i = 0; i < job.convs; ++i) {
      lines[i] = Lines::size(job.conv[i].in, ring, width);
      panels = std::max(panels, P::size(job.conv[i].out, step_, width));
      sums += i == 0 ? job.channels * (job.haar ? 4 : 1) : job.conv[i].in;
    }
    const size_t zeros = Lines::stride_of(width);
    const size_t head = static_cast<size_t>(head_channels_) * MOST_BANDS;
    float *memory = scratch.floats(zeros + lines[0] + lines[1] + panels + sums * LANES + head);
    const float *blank = memory;
    std::memset(memory, 0, zeros * sizeof(float));
    memory += zeros;
    for (int i = 0; i < job.convs; ++i) {
      lines_[i].open(memory, blank, job.conv[i].in, ring, job.height, width,
                     std::max(0, from - i - 1));
      memory += lines[i];
    }
    panels_ = memory;
    source_sums_ = memory + panels;
    std::memset(source_sums_, 0, sums * LANES * sizeof(float));
    middle_sums_ = source_sums_ + static_cast<size_t>(job.channels) * (job.haar ? 4 : 1) * LANES;
    head_sums_ = source_sums_ + (sums - head_channels_) * LANES;
    head_weights_ = source_sums_ + sums * LANES;
    if (head) head_rows_ = fold_rows(job, job.conv[last_].out, head_channels_, head_weights_);
  }

  void run() {
    const TilesInUse tiles(job_.products16 == TILES);
    for (int y = from_; y < to_; y += step_) {
      const int end = std::min(y + step_, to_);
      make<0>(std::min(end + 1, job_.height));
      if (job_.haar)
        leave_by_haar(y, end);
      else
        leave(y, end);
    }
    total();
  }

private:
  static constexpr int N = TOGETHER<P>;

  // What convolution i made of this frame, and a map of T of so many channels like it.
  PanelMap<const T> kept(int i) const {
    return frame_of<const T>(job_.conv[i].kept, job_.conv[i].out);
  }
  template <typename M, typename From> PanelMap<M> frame_of(From *maps, int channels) const {
    PanelMap<M> map(static_cast<M *>(maps), channels, job_.height, job_.width);
    map.data += frame_ * map.size();
    return map;
  }
  const float *style(int conv) const {
    return job_.conv[conv].style + frame_ * job_.conv[conv].style_stride;
  }

  // Rows before `until` of the gradient to the filters of a convolution. Rows of another band are
  // made apart, since their sums count there.
  template <int CONV> void make(int until) {
    Lines &lines = lines_[CONV];
    while (lines.made < until) {
      const int from = lines.made, edge = from < from_ ? from_ : from < to_ ? to_ : until;
      const int to = std::min({from + step_, until, edge});
      const bool counted = from >= from_ && from < to_;
      const P panels{reinterpret_cast<decltype(P::data)>(panels_), job_.conv[CONV].out,
                     panels_of(job_.width)};
      if constexpr (CONV == 0)
        if (last_ == 1) make<1>(std::min(to + 1, job_.height));
      blank_rest(panels, to - from);
      if (CONV < last_)
        between(from, to, counted, panels);
      else if (job_.head)
        of_picture(from, to, counted, panels);
      else
        of_map(from, to, panels);
      transposed(job_.conv[CONV], job_.products16, panels, from, to, {lines});
      lines.made = to;
    }
  }

  void of_map(int from, int to, const P &panels) {
    const int out = job_.conv[last_].out;
    const auto gradient = frame_of<const T>(job_.gradient, out), made = kept(last_);
    for (int y = from; y < to; ++y)
      for (int x = 0; x < round_up(job_.width, PANEL); x += LANES)
        for (int c = 0; c < out; c += N) {
          Vec g[N] = {};
          for (int i = 0; i < N && c + i < out; ++i)
            g[i] = sloped(gradient.load(c + i, y, x), made.load(c + i, y, x));
          put(panels, y - from, x, c, g);
        }
  }

  void of_picture(int from, int to, bool counted, const P &panels) {
    const int width = job_.width, out = job_.conv[last_].out;
    const float *style = job_.head_style + frame_ * job_.head_stride;
    const auto made = kept(last_);
    for (int y = from; y < to; ++y)
      for (int panel = 0; panel < panels.per_row; ++panel) {
        float rows[MOST_BANDS * PANEL];
        head_rows(job_, frame_, y, panel, rows);
        for (int first = 0; first < out; first += HEAD_GROUP) {
          Vec t[HEAD_GROUP][2];
          product<HEAD_GROUP>(head_weights_ + first, head_channels_, rows, head_rows_, t);
          for (int c = first; c < first + HEAD_GROUP && c < out; c += N)
            for (int v = 0; v < 2; ++v) {
              const int x = panel * PANEL + v * LANES;
              Vec g[N] = {};
              for (int i = 0; i < N && c + i < out; ++i) {
                const Vec value = t[c - first + i][v], map = made.load(c + i, y, x);
                if (counted)
                  add_to(head_sums_ + (c + i) * LANES, first_lanes(value * map, width - x));
                g[i] = sloped(value * style[c + i], map);
              }
              put(panels, y - from, x, c, g);
            }
        }
      }
  }

  // From the second convolution's filters to the result of the first.
  void between(int from, int to, bool counted, const P &panels) {
    const FacecodecBackConv &conv = job_.conv[1];
    const int width = job_.width;
    const auto made = kept(0);
    for (int c = 0; c < conv.in; c += N) {
      int channels[N];
      Vec w[N][9], gain[N], sum[N] = {};
      for (int i = 0; i < N; ++i) {
        const bool there = c + i < conv.in;
        channels[i] = there ? c + i : c;
        gain[i] = splat(there ? style(1)[c + i] : 0.0f);
        for (int k = 0; k < 9; ++k)
          w[i][k] = splat(there ? conv.depthwise[9 * (c + i) + 8 - k] : 0.0f);
      }
      const auto row = [&](int y, int x, const Vec(&gradient)[N][1]) {
        Vec g[N];
#pragma GCC unroll 2
        for (int i = 0; i < N; ++i) {
          const Vec map = made.load(channels[i], y, x);
          sum[i] += first_lanes(gradient[i][0] * map, width - x);
          g[i] = sloped(gradient[i][0] * gain[i], map);
        }
        put(panels, y - from, x, c, g);
      };
      filter<N, 1>(lines_[1], channels, w, from, to,
                   [&](int y, bool both, int x, auto &a, auto &b) {
                     row(y, x, a);
                     if (both) row(y + 1, x, b);
                   });
      for (int i = 0; counted && i < N && c + i < conv.in; ++i)
        add_to(middle_sums_ + (c + i) * LANES, sum[i]);
    }
  }

  void turned_taps(int channel, Vec (&w)[1][9]) const {
    for (int k = 0; k < 9; ++k) w[0][k] = splat(job_.conv[0].depthwise[9 * channel + 8 - k]);
  }
  float gain(int channel) const {
    return job_.gain ? job_.gain[frame_ * job_.gain_stride + channel] * job_.gain_factor
                     : job_.gain_factor;
  }

  // From the first convolution's filters to the source. Sums are of gradients as they are before
  // style and gain, times the source: both styles' and gains' sums are made of them.
  void leave(int from, int to) {
    const auto source = this->source(), result = to_source();
    for (int c = 0; c < job_.channels; ++c) {
      Vec w[1][9], sum{};
      turned_taps(c, w);
      const float scale = style(0)[c] * gain(c);
      const auto row = [&](int y, int x, const Vec &g) {
        sum += first_lanes(g * source.load(c, y, x), job_.width - x);
        store(result.at(c, y, x), g * scale);
      };
      filter<1, 1>(lines_[0], {c}, w, from, to, [&](int y, bool both, int x, auto &a, auto &b) {
        row(y, x, a[0][0]);
        if (both) row(y + 1, x, b[0][0]);
      });
      add_to(source_sums_ + c * LANES, sum);
    }
  }

  void leave_by_haar(int from, int to) {
    const auto source = this->source(), result = to_source();
    for (int c = 0; c < job_.channels; ++c) {
      Vec w[1][9], sum[4] = {};
      turned_taps(c, w);
      float scale[4];
      for (int i = 0; i < 4; ++i) scale[i] = style(0)[c] * gain(band_of(c, i));
      filter<1, 2>(lines_[0], {c}, w, from, to, [&](int y, bool, int x, auto &a, auto &b) {
        Vec bands[4];
        to_haar(a[0], b[0], bands);
        for (int i = 0; i < 4; ++i) {
          const int band = band_of(c, i);
          sum[i] += first_lanes(bands[i] * source.load(band, y / 2, x / 2), (job_.width - x) / 2);
          store(result.at(band, y / 2, x / 2), bands[i] * scale[i]);
        }
      });
      for (int i = 0; i < 4; ++i) add_to(source_sums_ + band_of(c, i) * LANES, sum[i]);
    }
  }

  // The channel of the source that holds band i of a channel.
  int band_of(int channel, int i) const {
    return i == 0 ? channel : job_.channels + 3 * channel + i - 1;
  }
  PanelMap<const T> source() const {
    const int half = job_.haar ? 2 : 1;
    const T *map = static_cast<const T *>(job_.source) + frame_ * job_.source_stride;
    return {map, job_.source_channels, job_.height / half, job_.width / half};
  }
  PanelMap<T> to_source() const {
    const int half = job_.haar ? 2 : 1, channels = job_.channels * half * half;
    PanelMap<T> map(static_cast<T *>(job_.source_gradient), channels, job_.height / half,
                    job_.width / half);
    map.data += frame_ * map.size();
    return map;
  }

  // This band's part of all sums.
  void total() const {
    const int of = job_.haar ? 4 : 1;
    const ptrdiff_t item = item_;
    for (int c = 0; c < job_.channels; ++c) {
      float to_style = 0.0f;
      for (int i = 0; i < of; ++i) {
        const int band = band_of(c, i);
        const float sum = sum_of(source_sums_ + band * LANES);
        to_style += sum * gain(band);
        if (job_.gain_gradient)
          job_.gain_gradient[item * of * job_.channels + band] =
              sum * style(0)[c] * job_.gain_factor;
      }
      job_.conv[0].style_gradient[item * job_.channels + c] = to_style;
    }
    const int middle = last_ ? job_.conv[1].in : 0, head = job_.head ? job_.conv[last_].out : 0;
    for (int c = 0; c < middle; ++c)
      job_.conv[1].style_gradient[item * middle + c] = sum_of(middle_sums_ + c * LANES);
    for (int c = 0; c < head; ++c)
      job_.head_gradient[item * head + c] = sum_of(head_sums_ + c * LANES);
  }

  const FacecodecBackward &job_;
  int frame_, item_, from_, to_, step_, last_, head_channels_ = 0, head_rows_ = 0;
  Lines lines_[2];
  float *panels_, *source_sums_, *middle_sums_, *head_sums_, *head_weights_;
};

thread_local Scratch scratch;

template <typename T, class P> int run(const FacecodecBackward &job) {
  const int items = job.frames * job.bands;
  const int tall = round_up((job.height + job.bands - 1) / job.bands, 2);
  std::atomic<bool> failed{false};
#pragma omp parallel for schedule(dynamic) num_threads(job.threads)
  for (int item = 0; item < items; ++item) {
    const int from = std::min(item % job.bands * tall, job.height);
    try {
      BackBand<T, P>(job, item, from, std::min(from + tall, job.height), scratch).run();
    } catch (const std::exception &) {
      failed = true; // an exception may not leave a parallel region
    }
  }
  return failed ? 1 : 0;
}

} // namespace
} // namespace facecodec

extern "C" int facecodec_backward(const FacecodecBackward *given) {
  using namespace facecodec;
  const FacecodecBackward job = *given;
#if FACECODEC_BF16
  if (job.products16) return run<Bf16, Panels16>(job);
#endif
  return run<float, Panels>(job);
}
