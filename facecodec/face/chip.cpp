// The chip in which a face is read: a square of a frame in grey, where dlib's `extract_image_chip`
// puts it (King 2009, Dlib-ml).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>
#include <vector>

extern "C" {

// Draws what a square of a frame [height, width, 3] shows into a grey chip [side, side], black
// outside of the frame. place: the square's corner, x and y, and its two edges, in pixels of the
// frame. Pixels are means of `block` x `block` of the frame's before they are interpolated.
// Returns 0, or 1 where there is no memory.
int facecodec_grey_chip(const uint8_t *frame, int32_t height, int32_t width, const double *place,
                        int32_t block, int32_t side, uint8_t *chip) {
  try {
    // the part that the square covers, in blocks
    double low[2], high[2];
    for (int i = 0; i < 2; ++i) {
      const double corner = place[i], u = place[2 + i], v = place[4 + i];
      low[i] = corner + std::min(u, 0.0) + std::min(v, 0.0);
      high[i] = corner + std::max(u, 0.0) + std::max(v, 0.0);
    }
    const int size[2] = {width / block, height / block};
    int first[2], count[2];
    for (int i = 0; i < 2; ++i) {
      const auto begin = std::clamp(std::floor(low[i] / block) - 2, 0.0, double(size[i]));
      const auto end = std::clamp(std::ceil(high[i] / block) + 2, begin, double(size[i]));
      first[i] = int(begin), count[i] = int(end) - int(begin);
    }
    std::fill(chip, chip + size_t(side) * side, uint8_t(0));
    if (count[0] < 2 || count[1] < 2) return 0;
    std::vector<float> plane(size_t(count[0]) * count[1]);
    std::vector<uint32_t> sums(count[0]);
    const float mean = 1.0f / (3.0f * float(block) * float(block));
    for (int y = 0; y < count[1]; ++y) {
      std::fill(sums.begin(), sums.end(), 0u);
      for (int row = 0; row < block; ++row) {
        const size_t line = size_t(first[1] + y) * block + row;
        const uint8_t *at = frame + 3 * (line * width + size_t(first[0]) * block);
        for (int x = 0; x < count[0]; ++x) {
          uint32_t sum = 0;
          for (int k = 0; k < 3 * block; ++k) sum += at[k];
          sums[x] += sum;
          at += 3 * block;
        }
      }
      for (int x = 0; x < count[0]; ++x) plane[size_t(y) * count[0] + x] = mean * float(sums[x]);
    }
    const auto step = float(1.0 / (double(side - 1) * block));
    const float du[2] = {float(place[2]) * step, float(place[3]) * step};
    const float dv[2] = {float(place[4]) * step, float(place[5]) * step};
    // As dlib does: the square's edges are the centres of the outer pixels, and its pyramid, whose
    // levels have these blocks, puts a point a quarter of a pixel to the left and down of its own.
    const double centre = 0.5, off = 0.5 * (1 - 1.0 / block);
    const float from[2] = {float((place[0] + centre) / block - 0.5 - first[0] - off),
                           float((place[1] + centre) / block - 0.5 - first[1] + off)};
    const auto right = float(count[0] - 1), bottom = float(count[1] - 1);
    for (int i = 0; i < side; ++i)
      for (int j = 0; j < side; ++j) {
        const auto u = float(j), v = float(i);
        const float x = from[0] + u * du[0] + v * dv[0], y = from[1] + u * du[1] + v * dv[1];
        if (!(x >= 0 && y >= 0 && x < right && y < bottom)) continue;
        const int column = int(x), line = int(y);
        const float p = x - float(column), q = y - float(line);
        const float *at = plane.data() + size_t(line) * count[0] + column;
        const float upper = at[0] + p * (at[1] - at[0]);
        const float *below = at + count[0];
        const float lower = below[0] + p * (below[1] - below[0]);
        chip[size_t(i) * side + j] = uint8_t(upper + q * (lower - upper) + 0.5f);
      }
    return 0;
  } catch (const std::bad_alloc &) {
    return 1;
  }
}
}
