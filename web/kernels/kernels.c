// MobileStyleGAN in WebAssembly: freestanding C, built by build.sh into player/render/*.wasm.
//
// Maps lie as [row][column][channel], so that a vector is four channels of one pixel and edges
// need no shifts. What each step computes is defined by cuda_ops/backend.py; a block runs row by
// row through all of its stages, in rings of the last few rows.

#include <wasm_simd128.h>

typedef float Vec __attribute__((vector_size(16)));
#define INLINE static inline __attribute__((always_inline))
#define EXPORT(name) __attribute__((export_name(#name)))
#define UNROLL _Pragma("clang loop unroll(full)")

#ifdef __wasm_relaxed_simd__
#define MADD(a, b, c) __builtin_wasm_relaxed_madd_f32x4(a, b, c)
#else
#define MADD(a, b, c) ((a) * (b) + (c))
#endif

enum {
  LANES = 4,
  PIXELS = 4,    // that a product makes at once
  GROUP = 8,     // output channels that a product makes at once
  PAD = 16,      // floats between the pixels of a panel, against collisions in the cache
  STRETCH = 64,  // pixels a product works on at least, so that weights are used often
  MARGIN = 4,    // rows of a ring beside those that a step makes
  CODES = 16,    // outputs of the head: four bands, or one, of red, green, blue, alpha
  LEVELS = 4095, // of a pixel's largest channel, where products are of integers
};

// One separable convolution of one frame. The structures are mirrored in renderer.js.
typedef struct {
  const float *taps;    // [9][in], times the style
  const void *weights;  // floats [out / GROUP][in][GROUP], or shorts [out / GROUP][in / 2][GROUP][2]
  const float *units;   // of those shorts, [out]; null where weights are floats
  const float *bias;    // [out]
  const float *noise;   // [side][side]
  int in, out;
} Conv;

// One block of one frame.
typedef struct {
  const float *map; // its input, [side / 2][side / 2][4 channels], bands one after another; where
                    // it is low: [side][side][depth], of which the first channels are read
  const float *up;  // [4 channels], times a half; where it is low: [channels]
  int channels, side, low, depth;
  Conv first, second;
  float *result;            // [side][side][second.out], where there is no head
  const float *head;        // weights [CODES / GROUP][second.out][GROUP]; null before the last block
  const float *head_bias;   // [CODES]
  int haar;                 // whether the head makes four bands, or colours
  unsigned char *picture;   // RGBA
  float *rings[2], *panel, *row, *codes; // buffers
  float *strip, *scales;                 // more, for products of integers
} Block;

INLINE Vec splat(const float *p) { return (Vec)wasm_v128_load32_splat(p); }
INLINE Vec load(const float *p) { return *(const Vec *)p; }
INLINE void store(float *p, Vec v) { *(Vec *)p = v; }
INLINE Vec leaky(Vec v) { return (Vec)wasm_f32x4_pmax((v128_t)(v * 0.2f), (v128_t)v); }

// Products: pixels [count][depth], `stride` floats apart, by weights [groups][depth][GROUP].
// With noise [count] what follows a convolution is done too; without, only the bias is added.
static void product(const float *pixels, int stride, int count, int depth, const float *weights,
                    int groups, const float *bias, const float *noise, float *out, int out_stride) {
  for (int g = 0; g < groups; ++g) {
    const float *start = weights + g * depth * GROUP;
    const Vec left = load(bias + g * GROUP), right = load(bias + g * GROUP + LANES);
    for (int p = 0; p < count; p += PIXELS) {
      const float *from = pixels + p * stride, *w = start;
      Vec sums[PIXELS][2];
      UNROLL for (int i = 0; i < PIXELS; ++i) sums[i][0] = sums[i][1] = (Vec){0, 0, 0, 0};
      for (int k = 0; k < depth; ++k, w += GROUP) {
        const Vec a = load(w), b = load(w + LANES);
        UNROLL for (int i = 0; i < PIXELS; ++i) {
          const Vec x = splat(from + i * stride + k);
          sums[i][0] = MADD(a, x, sums[i][0]);
          sums[i][1] = MADD(b, x, sums[i][1]);
        }
      }
      UNROLL for (int i = 0; i < PIXELS; ++i) {
        float *to = out + (p + i) * out_stride + g * GROUP;
        Vec a = sums[i][0] + left, b = sums[i][1] + right;
        if (noise) {
          const Vec n = splat(noise + p + i);
          a = leaky(a + n);
          b = leaky(b + n);
        }
        store(to, a);
        store(to + LANES, b);
      }
    }
  }
}

