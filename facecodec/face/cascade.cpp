// dlib's shape predictor in C++ (Kazemi and Sullivan 2014, One Millisecond Face Alignment with an
// Ensemble of Regression Trees): the same sums from the same file, several times as fast. Leaves
// are 16-bit and asked for ahead of their use; landmarks are not rounded to whole pixels.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace {

constexpr int LANDMARKS = 68, VALUES = 2 * LANDMARKS;
constexpr int STRIDE = 160;       // of the values of a leaf: five cache lines
constexpr int64_t MOST = 1 << 14; // cascades, trees, features or splits of one that are believed
constexpr int AHEAD = 6;          // trees whose leaves are on their way from memory
constexpr int LINE = 64;          // bytes of a cache line
// A number of the file is a byte with its sign and its length, and its bytes, the lowest first.
constexpr uint8_t NEGATIVE = 0x80, LENGTH = 0x0F;
constexpr int BYTES = 8, MOST_EXPONENT = 200;

struct Split {
  uint16_t first, second; // features
  float threshold;
};

struct Cascade {
  int trees, splits, levels, features; // splits of a tree, and those from its root to a leaf
  float scale;                         // of its leaves
  std::vector<Split> split;            // [trees, splits]
  std::unique_ptr<int16_t[]> memory;
  int16_t *leaves;             // [trees, splits + 1, STRIDE], aligned
  std::vector<int32_t> anchor; // [features]: a landmark
  std::vector<float> x, y;     // [features]: from the anchor, where the face is as the mean one
};

struct Model {
  float initial[VALUES];
  std::vector<Cascade> cascades;
};

struct Broken {};

// Reads dlib's serialisation; throws Broken for what is none.
class File {
public:
  File(const uint8_t *data, int64_t bytes) : at_(data), end_(data + bytes) {}

  int64_t whole() {
    if (at_ == end_) throw Broken();
    const uint8_t head = *at_++;
    const int length = head & LENGTH;
    if (length > BYTES || length > end_ - at_ || head & ~(NEGATIVE | LENGTH)) throw Broken();
    uint64_t value = 0;
    for (int i = 0; i < length; ++i) value |= uint64_t(at_[i]) << 8 * i;
    at_ += length;
    const auto made = int64_t(value);
    if (made < 0) throw Broken();
    return head & NEGATIVE ? -made : made;
  }

  int64_t count(int64_t most = MOST) {
    const int64_t value = whole();
    if (value < 0 || value > most) throw Broken();
    return value;
  }

  float number() {
    const int64_t mantissa = whole(), exponent = whole();
    if (std::abs(exponent) > MOST_EXPONENT) throw Broken();
    const auto value = float(std::ldexp(double(mantissa), int(exponent)));
    if (!std::isfinite(value)) throw Broken();
    return value;
  }

  void shape() { // of a matrix [VALUES, 1], which may be negated
    if (std::abs(whole()) != VALUES || std::abs(whole()) != 1) throw Broken();
  }

  bool over() const { return at_ == end_; }

private:
  const uint8_t *at_, *end_;
};

void read_trees(File &file, Cascade &cascade) {
  cascade.trees = int(file.count());
  cascade.splits = cascade.levels = 0;
  std::vector<float> values;
  float largest = 0;
  for (int t = 0; t < cascade.trees; ++t) {
    const int splits = int(file.count(255));
    if (t == 0) cascade.splits = splits;
    if (splits != cascade.splits || (splits & (splits + 1))) throw Broken();
    for (int i = 0; i < splits; ++i) {
      const auto first = uint16_t(file.count()), second = uint16_t(file.count());
      cascade.split.push_back({first, second, file.number()});
    }
    if (file.count() != splits + 1) throw Broken();
    for (int i = 0; i <= splits; ++i) {
      file.shape();
      for (int k = 0; k < VALUES; ++k) {
        values.push_back(file.number());
        largest = std::max(largest, std::abs(values.back()));
      }
    }
  }
  while (1 << cascade.levels <= cascade.splits) ++cascade.levels;
  const size_t leaves = values.size() / VALUES;
  cascade.scale = largest / INT16_MAX;
  cascade.memory.reset(new int16_t[leaves * STRIDE + LINE]());
  auto address = reinterpret_cast<uintptr_t>(cascade.memory.get());
  address = (address + LINE - 1) / LINE * LINE;
  cascade.leaves = reinterpret_cast<int16_t *>(address);
  for (size_t i = 0; i < values.size() && largest > 0; ++i)
    cascade.leaves[i / VALUES * STRIDE + i % VALUES] =
        int16_t(std::lround(values[i] / cascade.scale));
}

