// Pictures in planes of luma and chroma to RGB, as planes.py's `_in_numpy` does it, to the bit: all
// sums are of whole numbers.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

extern "C" {

// Mirrored by `Job` of planes.py. Levels lie in 8 bits or, where `wide`, in 16.
struct FacecodecPlanes {
  const void *planes[3]; // Y, U, V
  int64_t strides[3];    // bytes from row to row
  void *rgb;             // [height, width, 3]
  int32_t width, height; // of luma and of the result
  int32_t across, down;  // whether chroma has half as many columns, and rows
  int32_t wide;          // whether a level of the planes takes 16 bits
  int32_t deep;          // whether one of the result does
  int32_t black, grey;   // levels of luma and chroma that are 0
  int32_t luma;          // fractions of a level of the result to one of luma
  int32_t chroma[3][2];  // and to a sixteenth of one of U and of V, for red, green and blue
  int32_t fraction;      // bits of them
};
}

namespace {

constexpr int COLOURS = 3;
constexpr int NEAR = 3;   // share of the nearer row or column of chroma, in fourths
constexpr int BLOCK = 64; // pixels that are worked on together

// What each column of chroma adds to the colours of a row, a fourth of it; the outermost go on.
template <typename Level>
void add_chroma(const FacecodecPlanes &job, int row, int columns, int32_t *const sums[COLOURS]) {
  const int rows = job.down ? (job.height + 1) / 2 : job.height;
  const int near = job.down ? row / 2 : row;
  const int far = job.down ? std::clamp(near + (row % 2 ? 1 : -1), 0, rows - 1) : near;
  const Level *lines[2][2];
  for (int plane = 0; plane < 2; ++plane) {
    const auto *start = static_cast<const uint8_t *>(job.planes[1 + plane]);
    lines[plane][0] = reinterpret_cast<const Level *>(start + near * job.strides[1 + plane]);
    lines[plane][1] = reinterpret_cast<const Level *>(start + far * job.strides[1 + plane]);
  }
  const int32_t grey = (NEAR + 1) * job.grey;
  for (int colour = 0; colour < COLOURS; ++colour) {
    const int32_t of_u = job.chroma[colour][0], of_v = job.chroma[colour][1];
    int32_t *into = sums[colour] + 1;
    for (int x = 0; x < columns; ++x) {
      const int32_t u = NEAR * lines[0][0][x] + lines[0][1][x] - grey;
      const int32_t v = NEAR * lines[1][0][x] + lines[1][1][x] - grey;
      into[x] = of_u * u + of_v * v;
    }
    into[-1] = into[0], into[columns] = into[columns - 1];
  }
}

template <typename Level, typename Out> void convert(const FacecodecPlanes &job) {
  constexpr int32_t LAST = sizeof(Out) == 1 ? 255 : 65535;
  const int columns = job.across ? (job.width + 1) / 2 : job.width;
  const int32_t half = 1 << job.fraction >> 1;
  std::vector<int32_t> room(COLOURS * int64_t(columns + 2 + BLOCK));
  int32_t *sums[COLOURS];
  for (int colour = 0; colour < COLOURS; ++colour)
    sums[colour] = room.data() + colour * int64_t(columns + 2 + BLOCK);
  for (int row = 0; row < job.height; ++row) {
    add_chroma<Level>(job, row, columns, sums);
    const auto *luma = reinterpret_cast<const Level *>(static_cast<const uint8_t *>(job.planes[0]) +
                                                       row * job.strides[0]);
    Out *to = static_cast<Out *>(job.rgb) + int64_t(row) * job.width * COLOURS;
    for (int start = 0; start < job.width; start += BLOCK) {
      const int count = std::min(BLOCK, job.width - start);
      Level rest[BLOCK] = {};
      if (count < BLOCK) std::memcpy(rest, luma + start, count * sizeof(Level));
      const Level *bright = count < BLOCK ? rest : luma + start;
      Out levels[COLOURS][BLOCK];
#pragma GCC unroll 3
      for (int colour = 0; colour < COLOURS; ++colour) {
        int32_t tint[BLOCK];
        if (job.across) {
          const int32_t *from = sums[colour] + 1 + start / 2;
          for (int x = 0; x < BLOCK / 2; ++x) {
            tint[2 * x] = NEAR * from[x] + from[x - 1];
            tint[2 * x + 1] = NEAR * from[x] + from[x + 1];
          }
        } else {
          const int32_t *from = sums[colour] + 1 + start;
          for (int x = 0; x < BLOCK; ++x) tint[x] = (NEAR + 1) * from[x];
        }
        for (int x = 0; x < BLOCK; ++x) {
          const int32_t sum = job.luma * (int32_t(bright[x]) - job.black) + tint[x] + half;
          levels[colour][x] = Out(std::clamp(sum >> job.fraction, 0, LAST));
        }
      }
      for (int x = 0; x < count; ++x)
        for (int colour = 0; colour < COLOURS; ++colour)
          to[COLOURS * (start + x) + colour] = levels[colour][x];
    }
  }
}

} // namespace

extern "C" {

int64_t facecodec_planes_size() { return sizeof(FacecodecPlanes); }

// Returns 0, or 1 where there is no memory.
int32_t facecodec_planes(const FacecodecPlanes *job) {
  try {
    if (job->wide)
      job->deep ? convert<uint16_t, uint16_t>(*job) : convert<uint16_t, uint8_t>(*job);
    else
      job->deep ? convert<uint8_t, uint16_t>(*job) : convert<uint8_t, uint8_t>(*job);
  } catch (const std::bad_alloc &) {
    return 1;
  }
  return 0;
}
}
