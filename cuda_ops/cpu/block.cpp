// One block of the network in one pass: bands of rows go down through all of its stages, each in
// lines that stay in cache, so that memory is read once and written once.
#include <algorithm>
#include <atomic>
#include <exception>

#include "abi.h"
#include "differences_abi.h"
#include "head.h"
#include "lines.h"
#include "octave_abi.h"
#include "separable.h"
#include "source.h"
#include "stylegan2_abi.h"

namespace facecodec {
namespace {

constexpr int STRETCH_PIXELS = 128; // pixels a product works on, so that weights are used often
constexpr int MAX_DEPTH = 4096;

int rows_a_step(const FacecodecBlock &block) {
  const int rows = round_up(std::max(2, STRETCH_PIXELS / std::max(block.width, 1)), 2);
  return std::min(rows, round_up(block.height, 2));
}

// The buffers and stages of one band of rows of one frame.
class Band {
public:
  Band(const FacecodecBlock &block, int frame, int from, int to, Scratch &scratch)
      : block_(block), frame_(frame), from_(from), to_(to), step_(rows_a_step(block)) {
    const int ring = step_ + 4, width = block.width;
    const int middle = block.convs == 2 ? block.conv[0].out : 0;
    const int last = block.convs ? block.conv[block.convs - 1].out : block.channels;
    int widest = block.channels;
    for (int i = 0; i < block.convs; ++i) widest = std::max(widest, block.conv[i].in);
    const size_t zeros = Lines::stride_of(width), source = Lines::size(block.channels, ring, width);
    const size_t between = Lines::size(middle, ring, width);
    const size_t panels =
        std::max(Panels::size(widest, step_, width), Panels16::size(widest, step_, width));
    const size_t picture = block.head ? Panels::size(last, step_, width) : 0;
    const size_t head = block.head ? 12 * static_cast<size_t>(last) : 0;
    float *memory = scratch.floats(zeros + source + between + panels + picture + head);
    std::memset(memory, 0, zeros * sizeof(float));
    const int halo = block.convs;
    source_.open(memory + zeros, memory, block.channels, ring, block.height, width,
                 std::max(0, from - halo) / 2 * 2);
    if (!block.haar) source_.made = std::max(0, from - halo);
    between_.open(memory + zeros + source, memory, middle, ring, block.height, width,
                  std::max(0, from - 1));
    panels_ = memory + zeros + source + between;
    picture_ = Panels{panels_ + panels, last, round_up(width, PANEL) / PANEL};
    head_weights_ = panels_ + panels + picture;
    if (block.head) fold_head(block, frame, last, head_weights_, head_bias_);
  }

  void run() {
    const TilesInUse tiles(block_.convs && block_.conv[0].products16 == TILES);
    for (int y = from_; y < to_; y += step_) rows(y, std::min(y + step_, to_));
  }

private:
  void rows(int from, int to) {
    if (block_.head) {
      last_stage(from, to, IntoPanels{picture_, from, kept(block_.convs - 1)});
      if (block_.head == FACECODEC_COLOURS)
        head_colours(block_, frame_, picture_, from, to, head_weights_, head_bias_);
      else
        head_haar(block_, frame_, picture_, from, to, head_weights_, head_bias_);
      return;
    }
    last_stage(from, to, map_rows(block_.result, last_channels()));
  }

  int last_channels() const {
    return block_.convs ? block_.conv[block_.convs - 1].out : block_.channels;
  }

  // This band's rows of a map of so many channels.
  MapRows map_rows(void *maps, int channels) const {
    const bool planar = block_.layout == FACECODEC_PLANAR;
    const ptrdiff_t wide = planar ? block_.width : round_up(block_.width, PANEL);
    const ptrdiff_t bytes = block_.layout == FACECODEC_PANELS16 ? sizeof(Bf16) : sizeof(float);
    char *map = static_cast<char *>(maps);
    if (map) map += frame_ * channels * block_.height * wide * bytes;
    return {map, block_.layout, channels, block_.height, block_.width, from_, to_};
  }
  MapRows kept(int conv) const {
    return conv < 0 ? MapRows{} : map_rows(block_.kept[conv], block_.conv[conv].out);
  }

  template <typename Into> void last_stage(int from, int to, const Into &into) {
    if (block_.convs == 0) {
      make_source(block_, frame_, source_, to);
      copy_out(from, to, into);
    } else if (block_.convs == 1) {
      make_source(block_, frame_, source_, std::min(to + 1, block_.height));
      separable_rows(block_.conv[0], frame_, source_, panels_, from, to, into);
    } else {
      make_between(std::min(to + 1, block_.height));
      separable_rows(block_.conv[1], frame_, between_, panels_, from, to, into);
    }
  }

  void make_between(int until) {
    while (between_.made < until) {
      const int from = between_.made, to = std::min(from + step_, until);
      make_source(block_, frame_, source_, std::min(to + 1, block_.height));
      separable_rows(block_.conv[0], frame_, source_, panels_, from, to,
                     IntoLines{between_, kept(0)});
      between_.made = to;
    }
  }

  template <typename Into> void copy_out(int from, int to, const Into &into) {
    for (int c = 0; c < block_.channels; ++c)
      for (int y = from; y < to; ++y)
        for (int panel = 0; panel < round_up(block_.width, PANEL) / PANEL; ++panel) {
          const float *row = source_.row(c, y) + panel * PANEL;
          const Vec v[2] = {load(row), load(row + LANES)};
          into.put(c, y, panel, v);
        }
  }

  const FacecodecBlock &block_;
  int frame_, from_, to_, step_;
  Lines source_, between_;
  float *panels_ = nullptr, *head_weights_ = nullptr;
  Panels picture_{};
  float head_bias_[12] = {};
};

thread_local Scratch scratch;

// Bands: enough that all threads have work to the end, tall enough that their halo is cheap.
int bands_a_frame(const FacecodecBlock &block) {
  const int wanted = (4 * block.threads + block.frames - 1) / block.frames;
  const int tall = block.convs == 2 ? 32 : 2 * rows_a_step(block);
  const int fit = std::max(block.height / tall, std::min(block.threads, block.height / 4));
  return std::max(1, std::min(wanted, fit));
}

} // namespace
} // namespace facecodec

extern "C" int facecodec_lanes() { return facecodec::LANES; }

extern "C" int facecodec_products16() { return facecodec::products16(); }

// The sizes of the jobs in the order of LAUNCHERS in abi.py, so that the mirror can be checked.
extern "C" int facecodec_size(int which) {
  const int sizes[] = {
      sizeof(FacecodecBlock),     sizeof(FacecodecBackward), sizeof(FacecodecHaarBackward),
      sizeof(FacecodecModulated), sizeof(FacecodecSmooth),   sizeof(FacecodecColours),
      sizeof(FacecodecFir),       sizeof(FacecodecOctave),   sizeof(FacecodecDifference)};
  return sizes[which];
}

extern "C" int facecodec_block(const FacecodecBlock *given) {
  using namespace facecodec;
  const FacecodecBlock block = *given;
  const int bands = bands_a_frame(block), items = block.frames * bands;
  const int tall = round_up((block.height + bands - 1) / bands, 2);
  std::atomic<bool> failed{false};
#pragma omp parallel for schedule(dynamic) num_threads(block.threads)
  for (int item = 0; item < items; ++item) {
    const int from = item % bands * tall, to = std::min(from + tall, block.height);
    try {
      if (from < to) Band(block, item / bands, from, to, scratch).run();
    } catch (const std::exception &) {
      failed = true; // an exception may not leave a parallel region
    }
  }
  return failed ? 1 : 0;
}
