// Styles to pictures, by the kernels in WebAssembly.

import { BLOCKS } from "./network.js";

/** @typedef {import("./network.js").Network} Network */

/** Sides of the pictures that can be drawn, in pixels. */
export const SIZES = [128, 256, 512, 1024];

const FULL = 1024; // the generator's own side
const [GROUP, PAD, STRETCH, MARGIN, CODES] = [8, 16, 64, 4, 16]; // as in kernels.c
const HEAP = 1 << 17; // bytes: the stack lies before it
const PAGE = 1 << 16;

// The smallest module with an instruction of relaxed SIMD: whether the browser has it.
const RELAXED = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
);

/** The name of the fastest kernels that run here. */
export const kernelsName = () => (WebAssembly.validate(RELAXED) ? "kernels-relaxed.wasm" : "kernels.wasm");

/**
 * One separable convolution. taps [9][in] and style: of the layer with the same name.
 * @typedef {{ layer: import("./network.js").Layer, taps: Float32Array, at: number, struct: number[], inputs: number }} Conv
 */

/**
 * What a block is given for each frame: `up` and its gains, two convolutions, the head of the last.
 * @typedef {object} Block
 * @property {number} struct
 * @property {number} up
 * @property {number[]} order of the channels of its input
 * @property {import("./network.js").Layer} layer
 * @property {Omit<Conv, "struct">[]} convs
 * @property {Head | null} head
 */

/** @typedef {{ depth: number, given: Float32Array, weights: number, bias: number }} Head */

/** Draws with one network at one size. */
export class Renderer {
  /**
   * @param {WebAssembly.Module} kernels
   * @param {Network} network
   * @param {number} size side of the pictures in pixels, one of SIZES
   */
  constructor(kernels, network, size) {
    if (network.manifest.resolution !== FULL || !SIZES.includes(size)) {
      throw new Error(`cannot draw ${size} pixels of a generator of ${network.manifest.resolution}`);
    }
    this.network = network;
    this.size = size;
    // Blocks from this one on run at the size that is reached there; 512 and 1024 have all blocks.
    this.whole = size < FULL / 2 ? Math.log2(size / 4) : BLOCKS;
    this.haar = size === FULL;
    this.top = HEAP;
    this.memory = new WebAssembly.Memory({ initial: HEAP / PAGE });
    this.kernels = kernels;
    this.layers = new Map(network.layers.map((layer) => [layer.name, layer]));
    // Addresses in memory: of the input, its style, the first convolution, buffers, the picture.
    this.input = 0;
    this.firstStyle = 0;
    this.firstConv = 0;
    this.panel = 0;
    this.picture = 0;
    this.maps = [0, 0]; // between blocks, in turns
    /** @type {Block[]} */
    this.blocks = [];
    this.build();
    const { exports } = new WebAssembly.Instance(kernels, { env: { memory: this.memory } });
    this.runs = /** @type {Record<string, (...args: number[]) => void>} */ (exports);
  }

  /**
   * Draw one picture.
   * @param {Float32Array} styles
   * @returns {Uint8ClampedArray<ArrayBuffer>} RGBA [size][size][4]
   */
  draw(styles) {
    const floats = new Float32Array(this.memory.buffer);
    const of = (/** @type {{ offset: number, size: number }} */ layer) => styles.subarray(layer.offset, layer.offset + layer.size);
    floats.set(of(this.layer("conv1")), this.firstStyle >> 2);
    this.runs.first(this.input, this.firstStyle, this.firstConv, 4, this.panel, this.maps[1]);
    for (const block of this.blocks) {
      const [up, gains] = [of(block.layer), new Float32Array(block.order.length)];
      block.order.forEach((from, i) => {
        gains[i] = up[from] * 0.5;
      });
      floats.set(gains, block.up >> 2);
      for (const { layer, taps, at, inputs } of block.convs) {
        const style = of(layer);
        const scaled = new Float32Array(taps.length);
        for (let i = 0; i < taps.length; i += 1) scaled[i] = taps[i] * style[i % inputs];
        floats.set(scaled, at >> 2);
      }
      if (block.head) this.foldHead(floats, of(this.layer("to_img")), block.head);
      this.runs.block(block.struct);
    }
    const bytes = 4 * this.size * this.size;
    return new Uint8ClampedArray(this.memory.buffer.slice(this.picture, this.picture + bytes));
  }

  /** @param {string} name */
  layer(name) {
    return /** @type {import("./network.js").Layer} */ (this.layers.get(name));
  }

