// Styles to pictures, by the kernels in WebAssembly.

import { BLOCKS } from "./network.js";
import { grouped, inLevels } from "./pack.js";
import { CODES, firstConv, foldedHead, headBias, planBlocks } from "./plan.js";

/** @typedef {import("./network.js").Network} Network */

/** Sides of the pictures that can be drawn, in pixels. */
export const SIZES = [128, 256, 512, 1024];

const FULL = 1024; // the generator's own side
const [PIXELS, PAD, STRETCH, MARGIN] = [4, 16, 64, 4]; // as in kernels.c
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
 * The taps of a convolution [9][inputs], the layer whose style scales them, and their address.
 * @typedef {{ layer: import("./network.js").Layer, taps: Float32Array, at: number, inputs: number }} Conv
 */

/**
 * What a block is given for each frame: `up` and its gains, two convolutions, the head of the last.
 * @typedef {object} Block
 * @property {number} struct
 * @property {number} up
 * @property {number[]} order of the channels of its input
 * @property {import("./network.js").Layer} layer
 * @property {Conv[]} convs
 * @property {Head | null} head
 */

/** @typedef {{ depth: number, given: Float32Array, weights: number, bias: number }} Head */

/** Draws with one network at one size. */
export class Renderer {
  /**
   * @param {WebAssembly.Module} kernels
   * @param {Network} network
   * @param {number} size side of the pictures in pixels, one of SIZES
   * @param {boolean | null} integers whether products are of integers of 16 bits; null: where that is faster
   */
  constructor(kernels, network, size, integers = null) {
    if (network.manifest.resolution !== FULL || !SIZES.includes(size)) {
      throw new Error(`cannot draw ${size} pixels of a generator of ${network.manifest.resolution}`);
    }
    this.network = network;
    this.size = size;
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
    const { exports } = new WebAssembly.Instance(kernels, { env: { memory: this.memory } });
    this.runs = /** @type {Record<string, (...args: number[]) => number>} */ (exports);
    this.integers = integers ?? this.runs.integers(0) > 0;
    this.build();
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
      if (block.head) {
        const { given, depth, weights } = block.head;
        floats.set(grouped(foldedHead(given, of(this.layer("to_img")), depth, this.haar), CODES), weights >> 2);
      }
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
   * Put floats or integers into memory; their address.
   * @param {Float32Array | Int16Array} values
   */
  put(values) {
    const at = this.room(Math.ceil(values.byteLength / 4));
    const { buffer } = this.memory;
    (values instanceof Int16Array ? new Int16Array(buffer, at) : new Float32Array(buffer, at)).set(values);
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
    const first = firstConv(network);
    this.input = this.put(first.map);
    this.firstStyle = this.room(first.inputs);
    this.firstConv = this.struct(this.constants(0, first, false));
    const plans = planBlocks(network, this.size);
    const most = (/** @type {(plan: import("./plan.js").BlockPlan) => number} */ of) => Math.max(...plans.map(of));
    const ring = (/** @type {number} */ side, /** @type {number} */ n) => (rows(side) + MARGIN + 1) * (side + 2) * n;
    this.panel = this.room(Math.max(
      16 * (9 * first.inputs + PAD),
      most(({ side, convs }) => rows(side) * side * (Math.max(...convs.map((conv) => conv.inputs)) + PAD)),
    ));
    const rings = [
      this.room(most(({ side, channels }) => ring(side, channels))),
      this.room(most(({ side, convs }) => ring(side, convs[0].order.length))),
    ];
    const last = plans[BLOCKS - 1];
    const depth = last.convs[1].order.length;
    const [row, codes] = [this.room(last.side * depth), this.room(last.side * CODES)];
    const strip = this.room(PIXELS * most(({ convs }) => Math.max(...convs.map((conv) => conv.inputs))));
    const scales = this.room(most(({ side }) => rows(side) * side));
    this.picture = this.room(this.size * this.size);
    const parity = (/** @type {number} */ k) => plans.filter((_, i) => i % 2 === k && i < BLOCKS - 1);
    this.maps = [0, 1].map((k) => this.room(Math.max(
      16 * first.order.length, ...parity(k).map(({ side, convs }) => side * side * convs[1].order.length),
    )));
    this.blocks = plans.map((plan, k) => {
      const convs = plan.convs.map(({ name, taps, inputs }) => ({ layer: this.layer(name), taps, at: this.room(taps.length), inputs }));
      const up = this.room(plan.order.length);
      const head = k === BLOCKS - 1
        ? { depth, given: network.tensor("to_img.weight"), weights: this.room(CODES * depth), bias: this.put(headBias(network, this.haar)) }
        : null;
      const struct = this.struct([
        this.maps[1 - (k % 2)], up, plan.channels, plan.side, Number(plan.low), plan.depth,
        ...plan.convs.flatMap((conv, i) => this.constants(convs[i].at, conv, this.integers)),
        this.maps[k % 2], head?.weights ?? 0, head?.bias ?? 0, Number(this.haar), this.picture,
        ...rings, this.panel, row, codes, strip, scales,
      ]);
      return { struct, up, head, order: plan.order, layer: this.layer(`${k}.up`), convs };
    });
  }

  /**
   * What a `Conv` of kernels.c has.
   * @param {number} taps address of its taps
   * @param {{ weights: Float32Array, bias: Float32Array, noise: Float32Array, inputs: number, order: number[] }} conv
   * @param {boolean} integers
   */
  constants(taps, { weights, bias, noise, inputs, order }, integers) {
    const given = grouped(weights, order.length);
    const { values, units } = integers ? inLevels(given, inputs) : { values: given, units: null };
    const at = [this.put(values), units ? this.put(units) : 0, this.put(bias), this.put(noise)];
    return [taps, ...at, inputs, order.length];
  }
}

/** @param {number} side */
const rows = (side) => (side < STRETCH ? STRETCH / side : 1); // of a step
