// The person: identity, tuning and `.fci` files (SPEC.md, sections 7, 8 and 12).

import { Chunks } from "./chunks.js";
import { Entropy, inRange, Odds } from "./entropy.js";
import { breaks, Broken, Fields, joined, Refused, singles, stepOf, toHex } from "./fields.js";
import { IDENTITY } from "./tables.js";

/**
 * Decode W+ [rows x width], row by row.
 * @param {Uint8Array} payload of the `ID` chunk
 * @param {number} rows
 * @param {number} width
 * @param {Float32Array} mean the generator's mean of W, repeated to fit
 */
export function parseIdentity(payload, rows, width, mean) {
  const f = new Fields(payload);
  if (f.u8(0, 1) === 1) {
    const exact = singles(f.take(4 * rows * width));
    f.end();
    breaks(!exact.every(Number.isFinite), "not finite");
    return exact;
  }
  const steps = [...f.take(rows)].map(stepOf);
  const coder = new Entropy(f.rest(), new Odds(168, IDENTITY));
  const out = new Float32Array(rows * width);
  const above = new Int32Array(width);
  steps.forEach((step, row) => {
    let recent = 16;
    for (let i = 0; i < width; i += 1) {
      const a = 21 * Math.min((recent + 4) >> 3, 7);
      let m = 0;
      if (coder.bit(a)) {
        const negative = coder.even();
        m = coder.magnitude(a + 1, 20);
        above[i] = inRange(above[i] + (negative ? -m : m));
      }
      recent += (8 * Math.min(m, 64) - recent) >> 4;
      out[row * width + i] = Math.fround(above[i] * step) + mean[i % mean.length];
    }
  });
  coder.end();
  return out;
}

/**
 * A tuning. light: [(controls + 1) x styles], what is added to the styles at rest (row 0) and to
 * the effect of each control, in units of each channel's spread. weights: levels of the changes of
 * the network's weights, each times `step` in units of its tensor's root mean square; null but for
 * a full tuning.
 * @typedef {{ light: Float32Array, weights: Int8Array | null, step: number }} Tuning
 */

/**
 * @param {Uint8Array} bytes of a tuning, its parts joined
 * @param {number} controls
 * @param {number} styles of the generator
 * @param {number} weights of the generator that a full tuning changes
 * @returns {Promise<Tuning>}
 */
export async function parseTuning(bytes, controls, styles, weights) {
  const f = new Fields(bytes);
  if (bytes[0] === 3) return { light: parseSmall(f, controls, styles), weights: null, step: 0 };
  if (bytes[0] !== 2) return { light: parseLight(f, controls, styles), weights: null, step: 0 };
  f.u8();
  const length = f.varint(1, bytes.length);
  const light = parseLight(new Fields(f.take(length)), controls, styles);
  const step = stepOf(f.u8());
  breaks(f.varint(1, 2 ** 27) !== weights, "a tuning of another generator's weights");
  return { light, weights: new Int8Array((await inflated(f.rest(), weights)).buffer), step };
}

/**
 * @param {Fields} f
 * @param {number} controls
 * @param {number} styles
 */
function parseLight(f, controls, styles) {
  breaks(f.u8() !== 1, "a kind of tuning that is not known");
  breaks(f.u8() !== controls + 1, "a tuning of another number of controls");
  breaks(f.u32() !== styles, "a tuning of another generator's styles");
  const steps = [...f.take(controls + 1)].map(stepOf);
  return Float32Array.from(levelsOf(f, steps.length, styles), (level, i) => level * steps[Math.floor(i / styles)]);
}

/**
 * @param {Fields} f
 * @param {number} controls
 * @param {number} styles
 */
function parseSmall(f, controls, styles) {
  f.u8();
  breaks(f.u8() !== controls + 1, "a tuning of another number of controls");
  const directions = f.u8();
  breaks(directions < 1 || directions > 64, "directions out of range");
  breaks(f.u32() !== styles, "a tuning of another generator's styles");
  const steps = [...f.take(directions + 1)].map(stepOf);
  const units = [...f.take(directions)].map((code, d) => stepOf(code) * steps[d + 1]);
  const shares = Int8Array.from(f.take(controls * directions));
  const levels = levelsOf(f, directions + 1, styles);
  const out = new Float32Array((controls + 1) * styles);
  for (let i = 0; i < styles; i += 1) {
    out[i] = levels[i] * steps[0];
    for (let k = 0; k < controls; k += 1) {
      let total = 0;
      for (let d = 0; d < directions; d += 1) {
        total += shares[k * directions + d] * levels[(d + 1) * styles + i] * units[d];
      }
      out[(k + 1) * styles + i] = total;
    }
  }
  return out;
}

