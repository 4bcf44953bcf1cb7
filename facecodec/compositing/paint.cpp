// A person laid into a part of a frame, in one pass over its pixels: what painting.py's `_in_torch`
// does, to a grey level. That says what is done and why; names here are its own.

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

extern "C" {

// Mirrored by `Job` of compiled.py. All lengths are in pixels, but where bytes are said.
struct FacecodecPaint {
  uint8_t *frame;        // RGB, the first pixel of the part
  int64_t frame_stride;  // bytes from row to row
  const void *square;    // RGB [side, side], levels of at most 10 bits
  const float *fields;   // [6, rows, columns]: a, b, ends, light of three colours
  const float *both;     // [6, spread, spread]: colours of the person, and of what is behind
  double origin[2];      // of the first pixel in the square, 0 to 1: across, down
  double right[2];       // what a pixel to the right adds
  double below[2];       // what a pixel below adds
  int32_t width, height; // of the part
  int32_t side;          // of the square
  int32_t wide;          // whether its levels lie in 16 bits, and not in 8
  int32_t rows, columns; // of the fields
  int32_t step;          // pixels of the part to one of the fields
  int32_t spread;
  float scale;  // grey levels to a level of the square
  float haze;   // of a map, taken for none of it
  float behind; // alpha up to which a pixel shows nothing of the person
  int32_t unused;
};
}

namespace {

constexpr int COLOURS = 3, FIELDS = 6;
constexpr int LINE_A = 0, LINE_B = 1, ENDS = 2, LIGHT = 3;
constexpr float GREY_LEVELS = 255;
constexpr int BITS = 10, MASK = (1 << BITS) - 1; // of a level, three to a word
constexpr int BLOCK = 64;                        // pixels that are worked on together

// Two neighbours on an axis of some pixels and the second one's share; the outermost goes on.
struct Between {
  int first, second;
  float share;

  Between(float at, int count) {
    at = std::min(std::max(at, 0.f), float(count - 1));
    first = int(at);
    second = std::min(first + 1, count - 1);
    share = at - float(first);
  }
};

inline float mixed(float one, float other, float share) { return one + share * (other - one); }

// The pixels of a square, a word each: so that one look brings all colours of one.
template <typename Level> void pack(const FacecodecPaint &job, uint32_t *words) {
  const auto *levels = static_cast<const Level *>(job.square);
  const int64_t count = int64_t(job.side) * job.side;
  for (int64_t at = 0; at < count; ++at)
    words[at] = uint32_t(levels[COLOURS * at]) | uint32_t(levels[COLOURS * at + 1]) << BITS |
                uint32_t(levels[COLOURS * at + 2]) << 2 * BITS;
}

// Some neighbours in a row of the part, and all that is known of them.
struct Block {
  alignas(64) float across[BLOCK], down[BLOCK];     // where they lie in the square
  alignas(64) float share_x[BLOCK], share_y[BLOCK]; // between four of its pixels
  alignas(64) uint32_t corners[4][BLOCK];           // which are these
  alignas(64) float fields[FIELDS][BLOCK];
  alignas(64) float colours[COLOURS][BLOCK], cover[BLOCK], alpha[BLOCK];
};

class Painter {
public:
  Painter(const FacecodecPaint &job, const uint32_t *words)
      : job(job), words(words), line(size_t(2) * FIELDS * job.width) {
    for (int x = 0; x < job.width; ++x)
      columns.emplace_back((float(x) + 0.5f) / float(job.step) - 0.5f, job.columns);
  }

  void run() {
    for (int y = 0; y < job.height; ++y) {
      const Between down((float(y) + 0.5f) / float(job.step) - 0.5f, job.rows);
      if (down.first != above) {
        above = down.first;
        widen(down.first, line.data());
        widen(down.second, line.data() + size_t(FIELDS) * job.width);
        find(down);
      }
      for (int x = begin; x < end; x += BLOCK) block(x, y, std::min(BLOCK, end - x), down.share);
    }
  }

private:
  const FacecodecPaint &job;
  const uint32_t *words;
  std::vector<float> line;      // two rows of the fields, as wide as the part: [2, FIELDS, width]
  std::vector<Between> columns; // the columns of the fields around each of the part
  int above = -1;               // the number of the first of them
  int begin = 0, end = 0;       // where the person may be between those

  const float *field(int number, int row) const {
    return job.fields + (int64_t(number) * job.rows + row) * job.columns;
  }