// The same with integers, which x86 multiplies two at a time: pixels of `scales` [count], weights
// of `units`. No sum is over 2^31: renderer.js sees to it.
static void whole_product(const short *pixels, int stride, int count, const float *scales,
                          const Conv *conv, const float *noise, float *out, int out_stride) {
  const int depth = conv->in;
  for (int g = 0; g < conv->out / GROUP; ++g) {
    const short *start = (const short *)conv->weights + g * depth * GROUP;
    const float *bias = conv->bias + g * GROUP, *units = conv->units + g * GROUP;
    for (int p = 0; p < count; p += PIXELS) {
      const short *from = pixels + p * stride, *w = start;
      v128_t sums[PIXELS][2];
      UNROLL for (int i = 0; i < PIXELS; ++i) sums[i][0] = sums[i][1] = wasm_i32x4_splat(0);
      for (int k = 0; k < depth; k += 2, w += 2 * GROUP) {
        const v128_t a = wasm_v128_load(w), b = wasm_v128_load(w + GROUP);
        UNROLL for (int i = 0; i < PIXELS; ++i) {
          const v128_t x = wasm_v128_load32_splat(from + i * stride + k);
          sums[i][0] = wasm_i32x4_add(sums[i][0], wasm_i32x4_dot_i16x8(a, x));
          sums[i][1] = wasm_i32x4_add(sums[i][1], wasm_i32x4_dot_i16x8(b, x));
        }
      }
      UNROLL for (int i = 0; i < PIXELS; ++i) {
        float *to = out + (p + i) * out_stride + g * GROUP;
        const Vec scale = splat(scales + p + i), n = splat(noise + p + i);
        UNROLL for (int h = 0; h < GROUP / LANES; ++h) {
          const Vec sum = (Vec)wasm_f32x4_convert_i32x4(sums[i][h]);
          const Vec v = MADD(sum * scale, load(units + h * LANES), load(bias + h * LANES) + n);
          store(to + h * LANES, leaky(v));
        }
      }
    }
  }
}

// What a convolution does with its panel: pixels `at` and on, a row of them.
static void multiply(const Conv *conv, const float *panel, const float *scales, int at, int side,
                     const float *noise, float *out) {
  const int pitch = conv->in + PAD;
  if (conv->units)
    whole_product((const short *)panel + at * pitch, pitch, side, scales + at, conv, noise, out, conv->out);
  else
    product(panel + at * pitch, pitch, side, conv->in, conv->weights, conv->out / GROUP, conv->bias,
            noise, out, conv->out);
}

INLINE float largest(Vec v) {
  v = (Vec)wasm_f32x4_pmax((v128_t)v, wasm_i32x4_shuffle((v128_t)v, (v128_t)v, 2, 3, 0, 1));
  return v[0] > v[1] ? v[0] : v[1];
}

// Pixels [PIXELS][channels] as integers of up to LEVELS, `pitch` apart, and what one level is.
// Adding `magic` leaves the rounded integer in a float's lower bits.
static void to_levels(const float *strip, int channels, const Vec *most, short *to, int pitch,
                      float *scales) {
  const float magic = 0x1.8p23f;
  for (int i = 0; i < PIXELS; ++i, strip += channels, to += pitch) {
    const float peak = largest(most[i]), times = peak > 0 ? LEVELS / peak : 0;
    scales[i] = peak / LEVELS;
    for (int c = 0; c < channels; c += 2 * LANES) {
      const v128_t a = (v128_t)(load(strip + c) * times + magic);
      const v128_t b = (v128_t)(load(strip + c + LANES) * times + magic);
      wasm_v128_store(to + c, wasm_i16x8_shuffle(a, b, 0, 2, 4, 6, 8, 10, 12, 14));
    }
  }
}

