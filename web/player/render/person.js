// A person and their rig as styles: what the generator is given for any controls.

import { parseTuning } from "../format/person.js";

/** @typedef {import("./network.js").Network} Network */

/**
 * A rig as `rig.json` has it.
 * @typedef {object} Rig
 * @property {string} sha256
 * @property {{ name: string, direction: number[], rows: number }[]} pose
 * @property {{ layer: string, channel: number, std: number, region: string }[]} offsets
 * @property {{ name: string, direction: number[] }[]} expressions
 * @property {string[]} titles
 */

const EXPRESSION_ROWS = [2, 8]; // of W+, the second one not included
const W_STD = 0.5; // standard deviation of a coordinate of W, about

/**
 * Multiply the affine layers: [styles] of rows of W+; without biases where `bias` is false.
 * @param {Network} network
 * @param {(row: number) => Float32Array | null} latent [w_dim] of a row, null for zeros
 * @param {boolean} bias
 * @param {Map<string, Float32Array>} affine weights by layer
 */
function styled(network, latent, bias, affine) {
  const out = new Float32Array(network.styles);
  const width = network.manifest.w_dim;
  for (const { name, offset, size, row } of network.layers) {
    const w = latent(row);
    if (bias) out.set(network.tensor(`${name}.affine.bias`), offset);
    if (!w) continue;
    const weights = /** @type {Float32Array} */ (affine.get(name));
    for (let i = 0; i < size; i += 1) {
      let sum = 0;
      const from = i * width;
      for (let k = 0; k < width; k += 1) sum += weights[from + k] * w[k];
      out[offset + i] += sum;
    }
  }
  return out;
}

/** The styles of one person at any controls. */
export class Person {
  /**
   * @param {Network} network with the person's weights
   * @param {Float32Array} styles [styles] at controls 0
   * @param {Float32Array[]} basis [styles] for each control
   */
  constructor(network, styles, basis) {
    this.network = network;
    this.rest = styles;
    this.basis = basis;
  }

  /**
   * @param {Network} network
   * @param {Rig} rig
   * @param {Float32Array} latent W+ [num_ws x w_dim]
   * @param {Uint8Array | null} tuning its bytes
   */
  static async of(network, rig, latent, tuning) {
    const width = network.manifest.w_dim;
    const affine = new Map(network.layers.map(({ name }) => [name, network.tensor(`${name}.affine.weight`)]));
    const rest = styled(network, (row) => latent.subarray(row * width, (row + 1) * width), true, affine);
    const moved = (/** @type {number[]} */ direction, /** @type {number} */ from, /** @type {number} */ to) => {
      const step = Float32Array.from(direction);
      return styled(network, (row) => (row >= from && row < to ? step : null), false, affine);
    };
    const basis = rig.pose.map((axis) => moved(axis.direction, 0, axis.rows));
    for (const offset of rig.offsets) {
      const layer = network.layers.find(({ name }) => name === offset.layer);
      if (!layer) throw new Error(`the rig names a layer ${offset.layer} that the generator has not`);
      const row = new Float32Array(network.styles);
      row[layer.offset + offset.channel] = offset.std;
      basis.push(row);
    }
    for (const axis of rig.expressions) basis.push(moved(axis.direction, EXPRESSION_ROWS[0], EXPRESSION_ROWS[1]));
    if (!tuning) return new Person(network, rest, basis);
    const { light, weights, step } = await parseTuning(tuning, basis.length, network.styles, network.weights);
    const spread = spreads(network, affine);
    [rest, ...basis].forEach((row, k) => {
      for (let i = 0; i < row.length; i += 1) row[i] += light[k * row.length + i] * spread[i];
    });
    return new Person(weights ? network.tuned(weights, step) : network, rest, basis);
  }

  /**
   * The styles at given controls.
   * @param {ArrayLike<number>} controls
   */
  at(controls) {
    const out = this.rest.slice();
    this.basis.forEach((row, k) => {
      const by = controls[k];
      if (by) for (let i = 0; i < out.length; i += 1) out[i] += by * row[i];
    });
    return out;
  }
}

/**
 * The unit of a light tuning for every channel: half the norm of its row in its affine layer.
 * @param {Network} network
 * @param {Map<string, Float32Array>} affine
 */
function spreads(network, affine) {
  const out = new Float32Array(network.styles);
  const width = network.manifest.w_dim;
  for (const { name, offset, size } of network.layers) {
    const weights = /** @type {Float32Array} */ (affine.get(name));
    for (let i = 0; i < size; i += 1) {
      let sum = 0;
      for (let k = i * width; k < (i + 1) * width; k += 1) sum += weights[k] * weights[k];
      out[offset + i] = W_STD * Math.sqrt(sum);
    }
  }
  return out;
}