/**
 * Decode the rows of levels that are the rest of a tuning, row by row.
 * @param {Fields} f
 * @param {number} rows
 * @param {number} styles
 */
function levelsOf(f, rows, styles) {
  const coder = new Entropy(f.rest(), new Odds(504));
  const out = new Int32Array(rows * styles);
  for (let row = 0; row < rows; row += 1) {
    let recent = 8;
    for (let i = 0; i < styles; i += 1) {
      const activity = Math.min(recent >> 3, 5) + (row ? 6 : 0);
      const above = row ? out[(row - 1) * styles + i] : 0;
      const c = 14 * (3 * activity + Math.min(Math.abs(above), 2));
      let [m, level] = [0, 0];
      if (coder.bit(c)) {
        const negative = coder.even();
        m = coder.magnitude(c + 2, 12);
        level = inRange(negative ? -m : m);
      }
      recent += (16 * Math.min(m, 8) - recent) >> 4;
      out[row * styles + i] = level;
    }
  }
  coder.end();
  return out;
}

/**
 * Inflate a zlib stream of exactly `size` bytes.
 * @param {Uint8Array} bytes
 * @param {number} size
 */
async function inflated(bytes, size) {
  const out = new Uint8Array(size);
  let at = 0;
  const stream = new Blob([/** @type {BlobPart} */ (bytes)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      breaks(at + value.length > size, "more weights than it says");
      out.set(value, at);
      at += value.length;
    }
  } catch (error) {
    if (error instanceof Broken) throw error;
    throw new Broken("weights that are no zlib stream");
  }
  breaks(at < size, "fewer weights than it says");
  return out;
}

/**
 * The person of a `.fci` file.
 * @typedef {object} IdentityFile
 * @property {number} rows of W+
 * @property {number} width of W+
 * @property {string} generator SHA-256 in hexadecimal
 * @property {Uint8Array} identity payload of its `ID`
 * @property {Uint8Array | null} tuning
 */

/**
 * @param {Uint8Array} data
 * @returns {IdentityFile}
 */
export function readIdentityFile(data) {
  const chunks = new Chunks(data);
  const refuse = (/** @type {string} */ why) => {
    throw new Refused(why);
  };
  const f = new Fields(chunks.header("\x89FCI").payload);
  breaks(f.u8() !== 1, "version");
  const [rows, width, generator] = [f.u8(1, 64), f.varint(1, 1024), toHex(f.take(32))];
  f.string();
  f.string();
  f.end();
  /** @type {Uint8Array | null} */
  let identity = null;
  const parts = new TuningParts();
  for (let chunk = chunks.next(); chunk; chunk = chunks.next()) {
    if ("lost" in chunk) return refuse("a damaged identity file");
    if (chunk.type === "TU") parts.add(chunk.payload);
    else if (chunk.type === "ID" && !identity) identity = chunk.payload;
    else if (chunk.type[0] < "a") refuse(`unexpected ${chunk.type}`);
  }
  if (!identity || parts.incomplete) return refuse("the identity file ends early");
  parseIdentity(identity, rows, width, new Float32Array(width));
  return { rows, width, generator, identity, tuning: parts.joined() };
}

/** Collects the parts of a tuning. */
export class TuningParts {
  constructor() {
    this.count = 0;
    /** @type {Map<number, Uint8Array>} */
    this.parts = new Map();
  }

  /** @param {Uint8Array} payload of a `TU` chunk */
  add(payload) {
    const f = new Fields(payload);
    const number = f.varint(0, 255);
    const count = f.varint(number + 1, 256);
    breaks((this.count && count !== this.count) || this.parts.has(number), "parts of a tuning");
    this.count = count;
    this.parts.set(number, f.rest());
  }

  get incomplete() {
    return this.parts.size < this.count;
  }

  joined() {
    if (!this.count || this.incomplete) return null;
    return joined(Array.from({ length: this.count }, (_, i) => /** @type {Uint8Array} */ (this.parts.get(i))));
  }
}
