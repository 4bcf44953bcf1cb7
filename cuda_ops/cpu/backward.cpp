// What fitting needs: gradients with respect to the source and the styles of a convolution and of
// the inverse Haar transform. A band of rows goes through in one pass, as in block.cpp, backwards.
#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

#include "abi.h"
#include "separable.h"

namespace facecodec {
namespace {

constexpr int STRETCH_PIXELS = 128;

// Where a row of the gradient, and of what the activation gave, begins for one channel.
struct Row {
  const float *gradient, *output;

  // The vector at column x, times the slope of the activation; zero beyond the row's end.
  Vec sloped(int x, int width) const {
    if (x + LANES <= width) {
      const Vec full = load(gradient + x);
      return load(output + x) > 0.0f ? full : full * 0.2f;
    }
    float part[LANES] = {};
    for (int i = 0; x + i < width; ++i)
      part[i] = gradient[x + i] * (output[x + i] > 0.0f ? 1.0f : 0.2f);
    return load(part);
  }
};

Row row_of(const FacecodecBackward &job, ptrdiff_t frame, int channel, int y) {
  const ptrdiff_t plane = static_cast<ptrdiff_t>(job.height) * job.width;
  const ptrdiff_t at = (frame * job.out + channel) * plane + static_cast<ptrdiff_t>(y) * job.width;
  return {job.gradient + at, job.output + at};
}

// One row of all channels into the panels of the product.
void load_gradient(const FacecodecBackward &job, ptrdiff_t frame, int y, int row, Panels panels) {
  const int width = job.width, out = job.out; // read once: a store might have changed them
  for (int k = 0; k < out; ++k) {
    const Row from = row_of(job, frame, k, y);
    for (int panel = 0; panel < panels.per_row; ++panel) {
      float *to = panels.at(row, panel) + k * PANEL;
      for (int v = 0; v < PANEL; v += LANES) store(to + v, from.sloped(panel * PANEL + v, width));
    }
  }
}

#if FACECODEC_BF16
// The same in bf16, two channels a word.
void load_gradient16(const FacecodecBackward &job, ptrdiff_t frame, int y, int row,
                     Panels16 panels) {
  const int width = job.width, out = job.out;
  panels.blank_rest(row);
  for (int pair = 0; pair < panels.filled(); ++pair) {
    const bool both = 2 * pair + 1 < out;
    const Row first = row_of(job, frame, 2 * pair, y);
    const Row second = row_of(job, frame, 2 * pair + both, y);
    for (int panel = 0; panel < panels.per_row; ++panel) {
      uint32_t *to = panels.at(row, panel) + pair * PANEL;
      for (int v = 0; v < PANEL; v += LANES) {
        const int x = panel * PANEL + v;
        store_pair(to + v, first.sloped(x, width), both ? second.sloped(x, width) : Vec{});
      }
    }
  }
}

// Sums of a product in bf16, as they are.
struct Sums {
  IntoLines into;
  int channels;

