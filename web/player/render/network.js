// The generator's constants: names, shapes and values, out of one file.

import { half } from "../format/fields.js";

/**
 * What `generator.json` says of `generator.bin`. tensors: name, type (f16 or f32), shape, offset in
 * bytes.
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} sha256
 * @property {string} architecture
 * @property {number} resolution side of the pictures in pixels
 * @property {number} num_ws
 * @property {number} w_dim
 * @property {string} licence
 * @property {string} source
 * @property {number} bytes of the file
 * @property {[string, "f16" | "f32", number[], number][]} tensors
 */

/**
 * A slice of the style vector: the layer that it scales, the row of W+ that it is made from.
 * @typedef {{ name: string, offset: number, size: number, row: number }} Layer
 */

export const BLOCKS = 7;

let halves = new Float32Array(0);

/** All values of binary16, by their bits. */
function halfTable() {
  if (!halves.length) halves = Float32Array.from({ length: 65536 }, (_, bits) => half(bits));
  return halves;
}

/** The tensors of a MobileStyleGAN. */
export class Network {
  /**
   * @param {Manifest} manifest
   * @param {ArrayBuffer} buffer of the file; little-endian, as every browser's machine is
   * Throws where the two do not fit.
   */
  constructor(manifest, buffer) {
    if (manifest.architecture !== "mobilestylegan") {
      throw new Error(`${manifest.name} is a ${manifest.architecture}; this player draws mobilestylegan`);
    }
    if (buffer.byteLength !== manifest.bytes) throw new Error("the generator's file is not whole");
    this.manifest = manifest;
    this.buffer = buffer;
    this.entries = new Map(manifest.tensors.map((entry) => [entry[0], entry]));
    /** @type {Map<string, Float32Array>} */
    this.changed = new Map();
    this.layers = this.listLayers();
    const last = this.layers[this.layers.length - 1];
    this.styles = last.offset + last.size;
  }

  /**
   * The shape of a tensor.
   * @param {string} name
   */
  shape(name) {
    const entry = this.entries.get(name);
    if (!entry) throw new Error(`the generator has no tensor ${name}`);
    return entry[2];
  }

  /**
   * A tensor's values, row-major; a copy unless it was changed.
   * @param {string} name
   */
  tensor(name) {
    const own = this.changed.get(name);
    if (own) return own;
    const [, type, , offset] = /** @type {Manifest["tensors"][0]} */ (this.entries.get(name));
    const count = this.shape(name).reduce((product, n) => product * n, 1);
    if (type === "f32") return new Float32Array(this.buffer.slice(offset, offset + 4 * count));
    const [bits, table, out] = [new Uint16Array(this.buffer, offset, count), halfTable(), new Float32Array(count)];
    for (let i = 0; i < count; i += 1) out[i] = table[bits[i]];
    return out;
  }

  listLayers() {
    const entries = [["conv1", 0]];
    for (let k = 0; k < BLOCKS; k += 1) {
      entries.push([`${k}.up`, 2 * k + 1], [`${k}.conv1`, 2 * k + 1], [`${k}.conv2`, 2 * k + 2]);
    }
    entries.push(["to_img", 2 * BLOCKS + 1]);
    let offset = 0;
    return /** @type {[string, number][]} */ (entries).map(([name, row]) => {
      const layer = { name, offset, size: this.shape(`${name}.affine.bias`)[0], row };
      offset += layer.size;
      return layer;
    });
  }

  /** The tensors that a full tuning changes, in the order of its levels (SPEC.md, section 8). */
  get tunable() {
    const names = [];
    for (let k = 0; k < BLOCKS; k += 1) {
      for (const conv of ["conv1", "conv2"]) {
        for (const part of ["depthwise", "weight", "bias"]) names.push(`${k}.${conv}.${part}`);
      }
    }
    return [...names, "to_img.weight", "to_img.bias"];
  }

  /** How many weights a full tuning changes. */
  get weights() {
    return this.tunable.reduce((sum, name) => sum + this.shape(name).reduce((p, n) => p * n, 1), 0);
  }

  /**
   * This network with the weights of a full tuning.
   * @param {Int8Array} levels
   * @param {number} step in units of each tensor's root mean square
   */
  tuned(levels, step) {
    const other = new Network(this.manifest, this.buffer);
    let at = 0;
    for (const name of this.tunable) {
      const values = this.tensor(name).slice();
      const mean = values.reduce((sum, v) => sum + v * v, 0) / values.length;
      const unit = Math.max(Math.sqrt(mean), SMALLEST_UNIT);
      for (let i = 0; i < values.length; i += 1, at += 1) values[i] += levels[at] * step * unit;
      other.changed.set(name, values);
    }
    return other;
  }
}

const SMALLEST_UNIT = 1e-6; // of a tensor of zeros