  // A row of the fields as fields of pixels, [FIELDS, width].
  void widen(int row, float *wide) const {
    for (int number = 0; number < FIELDS; ++number) {
      const float *from = field(number, row);
      float *to = wide + int64_t(number) * job.width;
      for (int x = 0; x < job.width; ++x)
        to[x] = mixed(from[columns[x].first], from[columns[x].second], columns[x].share);
    }
  }

  // Where between two rows the person may be, however bright the square is.
  void find(const Between &down) {
    int first = job.columns, last = -1;
    for (int column = 0; column < job.columns; ++column) {
      bool shows = false, open = false;
      for (int row : {down.first, down.second}) {
        const float a = field(LINE_A, row)[column], b = field(LINE_B, row)[column];
        shows = shows || b + std::max(a, 0.f) > job.haze;
        open = open || field(ENDS, row)[column] > 0;
      }
      if (shows && open) {
        first = std::min(first, column);
        last = column;
      }
    }
    // Half a block of the fields around its middle, and as far as it reaches into the next ones.
    begin = std::max((first - 1) * job.step, 0);
    end = std::min((last + 2) * job.step, job.width);
    if (last < 0) begin = end = 0;
  }

  // Some pixels of a row, beginning at x, y. share: of the second row of the fields.
  void block(int x, int y, int count, float share) const {
    Block now;
    const float left = float(job.origin[0] + x * job.right[0] + y * job.below[0]);
    const float top = float(job.origin[1] + x * job.right[1] + y * job.below[1]);
    const float right = float(job.right[0]), lower = float(job.right[1]);
    for (int k = 0; k < count; ++k) {
      now.across[k] = left + float(k) * right;
      now.down[k] = top + float(k) * lower;
    }
    sample(now, count);
    for (int number = 0; number < FIELDS; ++number) {
      const float *one = line.data() + int64_t(number) * job.width + x;
      const float *other = one + int64_t(FIELDS) * job.width;
      float *field = now.fields[number];
      for (int k = 0; k < count; ++k) field[k] = mixed(one[k], other[k], share);
    }
    if (cut(now, count))
      for (int k = 0; k < count; ++k)
        if (now.alpha[k] > 0 && now.cover[k] > job.behind && now.cover[k] < 1 - job.behind)
          unmix(now, k);
    lay(now, count, job.frame + y * job.frame_stride + int64_t(COLOURS) * x);
  }

  // The square's colours at the pixels.
  void sample(Block &now, int count) const {
    const uint32_t *const pixels = words;
    const int row = job.side;
    const float side = float(job.side), edge = side - 1, scale = job.scale;
    for (int k = 0; k < count; ++k) {
      const float at_x = std::min(std::max(now.across[k] * side - 0.5f, 0.f), edge);
      const float at_y = std::min(std::max(now.down[k] * side - 0.5f, 0.f), edge);
      const int x = int(at_x), y = int(at_y), at = y * row + x;
      const int next = at_x < edge ? 1 : 0, under = at_y < edge ? row : 0;
      now.share_x[k] = at_x - float(x);
      now.share_y[k] = at_y - float(y);
      now.corners[0][k] = pixels[at];
      now.corners[1][k] = pixels[at + next];
      now.corners[2][k] = pixels[at + under];
      now.corners[3][k] = pixels[at + under + next];
    }
    for (int colour = 0; colour < COLOURS; ++colour) {
      const int shift = BITS * colour;
      float *levels = now.colours[colour];
      for (int k = 0; k < count; ++k) {
        const float one = float(int32_t(now.corners[0][k] >> shift & MASK));
        const float two = float(int32_t(now.corners[1][k] >> shift & MASK));
        const float three = float(int32_t(now.corners[2][k] >> shift & MASK));
        const float four = float(int32_t(now.corners[3][k] >> shift & MASK));
        const float upper = mixed(one, two, now.share_x[k]);
        levels[k] = scale * mixed(upper, mixed(three, four, now.share_x[k]), now.share_y[k]);
      }
    }
  }

  // How much of the pixels the person covers; returns how many lie at an edge.
  int cut(Block &now, int count) const {
    const float haze = job.haze, rest = 1 / (1 - 2 * haze), behind = job.behind;
    int edges = 0;
    for (int k = 0; k < count; ++k) {
      const float bright = (now.colours[0][k] + now.colours[1][k] + now.colours[2][k]) *
                           (1 / (COLOURS * GREY_LEVELS));
      const float map = (now.fields[LINE_A][k] * bright + now.fields[LINE_B][k] - haze) * rest;
      const float cover = std::min(std::max(map, 0.f), 1.f);
      const bool inside =
          (now.across[k] >= 0) & (now.across[k] <= 1) & (now.down[k] >= 0) & (now.down[k] <= 1);
      now.cover[k] = cover;
      now.alpha[k] = inside ? cover * now.fields[ENDS][k] : 0;
      edges += (cover > behind) & (cover < 1 - behind);
    }
    return edges;
  }

