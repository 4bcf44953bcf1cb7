// The tracks of a segment in C++: bit for bit what tracks.py, binarise.py and range_coder.py do,
// for streams of many frames. Those say what is done and why; names here are theirs.

#include <algorithm>
#include <cstdint>
#include <cstdlib>

extern "C" {

// Mirrored by `Job` of compiled.py.
struct FacecodecTrack {
  // The range coder. out: the bytes coded so far, with room for `room`; data: the bytes to decode.
  int32_t *fast;
  int32_t *slow;
  uint64_t low;
  uint64_t range;
  uint64_t code;
  uint8_t *out;
  int64_t written;
  int64_t room;
  const uint8_t *data;
  int64_t bytes;
  int64_t position;
  // The track. levels: [frames, width], read by the encoder, written by the decoder.
  int64_t *levels;
  int32_t frames;
  int32_t width;
  int32_t base;
  int32_t decodes;
  int32_t begins; // whether `last` is still to come
  int32_t unused;
  // Its memory, each [width].
  int64_t *last;
  int64_t *short_;
  int64_t *medium;
  int64_t *long_;
  int64_t *drift;
  int64_t *before;
};
}

namespace {

enum Failure { NONE = 0, OUT_OF_RANGE = 1, TOO_MANY_BITS = 2, NO_ENCODER = 3, NO_ROOM = 4 };

constexpr uint64_t MIN_RANGE = 1u << 24, MAX_RANGE = 0xFFFFFFFFu;
constexpr int32_t PROBABILITY_ONE = 1 << 16;
constexpr int FAST_SHIFT = 4, SLOW_SHIFT = 7;
constexpr int UNARY = 14, SIGNED_SIZE = 2 + UNARY, MAX_GOLOMB_BITS = 48;
constexpr int64_t MAX_LEVEL = (1 << 18) - 1;

constexpr int OWN_LEVELS = 8, USUAL_LEVELS = 8, CALM_LEVELS = 8, NEAR_LEVELS = 4, MAX_TOWARDS = 3;
constexpr int64_t MAX_SIZE = 64;
constexpr int64_t FELL = 0, STAYED = 1, ROSE = 2;

constexpr int FIRST = 0;
constexpr int MOVED_A = FIRST + SIGNED_SIZE;
constexpr int MOVED_B = MOVED_A + OWN_LEVELS * USUAL_LEVELS;
constexpr int DOWN = MOVED_B + NEAR_LEVELS * CALM_LEVELS * (1 + MAX_TOWARDS);
constexpr int SIZE_A = DOWN + (2 * MAX_TOWARDS + 1) * 3;
constexpr int SIZE_B = SIZE_A + OWN_LEVELS * UNARY;

constexpr int SHORT_UNITS = 8, SHORT_BITS = 1, MEDIUM_UNITS = 16, MEDIUM_BITS = 3;
constexpr int LONG_UNITS = 64, LONG_BITS = 4, DRIFT_UNITS = 16, DRIFT_BITS = 1;
constexpr int AROUND_UNITS = 2, AROUND_BITS = 1;
constexpr int OWN_SHIFT = 2, CALM_SHIFT = 2, USUAL_SHIFT = 3, NEAR_SHIFT = 1, TOWARDS_SHIFT = 2;

constexpr int64_t half(int bits) { return int64_t(1) << (bits - 1); }
constexpr int64_t up(int bits) { return (int64_t(1) << bits) - 1; }

// What both directions share; DECODES says which one it is.
template <bool DECODES> class Coder {
public:
  explicit Coder(FacecodecTrack &job) : job_(job) {}

  Failure failure = NONE;

  bool bit(int context, bool bit) {
    const uint64_t mean = uint64_t(job_.fast[context] + job_.slow[context]) >> 1;
    return coded(mean, bit, context, -1);
  }

  bool pair(int first, int second, bool bit) {
    const int32_t *fast = job_.fast, *slow = job_.slow;
    const uint64_t mean = uint64_t(fast[first] + slow[first] + fast[second] + slow[second]) >> 2;
    return coded(mean, bit, first, second);
  }

  bool even(bool bit) {
    job_.range >>= 1;
    if (DECODES) {
      bit = job_.code < job_.range;
      if (!bit) {
        job_.code -= job_.range;
        if (job_.code >= job_.range) failure = NO_ENCODER;
      }
    } else if (!bit) {
      job_.low += job_.range;
    }
    shift();
    return bit;
  }

  int64_t exp_golomb(int64_t value) {
    value += 1;
    int width = 1;
    while (value >> width) ++width;
    int count = 1;
    while (failure == NONE && !even(width == count))
      if (++count > MAX_GOLOMB_BITS) failure = TOO_MANY_BITS;
    int64_t result = 1;
    for (int place = count - 2; place >= 0 && failure == NONE; --place)
      result = result << 1 | int64_t(even(value >> place & 1));
    return result - 1;
  }

  int64_t signed_value(int context, int64_t value) {
    if (!bit(context, value != 0)) return 0;
    const bool negative = bit(context + 1, value < 0);
    const int64_t size = std::abs(value);
    int64_t magnitude = 0;
    for (int step = 0; step < UNARY && !magnitude; ++step)
      if (!bit(context + 2 + step, size > step + 1)) magnitude = step + 1;
    if (!magnitude) magnitude = UNARY + 1 + exp_golomb(size - UNARY - 1);
    return negative ? -magnitude : magnitude;
  }

  int64_t magnitude_pair(int first, int second, int64_t size) {
    for (int step = 0; step < UNARY; ++step)
      if (!pair(first + step, second + step, size > step + 1)) return step + 1;
    return UNARY + 1 + exp_golomb(size - UNARY - 1);
  }

private:
  FacecodecTrack &job_;

  bool coded(uint64_t mean, bool bit, int first, int second) {
    const uint64_t bound = (job_.range >> 16) * mean;
    if (DECODES) bit = job_.code < bound;
    if (bit) {
      job_.range = bound;
    } else {
      if constexpr (DECODES)
        job_.code -= bound;
      else
        job_.low += bound;
      job_.range -= bound;
    }
    adapt(first, bit);
    if (second >= 0) adapt(second, bit);
    shift();
    return bit;
  }

  void adapt(int context, bool bit) {
    int32_t &fast = job_.fast[context], &slow = job_.slow[context];
    if (bit) {
      fast += (PROBABILITY_ONE - fast) >> FAST_SHIFT;
      slow += (PROBABILITY_ONE - slow) >> SLOW_SHIFT;
    } else {
      fast -= fast >> FAST_SHIFT;
      slow -= slow >> SLOW_SHIFT;
    }
  }

  void shift() {
    while (job_.range < MIN_RANGE && failure == NONE) {
      job_.range <<= 8;
      if (DECODES) {
        const int64_t place = job_.position++;
        job_.code = job_.code << 8 | (place < job_.bytes ? job_.data[place] : 0);
      } else {
        byte();
      }
    }
  }

  void byte() {
    if (job_.written >= job_.room) {
      failure = NO_ROOM;
      return;
    }
    if (job_.low > MAX_RANGE) { // carry into the bytes already out
      job_.low &= MAX_RANGE;
      int64_t place = job_.written - 1;
      while (place > 0 && job_.out[place] == 255) job_.out[place--] = 0;
      if (place >= 0) ++job_.out[place];
    }
    job_.out[job_.written++] = uint8_t(job_.low >> 24);
    job_.low = (job_.low << 8) & MAX_RANGE;
  }
};

template <bool DECODES> void code_first(Coder<DECODES> &coder, FacecodecTrack &job) {
  bool beyond = false;
  for (int i = 0; i < job.width && coder.failure == NONE; ++i) {
    const int64_t value = coder.signed_value(job.base + FIRST, job.levels[i]);
    job.last[i] = job.levels[i] = value;
    beyond |= std::abs(value) > MAX_LEVEL;
  }
  if (beyond && coder.failure == NONE) coder.failure = OUT_OF_RANGE;
}

template <bool DECODES> void code_next(Coder<DECODES> &coder, FacecodecTrack &job, int64_t *row) {
  int64_t around = 0;
  for (int i = 0; i < job.width && coder.failure == NONE; ++i) {
    int64_t &last = job.last[i], &before = job.before[i], &drift = job.drift[i];
    int64_t &short_ = job.short_[i], &medium = job.medium[i], &long_ = job.long_[i];
    const int own = int(std::min<int64_t>((short_ + up(OWN_SHIFT)) >> OWN_SHIFT, OWN_LEVELS - 1));
    const int calm = int(std::min<int64_t>(medium >> CALM_SHIFT, CALM_LEVELS)) - 1;
    const int usual = int(std::min<int64_t>(long_ >> USUAL_SHIFT, USUAL_LEVELS)) - 1;
    const int near =
        int(std::min<int64_t>((around + up(NEAR_SHIFT)) >> NEAR_SHIFT, NEAR_LEVELS - 1));
    const int towards = int(std::clamp<int64_t>((drift + half(TOWARDS_SHIFT)) >> TOWARDS_SHIFT,
                                                -MAX_TOWARDS, MAX_TOWARDS));
    int64_t change = row[i] - last, size = 0;
    const int first = job.base + MOVED_A + own * USUAL_LEVELS + usual;
    const int second = job.base + MOVED_B + (near * CALM_LEVELS + calm) * (1 + MAX_TOWARDS);
    if (coder.pair(first, second + std::abs(towards), change != 0)) {
      const int where = job.base + DOWN + (towards + MAX_TOWARDS) * 3 + int(before);
      const bool fell = coder.bit(where, change < 0);
      size = coder.magnitude_pair(job.base + SIZE_A + own * UNARY, job.base + SIZE_B + calm * UNARY,
                                  std::abs(change));
      before = fell ? FELL : ROSE;
      last += fell ? -size : size;
      if (std::abs(last) > MAX_LEVEL && coder.failure == NONE) coder.failure = OUT_OF_RANGE;
      size = std::min(size, MAX_SIZE);
      change = fell ? -size : size;
    } else {
      before = STAYED;
      change = 0;
    }
    short_ += (SHORT_UNITS * size - short_ + half(SHORT_BITS)) >> SHORT_BITS;
    medium += (MEDIUM_UNITS * size - medium + half(MEDIUM_BITS)) >> MEDIUM_BITS;
    long_ += (LONG_UNITS * size - long_ + half(LONG_BITS)) >> LONG_BITS;
    drift += (DRIFT_UNITS * change - drift) >> DRIFT_BITS;
    around += (AROUND_UNITS * size - around + half(AROUND_BITS)) >> AROUND_BITS;
    row[i] = last;
  }
}

template <bool DECODES> int32_t code_track(FacecodecTrack &job) {
  Coder<DECODES> coder(job);
  for (int row = 0; row < job.frames && coder.failure == NONE; ++row) {
    if (row == 0 && job.begins)
      code_first(coder, job);
    else
      code_next(coder, job, job.levels + int64_t(row) * job.width);
  }
  return coder.failure;
}

} // namespace

extern "C" int32_t facecodec_code_track(FacecodecTrack *job) {
  return job->decodes ? code_track<true>(*job) : code_track<false>(*job);
}

extern "C" int64_t facecodec_track_size() { return sizeof(FacecodecTrack); }