  template <int M> void take(const float *sums, int first, int y, int panel) const {
    for (int m = 0; m < M && first + m < channels; ++m, sums += PANEL) {
      const Vec v[2] = {load(sums), load(sums + LANES)};
      into.put(first + m, y, panel, v);
    }
  }
  void close_row(int channel, int y) const { into.close_row(channel, y); }
};
#endif

void transposed_product(const FacecodecBackward &job, const Panels &panels, int from, int to,
                        const IntoLines &into) {
  const float *weights = static_cast<const float *>(job.pointwise);
  for_groups(weights, job.in, job.in, job.out, [&]<int M>(int first, const float *group, int step) {
    for (int y = from; y < to; ++y) {
      for (int panel = 0; panel < panels.per_row; ++panel) {
        Vec acc[M][2];
        product<M>(group, step, panels.at(y - from, panel), job.out, acc);
        for (int m = 0; m < M; ++m) into.put(first + m, y, panel, acc[m]);
      }
      for (int m = 0; m < M; ++m) into.close_row(first + m, y);
    }
  });
}

// Rows [from, to) of the backward pass through the product, `buffer` holding its panels.
void product_rows(const FacecodecBackward &job, ptrdiff_t frame, int from, int to, float *buffer,
                  const Lines &lines) {
  const int per_row = round_up(job.width, PANEL) / PANEL;
#if FACECODEC_BF16
  if (job.products16) {
    const Panels16 panels{reinterpret_cast<uint32_t *>(buffer), job.out, per_row};
    for (int y = from; y < to; ++y) load_gradient16(job, frame, y, y - from, panels);
    const Weights16 weights{static_cast<const uint32_t *>(job.pointwise), job.out, job.in};
    product16(job.products16, weights, panels, from, to, Sums{{lines}, job.in});
    return;
  }
#endif
  const Panels panels{buffer, job.out, per_row};
  for (int y = from; y < to; ++y) load_gradient(job, frame, y, y - from, panels);
  transposed_product(job, panels, from, to, {lines});
}

// One row of the gradient to a channel's input: the style on one side and, for the style's sum, the
// input that it had scaled on the other.
struct BackRow {
  const float *input;
  float *result;

