// What the network is at a size: shapes, orders of channels, constants. Both renderers take it.

import { BLOCKS } from "./network.js";

/** @typedef {import("./network.js").Network} Network */

export const CODES = 16; // outputs of the head: four bands, or one, of red, green, blue, alpha

/**
 * One separable convolution. order: where its output channels come from in the network. taps
 * [9][inputs], weights [inputs][outputs], bias [outputs], noise [side][side].
 * @typedef {object} ConvPlan
 * @property {string} name
 * @property {number} inputs
 * @property {number[]} order
 * @property {Float32Array} taps
 * @property {Float32Array} weights
 * @property {Float32Array} bias
 * @property {Float32Array} noise
 */

/**
 * One block. order: where the channels of its input come from. depth: channels of that.
 * @typedef {object} BlockPlan
 * @property {boolean} low
 * @property {number} side
 * @property {number} channels
 * @property {number} depth
 * @property {number[]} order
 * @property {ConvPlan[]} convs
 */

/**
 * The blocks of a network whose pictures have `size` pixels a side.
 * @param {Network} network
 * @param {number} size
 * @returns {BlockPlan[]}
 */
export function planBlocks(network, size) {
  // Blocks from this one on run at the size that is reached there; half and full size have all.
  const whole = size < network.manifest.resolution / 2 ? Math.log2(size / 4) : BLOCKS;
  const width = (/** @type {number} */ k) => network.shape(`${k}.conv1.depthwise`)[0];
  return Array.from({ length: BLOCKS }, (_, k) => {
    const low = k >= whole;
    const [side, channels] = [low ? size : 8 << k, width(k)];
    const outputs = (/** @type {string} */ conv) => straight(network.shape(`${k}.${conv}.weight`)[0]);
    // The next block reads bands one after another; a low one only the first.
    const last = k + 1 === BLOCKS;
    const read = last ? outputs("conv2") : k + 1 >= whole ? straight(width(k + 1)) : planar(4 * width(k + 1));
    return {
      low, side, channels,
      depth: channels,
      order: low ? straight(channels) : planar(4 * channels),
      convs: [planConv(network, `${k}.conv1`, side, outputs("conv1")), planConv(network, `${k}.conv2`, side, read)],
    };
  });
}

/**
 * @param {Network} network
 * @param {string} name
 * @param {number} side
 * @param {number[]} order
 * @returns {ConvPlan}
 */
function planConv(network, name, side, order) {
  const inputs = network.shape(`${name}.weight`)[1];
  let [taps, noise] = [network.tensor(`${name}.depthwise`), network.tensor(`${name}.noise`)];
  for (let width = Math.sqrt(noise.length); width > side; width /= 2) {
    taps = halvedTaps(taps);
    noise = halvedNoise(noise, width);
  }
  const weights = transposed(network.tensor(`${name}.weight`), order, inputs);
  return { name, inputs, order, taps: lastChannels(taps, inputs, 9), weights, bias: picked(network.tensor(`${name}.bias`), order), noise };
}

/**
 * The first convolution, 3x3 over all channels of a constant map [16][inputs]: weights
 * [9 inputs][outputs].
 * @param {Network} network
 */
export function firstConv(network) {
  const inputs = network.shape("input")[0];
  const order = planar(network.shape("conv1.weight")[0]);
  return {
    inputs, order,
    map: lastChannels(network.tensor("input"), inputs, 16),
    weights: transposed(byTaps(network.tensor("conv1.weight"), inputs), order, 9 * inputs),
    bias: picked(network.tensor("conv1.bias"), order),
    noise: network.tensor("conv1.noise"),
  };
}

/**
 * What the head adds to its codes [CODES]; alpha is 1.
 * @param {Network} network
 * @param {boolean} haar whether it makes four bands
 */
export function headBias(network, haar) {
  const bias = network.tensor("to_img.bias");
  const codes = new Float32Array(CODES);
  for (let band = 0; band < (haar ? 4 : 1); band += 1) {
    for (let c = 0; c < 3; c += 1) codes[4 * band + c] = 0.5 * bias[headRow(c, band)];
  }
  codes[3] = 1;
  return codes;
}

/**
 * The head's weights times its style, [depth][CODES].
 * @param {Float32Array} given [12][depth]
 * @param {Float32Array} style
 * @param {number} depth
 * @param {boolean} haar whether it makes four bands
 */
export function foldedHead(given, style, depth, haar) {
  const out = new Float32Array(depth * CODES);
  for (let band = 0; band < (haar ? 4 : 1); band += 1) {
    for (let c = 0; c < 3; c += 1) {
      const from = headRow(c, band) * depth;
      for (let k = 0; k < depth; k += 1) out[k * CODES + 4 * band + c] = 0.5 * given[from + k] * style[k];
    }
  }
  return out;
}

/**
 * Weights [out][depth] as [depth][out], outputs in another order.
 * @param {Float32Array} weights
 * @param {number[]} order
 * @param {number} depth
 */
function transposed(weights, order, depth) {
  const out = new Float32Array(order.length * depth);
  order.forEach((from, i) => {
    for (let k = 0; k < depth; k += 1) out[k * order.length + i] = weights[from * depth + k];
  });
  return out;
}

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