// A row filtered 3x3 into a panel. Rows begin one pixel before the picture.
static void depthwise(const float *above, const float *here, const float *below, const float *taps,
                      int channels, int side, float *panel, float *strip, float *scales) {
  const float *rows[3] = {above, here, below};
  const int pitch = channels + PAD;
  for (int x = 0; x < side; x += PIXELS) {
    float *to = strip ? strip : panel + x * pitch;
    const int apart = strip ? channels : pitch;
    Vec most[PIXELS];
    UNROLL for (int i = 0; i < PIXELS; ++i) most[i] = (Vec){0, 0, 0, 0};
    for (int c = 0; c < channels; c += LANES) {
      Vec sums[PIXELS];
      UNROLL for (int i = 0; i < PIXELS; ++i) sums[i] = (Vec){0, 0, 0, 0};
      UNROLL for (int r = 0; r < 3; ++r) {
        const float *from = rows[r] + x * channels + c;
        Vec v[PIXELS + 2];
        UNROLL for (int i = 0; i < PIXELS + 2; ++i) v[i] = load(from + i * channels);
        UNROLL for (int t = 0; t < 3; ++t) {
          const Vec w = load(taps + (3 * r + t) * channels + c);
          UNROLL for (int i = 0; i < PIXELS; ++i) sums[i] = MADD(w, v[i + t], sums[i]);
        }
      }
      UNROLL for (int i = 0; i < PIXELS; ++i) {
        store(to + i * apart + c, sums[i]);
        most[i] = (Vec)wasm_f32x4_pmax((v128_t)most[i], wasm_f32x4_abs((v128_t)sums[i]));
      }
    }
    if (strip) to_levels(strip, channels, most, (short *)panel + x * pitch, pitch, scales + x);
  }
}

// The last few rows of a map, each with a pixel of nothing at either end.
typedef struct {
  float *data;
  const float *blank; // a row of nothing
  int channels, side, rows, made;
} Ring;

INLINE float *row_of(const Ring *ring, int y) {
  return ring->data + (y % ring->rows) * (ring->side + 2) * ring->channels;
}

INLINE const float *row_or_blank(const Ring *ring, int y) {
  return y < 0 || y >= ring->side ? ring->blank : row_of(ring, y);
}

static void clear(float *p, int count) {
  for (int i = 0; i < count; i += LANES) store(p + i, (Vec){0, 0, 0, 0});
}

static void open(Ring *ring, float *memory, int channels, int side, int rows) {
  const int length = (side + 2) * channels;
  clear(memory, (rows + 1) * length); // edges are never written again
  *ring = (Ring){memory + length, memory, channels, side, rows, 0};
}

// Rows of the source: gain and inverse Haar transform, or of a low block the gain alone.
static void make_source(const Block *b, Ring *ring, int until) {
  const int c4 = 4 * b->channels, n = b->channels, side = b->side;
  const float *up = b->up;
  for (; ring->made < until && ring->made < side; ring->made += b->low ? 1 : 2) {
    const int y = ring->made;
    if (b->low) {
      const float *from = b->map + y * side * b->depth;
      float *to = row_of(ring, y) + n;
      for (int x = 0; x < side; ++x, from += b->depth, to += n)
        for (int c = 0; c < n; c += LANES) store(to + c, load(from + c) * load(up + c));
      continue;
    }
    const float *from = b->map + (y / 2) * (side / 2) * c4;
    float *top = row_of(ring, y) + n, *bottom = row_of(ring, y + 1) + n;
    for (int x = 0; x < side / 2; ++x, from += c4, top += 2 * n, bottom += 2 * n)
      for (int c = 0; c < n; c += LANES) {
        const Vec ll = load(from + c) * load(up + c);
        const Vec lh = load(from + n + c) * load(up + n + c);
        const Vec hl = load(from + 2 * n + c) * load(up + 2 * n + c);
        const Vec hh = load(from + 3 * n + c) * load(up + 3 * n + c);
        store(top + c, ll + lh + (hl + hh));
        store(top + n + c, ll + lh - (hl + hh));
        store(bottom + c, ll - lh + (hl - hh));
        store(bottom + n + c, ll - lh - (hl - hh));
      }
  }
}

INLINE int smaller(int a, int b) { return a < b ? a : b; }

INLINE int rows_a_step(int side) { return side < STRETCH ? STRETCH / side : 1; }

static void filter(const Block *b, const Ring *ring, const Conv *conv, int from, int to) {
  const int side = ring->side, pitch = ring->channels + PAD;
  for (int y = from; y < to; ++y) {
    const int at = (y - from) * side;
    float *panel = conv->units ? (float *)((short *)b->panel + at * pitch) : b->panel + at * pitch;
    depthwise(row_or_blank(ring, y - 1), row_of(ring, y), row_or_blank(ring, y + 1), conv->taps,
              ring->channels, side, panel, conv->units ? b->strip : 0, b->scales + at);
  }
}