std::unique_ptr<Model> read_model(File file) {
  auto model = std::make_unique<Model>();
  if (file.whole() != 1) // the version
    throw Broken();
  file.shape();
  for (float &value : model->initial) value = file.number();
  model->cascades.resize(size_t(file.count()));
  for (Cascade &cascade : model->cascades) read_trees(file, cascade);
  if (file.count() != int64_t(model->cascades.size())) throw Broken();
  for (Cascade &cascade : model->cascades) {
    cascade.features = int(file.count());
    for (int i = 0; i < cascade.features; ++i)
      cascade.anchor.push_back(int32_t(file.count(LANDMARKS - 1)));
    for (const Split &split : cascade.split)
      if (split.first >= cascade.features || split.second >= cascade.features) throw Broken();
  }
  if (file.count() != int64_t(model->cascades.size())) throw Broken();
  for (Cascade &cascade : model->cascades) {
    if (file.count() != cascade.features) throw Broken();
    for (int i = 0; i < cascade.features; ++i) {
      cascade.x.push_back(file.number());
      cascade.y.push_back(file.number());
    }
  }
  if (!file.over()) throw Broken();
  return model;
}

// The turn and scale (a, b) of x' = a x - b y, y' = b x + a y that brings one shape nearest to
// another, whose places do not matter.
void turn_between(const float *from, const float *to, float &a, float &b) {
  double from_x = 0, from_y = 0, to_x = 0, to_y = 0;
  for (int k = 0; k < VALUES; k += 2) {
    from_x += from[k], from_y += from[k + 1];
    to_x += to[k], to_y += to[k + 1];
  }
  from_x /= LANDMARKS, from_y /= LANDMARKS, to_x /= LANDMARKS, to_y /= LANDMARKS;
  double along = 0, across = 0, square = 0;
  for (int k = 0; k < VALUES; k += 2) {
    const double x = from[k] - from_x, y = from[k + 1] - from_y;
    const double u = to[k] - to_x, v = to[k + 1] - to_y;
    along += x * u + y * v, across += x * v - y * u, square += x * x + y * y;
  }
  a = square > 0 ? float(along / square) : 1;
  b = square > 0 ? float(across / square) : 0;
}

// Boxes that are read together: what they have in common of trees and leaves is fetched once.
struct Readings {
  const Model &model;
  const uint8_t *chip; // [side, side]
  int side, count;
  const double *boxes;        // [count, 4]: left, top, right, bottom
  float *shapes;              // [count, VALUES], in units of their boxes
  std::vector<float> feature; // [count, features]
  std::vector<uint32_t> leaf; // [trees, count]
  std::vector<int32_t> sum;   // [count, STRIDE]
};

void read_features(Readings &all, const Cascade &cascade) {
  for (int r = 0; r < all.count; ++r) {
    const double *box = all.boxes + 4 * r;
    const float *shape = all.shapes + VALUES * r;
    const auto width = float(box[2] - box[0]), height = float(box[3] - box[1]);
    const auto left = float(box[0]) + 0.5f, top = float(box[1]) + 0.5f;
    const auto side = float(all.side);
    float *feature = all.feature.data() + size_t(r) * cascade.features;
    float a, b;
    turn_between(all.model.initial, shape, a, b);
    for (int i = 0; i < cascade.features; ++i) {
      const float *anchor = shape + 2 * cascade.anchor[i];
      const float u = anchor[0] + a * cascade.x[i] - b * cascade.y[i];
      const float v = anchor[1] + b * cascade.x[i] + a * cascade.y[i];
      const float x = left + width * u, y = top + height * v;
      const bool inside = x >= 0 && y >= 0 && x < side && y < side;
      feature[i] = inside ? float(all.chip[int(y) * all.side + int(x)]) : 0.0f;
    }
  }
}

