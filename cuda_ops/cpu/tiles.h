// AMX tiles: eight registers of 16 rows of 64 bytes, and the product of two of pairs of bf16,
// summed in float32. Where the processor has none they are plain C++ of the same meaning, slow, so
// that what is made of them is tested there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__linux__)
#define FACECODEC_AMX 1
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace facecodec {

constexpr int TILE = 16; // rows of a tile, and words of its row

#if FACECODEC_AMX

#define FACECODEC_TILE_ZERO(n) _tile_zero(n)
#define FACECODEC_TILE_LOAD(n, from, stride) _tile_loadd(n, from, stride)
#define FACECODEC_TILE_STORE(n, to, stride) _tile_stored(n, to, stride)
#define FACECODEC_TILE_MULTIPLY(sum, a, b) _tile_dpbf16ps(sum, a, b)

struct TileConfig {
  unsigned char palette = 1, start = 0, unused[14] = {};
  unsigned short bytes[16] = {};
  unsigned char rows[16] = {};
};

// Linux grants the tiles' state to a process that asks for it.
inline bool tiles_granted() {
  static const bool granted = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  return granted;
}

// Tiles set up for as long as this lives; a thread that keeps them pays at every switch.
struct TilesInUse {
  explicit TilesInUse(bool wanted) : on(wanted) {
    if (!on) return;
    TileConfig config;
    for (int i = 0; i < 8; ++i) {
      config.bytes[i] = 64;
      config.rows[i] = TILE;
    }
    _tile_loadconfig(&config);
  }
  ~TilesInUse() {
    if (on) _tile_release();
  }
  bool on;
};

#else

struct Tile {
  uint32_t words[TILE][TILE];
};

inline thread_local Tile tiles[8];

inline float lower_half(uint32_t word) {
  float value;
  word <<= 16;
  std::memcpy(&value, &word, sizeof value);
  return value;
}
inline float upper_half(uint32_t word) { return lower_half(word >> 16); }

inline void zero_tile(int n) { tiles[n] = Tile{}; }
inline void load_tile(int n, const void *from, ptrdiff_t stride) {
  for (int i = 0; i < TILE; ++i)
    std::memcpy(tiles[n].words[i], static_cast<const char *>(from) + i * stride, 64);
}
inline void store_tile(int n, void *to, ptrdiff_t stride) {
  for (int i = 0; i < TILE; ++i)
    std::memcpy(static_cast<char *>(to) + i * stride, tiles[n].words[i], 64);
}
inline void multiply_tiles(int sum, int a, int b) {
  for (int i = 0; i < TILE; ++i) {
    float row[TILE];
    std::memcpy(row, tiles[sum].words[i], sizeof row);
    for (int k = 0; k < TILE; ++k) {
      const float low = lower_half(tiles[a].words[i][k]), high = upper_half(tiles[a].words[i][k]);
      for (int j = 0; j < TILE; ++j)
        row[j] += low * lower_half(tiles[b].words[k][j]) + high * upper_half(tiles[b].words[k][j]);
    }
    std::memcpy(tiles[sum].words[i], row, sizeof row);
  }
}

#define FACECODEC_TILE_ZERO(n) zero_tile(n)
#define FACECODEC_TILE_LOAD(n, from, stride) load_tile(n, from, stride)
#define FACECODEC_TILE_STORE(n, to, stride) store_tile(n, to, stride)
#define FACECODEC_TILE_MULTIPLY(sum, a, b) multiply_tiles(sum, a, b)

struct TilesInUse {
  explicit TilesInUse(bool) {}
};

#endif

} // namespace facecodec