  void put(int x, int width, Vec g, float gain, Vec &sum, float &total) const {
    if (x + LANES <= width) {
      sum += g * load(input + x);
      store(result + x, g * gain);
      return;
    }
    float part[LANES];
    store(part, g);
    for (int i = 0; x + i < width; ++i) {
      total += part[i] * input[x + i];
      result[x + i] = part[i] * gain;
    }
  }
};

// Rows [from, to), two at a time: the filter's taps turned round, then the style.
void transposed_depthwise(const FacecodecBackward &job, ptrdiff_t frame, const Lines &lines,
                          int from, int to, float *style_sums) {
  const int width = job.width, in = job.in;
  const ptrdiff_t plane = static_cast<ptrdiff_t>(job.height) * width;
  const float *style = job.style + frame * job.style_stride;
  for (int c = 0; c < in; ++c) {
    Vec w[9], sum = Vec{};
    for (int i = 0; i < 9; ++i) w[i] = splat(job.depthwise[9 * c + 8 - i]);
    const float gain = style[c];
    const float *input = job.input + (frame * in + c) * plane;
    float *result = job.input_gradient + (frame * in + c) * plane;
    float total = 0.0f;
    for (int y = from; y < to; y += 2) {
      const bool pair = y + 1 < to;
      const float *above = lines.row_or_blank(c, y - 1), *here = lines.row(c, y);
      const float *below = lines.row_or_blank(c, y + 1);
      const float *last = pair ? lines.row_or_blank(c, y + 2) : below;
      const ptrdiff_t at = static_cast<ptrdiff_t>(y) * width;
      const BackRow top{input + at, result + at}, bottom{top.input + width, top.result + width};
      for (int x = 0; x < width; x += LANES) {
        Vec a = three(above + x, w, 0, Vec{}), b = three(here + x, w, 0, Vec{});
        a = three(here + x, w, 3, a);
        b = three(below + x, w, 3, b);
        a = three(below + x, w, 6, a);
        b = three(last + x, w, 6, b);
        top.put(x, width, a, gain, sum, total);
        if (pair) bottom.put(x, width, b, gain, sum, total);
      }
    }
    for (int i = 0; i < LANES; ++i) total += sum[i];
    style_sums[c] += total;
  }
}

thread_local Scratch scratch;

void band(const FacecodecBackward &job, int frame, int from, int to, float *style_sums) {
  const int step = std::min(std::max(2, STRETCH_PIXELS / job.width), job.height);
  const int ring = step + 4, width = job.width;
  const size_t zeros = Lines::stride_of(width), between = Lines::size(job.in, ring, width);
  const size_t panels =
      std::max(Panels::size(job.out, step, width), Panels16::size(job.out, step, width));
  float *memory = scratch.floats(zeros + between + panels);
  std::memset(memory, 0, zeros * sizeof(float));
  Lines lines;
  lines.open(memory + zeros, memory, job.in, ring, job.height, width, std::max(0, from - 1));
  const TilesInUse tiles(job.products16 == TILES);
  for (int y = from; y < to; y += step) {
    const int end = std::min(y + step, to), wanted = std::min(end + 1, job.height);
    while (lines.made < wanted) {
      const int until = std::min(lines.made + step, wanted);
      product_rows(job, frame, lines.made, until, memory + zeros + between, lines);
      lines.made = until;
    }
    transposed_depthwise(job, frame, lines, y, end, style_sums);
  }
}

void haar_channel(const FacecodecHaarBackward &job, ptrdiff_t frame, int c) {
  const int width = job.width, channels = job.channels;
  const ptrdiff_t plane = static_cast<ptrdiff_t>(job.height) * width;
  const float *gradient = job.gradient + (frame * channels + c) * 4 * plane;
  ptrdiff_t at[4], channel[4];
  float gain[4], sum[4] = {};
  for (int i = 0; i < 4; ++i) {
    channel[i] = i == 0 ? c : channels + 3 * c + i - 1;
    at[i] = (frame * 4 * channels + channel[i]) * plane;
    gain[i] = job.gain[frame * job.gain_stride + channel[i]];
  }
  for (int y = 0; y < job.height; ++y) {
    const float *top = gradient + static_cast<ptrdiff_t>(4) * y * width, *bottom = top + 2 * width;
    const ptrdiff_t row = static_cast<ptrdiff_t>(y) * width;
    const float *x0 = job.source + at[0] + row, *x1 = job.source + at[1] + row;
    const float *x2 = job.source + at[2] + row, *x3 = job.source + at[3] + row;
    float *g0 = job.source_gradient + at[0] + row, *g1 = job.source_gradient + at[1] + row;
    float *g2 = job.source_gradient + at[2] + row, *g3 = job.source_gradient + at[3] + row;
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (int j = 0; j < width; ++j) {
      const float a = top[2 * j], b = top[2 * j + 1], d = bottom[2 * j], e = bottom[2 * j + 1];
      const float ll = 0.5f * (a + b + d + e), lh = 0.5f * (a + b - d - e);
      const float hl = 0.5f * (a - b + d - e), hh = 0.5f * (a - b - d + e);
      s0 += ll * x0[j];
      s1 += lh * x1[j];
      s2 += hl * x2[j];
      s3 += hh * x3[j];
      g0[j] = ll * gain[0];
      g1[j] = lh * gain[1];
      g2[j] = hl * gain[2];
      g3[j] = hh * gain[3];
    }
    sum[0] += s0;
    sum[1] += s1;
    sum[2] += s2;
    sum[3] += s3;
  }
  for (int i = 0; i < 4; ++i) job.gain_gradient[frame * 4 * channels + channel[i]] = sum[i];
}

} // namespace
} // namespace facecodec

extern "C" int facecodec_backward(const FacecodecBackward *given) {
  using namespace facecodec;
  const FacecodecBackward job = *given;
  const int items = job.frames * job.bands, tall = (job.height + job.bands - 1) / job.bands;
  std::atomic<bool> failed{false};
#pragma omp parallel for schedule(dynamic) num_threads(job.threads)
  for (int item = 0; item < items; ++item) {
    const int from = item % job.bands * tall, to = std::min(from + tall, job.height);
    float *sums = job.style_gradient + static_cast<ptrdiff_t>(item) * job.in;
    std::fill(sums, sums + job.in, 0.0f);
    try {
      if (from < to) band(job, item / job.bands, from, to, sums);
    } catch (const std::exception &) {
      failed = true; // an exception may not leave a parallel region
    }
  }
  return failed ? 1 : 0;
}

extern "C" int facecodec_haar_backward(const FacecodecHaarBackward *given) {
  const FacecodecHaarBackward job = *given;
#pragma omp parallel for num_threads(job.threads)
  for (int item = 0; item < job.frames * job.channels; ++item)
    facecodec::haar_channel(job, item / job.channels, item % job.channels);
  return 0;
}