  /**
   * Room for floats, all zero; its address.
   * @param {number} count
   */
  room(count) {
    const at = this.top;
    this.top += (4 * count + 15) & ~15;
    const missing = this.top - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  /**
   * Put floats into memory; their address.
   * @param {ArrayLike<number>} values
   */
  put(values) {
    const at = this.room(values.length);
    new Float32Array(this.memory.buffer).set(values, at >> 2);
    return at;
  }

  /**
   * Put a structure of addresses and integers into memory.
   * @param {number[]} values
   */
  struct(values) {
    const at = this.room(values.length);
    new Int32Array(this.memory.buffer).set(values, at >> 2);
    return at;
  }

  build() {
    const { network } = this;
    const { tensor, shape } = { tensor: network.tensor.bind(network), shape: network.shape.bind(network) };
    const channels = shape("input")[0];
    this.input = this.put(lastChannels(tensor("input"), channels, 16));
    this.firstStyle = this.room(channels);
    const order = planar(shape("conv1.weight")[0]);
    this.firstConv = this.struct([
      0,
      this.put(packed(byTaps(tensor("conv1.weight"), channels), order, 9 * channels)),
      this.put(picked(tensor("conv1.bias"), order)),
      this.put(tensor("conv1.noise")),
      channels,
      order.length,
    ]);
    const plans = Array.from({ length: BLOCKS }, (_, k) => this.plan(k));
    const most = (/** @type {(plan: ReturnType<Renderer["plan"]>) => number} */ of) => Math.max(...plans.map(of));
    const ring = (/** @type {number} */ side, /** @type {number} */ n) => (rows(side) + MARGIN + 1) * (side + 2) * n;
    this.panel = this.room(Math.max(
      16 * (9 * channels + PAD),
      most(({ side, first, second }) => rows(side) * side * (Math.max(first.inputs, second.inputs) + PAD)),
    ));
    const rings = [this.room(most((p) => ring(p.side, p.channels))), this.room(most((p) => ring(p.side, p.first.outputs)))];
    const last = plans[BLOCKS - 1];
    const [row, codes] = [this.room(last.side * last.second.outputs), this.room(last.side * CODES)];
    this.picture = this.room(this.size * this.size);
    const parity = (/** @type {number} */ k) => plans.filter((_, i) => i % 2 === k && i < BLOCKS - 1);
    this.maps = [0, 1].map((k) => this.room(Math.max(
      16 * order.length, ...parity(k).map((plan) => plan.side * plan.side * plan.second.outputs),
    )));
    this.blocks = plans.map((plan, k) => {
      const convs = [this.conv(plan.first), this.conv(plan.second)];
      const up = this.room(plan.order.length);
      const head = k === BLOCKS - 1 ? this.head(last.second.outputs) : null;
      const struct = this.struct([
        this.maps[1 - (k % 2)], up, plan.channels, plan.side, Number(plan.low), plan.depth,
        ...convs.flatMap((conv) => conv.struct),
        this.maps[k % 2], head?.weights ?? 0, head?.bias ?? 0, Number(this.haar), this.picture,
        ...rings, this.panel, row, codes,
      ]);
      return {
        struct, up, head, order: plan.order, layer: this.layer(`${k}.up`),
        convs: convs.map(({ struct: _, ...conv }) => conv),
      };
    });
  }

  /**
   * The shapes of a block.
   * @param {number} k
   */
  plan(k) {
    const low = k >= this.whole;
    const side = low ? this.size : 8 << k;
    const channels = this.network.shape(`${k}.conv1.depthwise`)[0];
    const conv = (/** @type {string} */ name, /** @type {number[] | null} */ order) => {
      const [outputs, inputs] = this.network.shape(`${name}.weight`);
      return { name, inputs, outputs: order ? order.length : outputs, order: order ?? straight(outputs), side };
    };
    // The next block reads bands one after another; a low one only the first.
    const next = k + 1 < BLOCKS ? this.network.shape(`${k + 1}.conv1.depthwise`)[0] : 0;
    const read = !next ? null : k + 1 >= this.whole ? straight(next) : planar(4 * next);
    return {
      low, side, channels,
      depth: channels,
      order: low ? straight(channels) : planar(4 * channels),
      first: conv(`${k}.conv1`, null),
      second: conv(`${k}.conv2`, read),
    };
  }

  /**
   * @param {ReturnType<Renderer["plan"]>["first"]} plan
   * @returns {Conv}
   */
  conv({ name, inputs, order, side }) {
    const { network } = this;
    let [taps, noise] = [network.tensor(`${name}.depthwise`), network.tensor(`${name}.noise`)];
    for (let width = Math.sqrt(noise.length); width > side; width /= 2) {
      taps = halvedTaps(taps);
      noise = halvedNoise(noise, width);
    }
    const at = this.room(9 * inputs);
    const struct = [
      at,
      this.put(packed(network.tensor(`${name}.weight`), order, inputs)),
      this.put(picked(network.tensor(`${name}.bias`), order)),
      this.put(noise),
      inputs,
      order.length,
    ];
    return { layer: this.layer(name), taps: lastChannels(taps, inputs, 9), at, struct, inputs };
  }

  /**
   * @param {number} depth channels before the head
   * @returns {Head}
   */
  head(depth) {
    const bias = this.network.tensor("to_img.bias");
    const codes = new Float32Array(CODES);
    for (let band = 0; band < (this.haar ? 4 : 1); band += 1) {
      for (let c = 0; c < 3; c += 1) codes[4 * band + c] = 0.5 * bias[headRow(c, band)];
    }
    codes[3] = 1; // alpha
    return {
      depth, given: this.network.tensor("to_img.weight"), weights: this.room(CODES * depth), bias: this.put(codes),
    };
  }

  /**
   * The head's weights times its style.
   * @param {Float32Array} floats the memory
   * @param {Float32Array} style
   * @param {Head} head
   */
  foldHead(floats, style, { depth, given, weights }) {
    const scaled = new Float32Array(CODES * depth);
    for (let band = 0; band < (this.haar ? 4 : 1); band += 1) {
      for (let c = 0; c < 3; c += 1) {
        const [from, code] = [headRow(c, band) * depth, 4 * band + c];
        const to = Math.floor(code / GROUP) * depth * GROUP + (code % GROUP);
        for (let k = 0; k < depth; k += 1) scaled[to + k * GROUP] = 0.5 * given[from + k] * style[k];
      }
    }
    floats.set(scaled, weights >> 2);
  }
}

/** @param {number} side */
const rows = (side) => (side < STRETCH ? STRETCH / side : 1); // of a step

/** @param {number} count */
const straight = (count) => Array.from({ length: count }, (_, i) => i);

/**
 * Where the channels of a map of bands come from: ll of all, then lh, hl and hh of all. The
 * network has ll of all, then lh, hl, hh of each.
 * @param {number} count
 */
function planar(count) {
  const n = count / 4;
  return Array.from({ length: count }, (_, i) => (i < n ? i : n + 3 * (i % n) + Math.floor(i / n) - 1));
}

/**
 * The row of the head's weights that makes a band of a colour.
 * @param {number} colour
 * @param {number} band
 */
const headRow = (colour, band) => (band ? 3 + 3 * colour + band - 1 : colour);

/**
 * @param {Float32Array} values
 * @param {number[]} order
 */
const picked = (values, order) => Float32Array.from(order, (from) => values[from]);

/**
 * Weights [out][depth] as [out / GROUP][depth][GROUP], rows in another order.
 * @param {Float32Array} weights
 * @param {number[]} order
 * @param {number} depth
 */
function packed(weights, order, depth) {
  if (order.length % GROUP) throw new Error(`channels come in groups of ${GROUP}, not ${order.length}`);
  const out = new Float32Array(order.length * depth);
  order.forEach((from, i) => {
    const to = Math.floor(i / GROUP) * depth * GROUP + (i % GROUP);
    for (let k = 0; k < depth; k += 1) out[to + k * GROUP] = weights[from * depth + k];
  });
  return out;
}

/**
 * [channels][count] as [count][channels].
 * @param {Float32Array} values
 * @param {number} channels
 * @param {number} count
 */
function lastChannels(values, channels, count) {
  const out = new Float32Array(values.length);
  for (let c = 0; c < channels; c += 1) for (let i = 0; i < count; i += 1) out[i * channels + c] = values[c * count + i];
  return out;
}

/**
 * Weights [out][in][9] as [out][9][in].
 * @param {Float32Array} weights
 * @param {number} inputs
 */
function byTaps(weights, inputs) {
  const out = new Float32Array(weights.length);
  for (let from = 0; from < weights.length; from += 9 * inputs) {
    out.set(lastChannels(weights.subarray(from, from + 9 * inputs), inputs, 9), from);
  }
  return out;
}

const HALVE = [[0.5, 0, 0], [0.5, 1, 0.5], [0, 0, 0.5]];

/**
 * Filters [channels][3][3] that act on maps of half the size as these on whole ones.
 * @param {Float32Array} taps
 */
function halvedTaps(taps) {
  const out = new Float32Array(taps.length);
  for (let c = 0; c < taps.length; c += 9) {
    for (let p = 0; p < 3; p += 1) {
      for (let q = 0; q < 3; q += 1) {
        let sum = 0;
        for (let i = 0; i < 3; i += 1) for (let j = 0; j < 3; j += 1) sum += HALVE[p][i] * taps[c + 3 * i + j] * HALVE[q][j];
        out[c + 3 * p + q] = sum;
      }
    }
  }
  return out;
}

/**
 * Noise of half the width.
 * @param {Float32Array} noise
 * @param {number} width
 */
function halvedNoise(noise, width) {
  const half = width / 2;
  return Float32Array.from({ length: half * half }, (_, i) => {
    const at = 2 * Math.floor(i / half) * width + 2 * (i % half);
    return (noise[at] + noise[at + 1] + noise[at + width] + noise[at + width + 1]) / 4;
  });
}