// Rows up to `until` of what is between both convolutions.
static void make_between(const Block *b, Ring *source, Ring *between, int until) {
  const Conv *conv = &b->first;
  const int side = b->side;
  until = smaller(until, side);
  while (between->made < until) {
    const int from = between->made, to = smaller(from + rows_a_step(side), until);
    make_source(b, source, to + 1);
    filter(b, source, conv, from, to);
    for (int y = from; y < to; ++y)
      multiply(conv, b->panel, b->scales, (y - from) * side, side, conv->noise + y * side,
               row_of(between, y) + conv->out);
    between->made = to;
  }
}

// Four colours in [-1, 1] as a pixel: rounded to even, clamped.
INLINE void put(unsigned char *to, Vec v) {
  const v128_t levels = wasm_f32x4_nearest((v128_t)(v * 127.5f + 127.5f));
  const v128_t words = wasm_i32x4_trunc_sat_f32x4(levels);
  const v128_t shorts = wasm_i16x8_narrow_i32x4(words, words);
  wasm_v128_store32_lane(to, wasm_u8x16_narrow_i16x8(shorts, shorts), 0);
}

// A row of the last map as one row of the picture, or two.
static void paint(const Block *b, int y) {
  const int side = b->side, depth = b->second.out;
  product(b->row, depth, side, depth, b->head, b->haar ? CODES / GROUP : 1, b->head_bias, 0,
          b->codes, CODES);
  const float *code = b->codes;
  if (!b->haar) {
    unsigned char *to = b->picture + 4 * y * side;
    for (int x = 0; x < side; ++x, code += CODES, to += 4) put(to, load(code));
    return;
  }
  unsigned char *top = b->picture + 16 * y * side, *bottom = top + 8 * side;
  for (int x = 0; x < side; ++x, code += CODES, top += 8, bottom += 8) {
    const Vec ll = load(code), lh = load(code + 4), hl = load(code + 8), hh = load(code + 12);
    put(top, ll + lh + (hl + hh));
    put(top + 4, ll + lh - (hl + hh));
    put(bottom, ll - lh + (hl - hh));
    put(bottom + 4, ll - lh - (hl - hh));
  }
}

EXPORT(block) void block(const Block *b) {
  const Conv *conv = &b->second;
  const int side = b->side, step = rows_a_step(side), rows = step + MARGIN;
  Ring source, between;
  open(&source, b->rings[0], b->channels, side, rows);
  open(&between, b->rings[1], b->first.out, side, rows);
  for (int from = 0; from < side; from += step) {
    const int to = smaller(from + step, side);
    make_between(b, &source, &between, to + 1);
    filter(b, &between, conv, from, to);
    for (int y = from; y < to; ++y) {
      float *out = b->head ? b->row : b->result + y * side * conv->out;
      multiply(conv, b->panel, b->scales, (y - from) * side, side, conv->noise + y * side, out);
      if (b->head) paint(b, y);
    }
  }
}

// The first convolution, 3x3 over all channels: map [side][side][in] times style [in], weights
// [out / GROUP][9 in][GROUP]; noise and bias as elsewhere.
EXPORT(first) void first(const float *map, const float *style, const Conv *conv, int side,
                         float *panel, float *result) {
  const int n = conv->in, depth = 9 * n;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      for (int t = 0; t < 9; ++t) {
        float *to = panel + (y * side + x) * (depth + PAD) + t * n;
        const int from_y = y + t / 3 - 1, from_x = x + t % 3 - 1;
        const int inside = from_y >= 0 && from_y < side && from_x >= 0 && from_x < side;
        if (!inside) {
          clear(to, n);
          continue;
        }
        const float *from = map + (from_y * side + from_x) * n;
        for (int c = 0; c < n; c += LANES) store(to + c, load(from + c) * load(style + c));
      }
  product(panel, depth + PAD, side * side, depth, conv->weights, conv->out / GROUP, conv->bias,
          conv->noise, result, conv->out);
}

// Whether integers are multiplied faster than floats: on x86, which multiplies and adds two at a
// time. ARM needs four instructions for that. They differ in the sign of 0 / 0.
EXPORT(integers) int integers(float zero) {
  const union {
    float value;
    int bits;
  } nan = {zero / zero};
  return nan.bits < 0;
}