void find_leaves(Readings &all, const Cascade &cascade) {
  const Split *split = cascade.split.data();
  uint32_t *leaf = all.leaf.data();
  for (int t = 0; t < cascade.trees; ++t, split += cascade.splits, leaf += all.count) {
    const float *feature = all.feature.data();
    for (int r = 0; r < all.count; ++r, feature += cascade.features) {
      uint32_t node = 0;
      for (int level = 0; level < cascade.levels; ++level) {
        const Split &at = split[node];
        node = 2 * node + 2 - (feature[at.first] - feature[at.second] > at.threshold);
      }
      leaf[r] = uint32_t(t) * uint32_t(cascade.splits + 1) + node - uint32_t(cascade.splits);
    }
  }
}

void add_leaves(Readings &all, const Cascade &cascade) {
  std::fill(all.sum.begin(), all.sum.end(), 0);
  const int total = cascade.trees * all.count;
  const uint32_t *leaf = all.leaf.data();
  for (int i = 0; i < total; i += all.count)
    for (int r = 0; r < all.count; ++r) {
      if (i + r + AHEAD < total) {
        const int16_t *coming = cascade.leaves + size_t(leaf[i + r + AHEAD]) * STRIDE;
        for (int k = 0; k < VALUES; k += LINE / 2) __builtin_prefetch(coming + k);
      }
      const int16_t *values = cascade.leaves + size_t(leaf[i + r]) * STRIDE;
      int32_t *sum = all.sum.data() + STRIDE * r;
      for (int k = 0; k < STRIDE; ++k) sum[k] += values[k];
    }
  for (int r = 0; r < all.count; ++r)
    for (int k = 0; k < VALUES; ++k)
      all.shapes[VALUES * r + k] += cascade.scale * float(all.sum[STRIDE * r + k]);
}

} // namespace

extern "C" {

// Returns the predictor in `data`, nullptr where that is no predictor of 68 landmarks.
void *facecodec_cascade_open(const uint8_t *data, int64_t bytes) {
  try {
    return read_model(File(data, bytes)).release();
  } catch (const Broken &) {
  } catch (const std::bad_alloc &) {
  }
  return nullptr;
}

void facecodec_cascade_close(void *model) { delete static_cast<Model *>(model); }

// Reads `readings` boxes [left, top, right, bottom] of a grey chip [side, side] into
// landmarks [readings, 68, 2], where whole numbers are the centres of pixels. Returns 0, or 1
// where there is no memory.
int facecodec_cascade_read(const void *model, const uint8_t *chip, int32_t side,
                           const double *boxes, int32_t readings, float *landmarks) {
  try {
    const auto &known = *static_cast<const Model *>(model);
    size_t features = 0, trees = 0;
    for (const Cascade &cascade : known.cascades) {
      features = std::max(features, size_t(cascade.features));
      trees = std::max(trees, size_t(cascade.trees));
    }
    const auto count = size_t(readings);
    Readings all{known,
                 chip,
                 side,
                 readings,
                 boxes,
                 landmarks,
                 std::vector<float>(count * features),
                 std::vector<uint32_t>(count * trees),
                 std::vector<int32_t>(count * STRIDE)};
    for (size_t r = 0; r < count; ++r)
      std::copy(known.initial, known.initial + VALUES, landmarks + VALUES * r);
    for (const Cascade &cascade : known.cascades) {
      read_features(all, cascade);
      find_leaves(all, cascade);
      add_leaves(all, cascade);
    }
    for (size_t i = 0; i < count * VALUES; ++i) {
      const double *box = boxes + i / VALUES * 4 + i % 2;
      landmarks[i] = float(box[0] + (box[2] - box[0]) * landmarks[i]);
    }
    return 0;
  } catch (const std::bad_alloc &) {
    return 1;
  }
}
}