  // Lay the pixels over those of the frame.
  static void lay(const Block &now, int count, uint8_t *pixels) {
    alignas(64) float under[COLOURS][BLOCK];
    alignas(64) int32_t result[COLOURS][BLOCK];
    for (int k = 0; k < count; ++k)
      for (int colour = 0; colour < COLOURS; ++colour)
        under[colour][k] = pixels[COLOURS * k + colour];
    for (int colour = 0; colour < COLOURS; ++colour)
      for (int k = 0; k < count; ++k) {
        const float lit = now.colours[colour][k] + now.fields[LIGHT + colour][k];
        const float level = under[colour][k] + now.alpha[k] * (lit - under[colour][k]);
        result[colour][k] = int32_t(std::min(std::max(level, 0.f), GREY_LEVELS) + 0.5f);
      }
    for (int k = 0; k < count; ++k)
      for (int colour = 0; colour < COLOURS; ++colour)
        pixels[COLOURS * k + colour] = uint8_t(result[colour][k]);
  }

  // Make the colours of a mixture those without what is behind.
  void unmix(Block &now, int k) const {
    const float cover = now.cover[k], x = now.across[k], y = now.down[k];
    const Between across(x * float(job.spread) - 0.5f, job.spread);
    const Between down(y * float(job.spread) - 0.5f, job.spread);
    const auto spread = [&](int layer) {
      const float *plane = job.both + int64_t(layer) * job.spread * job.spread;
      const float *upper = plane + down.first * job.spread;
      const float *lower = plane + down.second * job.spread;
      return mixed(mixed(upper[across.first], upper[across.second], across.share),
                   mixed(lower[across.first], lower[across.second], across.share), down.share);
    };
    for (int colour = 0; colour < COLOURS; ++colour) {
      const float front = spread(colour), back = spread(COLOURS + colour);
      float &own = now.colours[colour][k];
      own = front + cover * (own - cover * front - (1 - cover) * back);
      own = std::min(std::max(own, 0.f), GREY_LEVELS);
    }
  }
};

// The means of squares of factor x factor pixels, [COLOURS, side / factor, side / factor].
void shrink(const uint8_t *square, int side, int factor, float *means) {
  const int small = side / factor, row = COLOURS * side;
  std::vector<uint16_t> sums(row); // of at most 256 rows
  for (int y = 0; y < small; ++y) {
    std::fill(sums.begin(), sums.end(), uint16_t(0));
    for (int line = 0; line < factor; ++line) {
      const uint8_t *levels = square + (int64_t(y) * factor + line) * row;
      uint16_t *total = sums.data();
      for (int at = 0; at < row; ++at) total[at] = uint16_t(total[at] + levels[at]);
    }
    for (int x = 0; x < small; ++x)
      for (int colour = 0; colour < COLOURS; ++colour) {
        int total = 0;
        for (int k = 0; k < factor; ++k) total += sums[COLOURS * (x * factor + k) + colour];
        means[(int64_t(colour) * small + y) * small + x] = float(total) / float(factor * factor);
      }
  }
}

} // namespace

extern "C" {

// square: RGB [side, side]; means: [3, side / factor, side / factor]; factor: 256 at most. Returns
// 1 where there is no memory.
int32_t facecodec_shrink(const uint8_t *square, int32_t side, int32_t factor, float *means) {
  try {
    shrink(square, side, factor, means);
  } catch (const std::bad_alloc &) {
    return 1;
  }
  return 0;
}

int64_t facecodec_paint_size() { return sizeof(FacecodecPaint); }

// Returns 1 where there is no memory.
int32_t facecodec_paint(const FacecodecPaint *job) {
  try {
    thread_local std::vector<uint32_t> words; // fresh memory for every frame would cost as much
    words.resize(size_t(job->side) * job->side);
    if (job->wide)
      pack<uint16_t>(*job, words.data());
    else
      pack<uint8_t>(*job, words.data());
    Painter(*job, words.data()).run();
  } catch (const std::bad_alloc &) {
    return 1;
  }
  return 0;
}
}
