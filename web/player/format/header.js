// The header of a stream (SPEC.md, sections 4 and 15.1) and its clock (section 5).

import { Entropy, Odds } from "./entropy.js";
import { breaks, Fields, stepOf, toHex } from "./fields.js";

/**
 * What a header says. Fractions are [numerator, denominator].
 * @typedef {object} Header
 * @property {number} version 1 or 2
 * @property {number} precision 0 quantised, 1 f16, 2 f32
 * @property {number} controls of a frame
 * @property {number} rows of W+
 * @property {number} width of W+
 * @property {number} resolution side of the generator's picture in pixels
 * @property {number} sourceWidth pixels
 * @property {number} sourceHeight pixels
 * @property {[bigint, bigint]} timeBase seconds per unit of a timestamp
 * @property {[bigint, bigint] | null} frameRate frames a second; null where it varies
 * @property {string} generator SHA-256 in hexadecimal
 * @property {string} rig SHA-256 in hexadecimal
 * @property {string} generatorName
 * @property {string} creator
 * @property {Map<string, string>} metadata
 * @property {number[]} steps of the controls
 * @property {number[]} placementSteps
 * @property {number} usual the usual number of frames of a segment
 * @property {number} usualStep from frame to frame, in units of the time base
 * @property {(n: number) => bigint} at where the clock has frame n
 * @property {(n: number) => number} expected the timestamp that the clock gives frame n
 */

const SHAPES = /** @type {Record<number, number[]>} */ ({ 1: [35, 16, 512, 1024], 2: [35, 18, 512, 1024] });

/**
 * @param {Uint8Array} payload of the header's chunk
 * @returns {Header}
 */
export function parseHeader(payload) {
  const f = new Fields(payload);
  const form = f.u8();
  const version = form & 15;
  breaks(version !== 1 && version !== 2, `version ${version} is not known`);
  breaks(form & 128 || ((form >> 4) & 3) === 3, "form");
  f.u8(0, 100);
  const shape = f.u8(0, 2);
  const [controls, rows, width, resolution] = SHAPES[shape]
    ?? [f.varint(1, 64), f.varint(1, 64), f.varint(1, 1024), f.varint(4, 8192)];
  const [sourceWidth, sourceHeight] = [f.varint(1, 65535), f.varint(1, 65535)];
  const [base, rate] = [f.fraction(), f.fraction()];
  breaks(base === null, "no time base");
  const timeBase = /** @type {[bigint, bigint]} */ (base);
  const [generator, rig] = [toHex(f.take(32)), toHex(f.take(32))];
  const placement = form & 64 ? [...f.take(4)] : [160, 160, 160, 48];
  const [generatorName, creator] = [f.string(), f.string()];
  const metadata = new Map();
  for (let n = f.varint(0, 64); n > 0; n -= 1) {
    const key = f.string();
    metadata.set(key, f.string());
  }
  const codes = version === 1 ? stepCodes(f.u8(1), f.u8(), f.rest(), controls) : liveSteps(f, controls);
  // clock = 1 / (rate x base) = a / b
  const [a, b] = rate ? [rate[1] * timeBase[1], rate[0] * timeBase[0]] : [0n, 1n];
  const five = rate ? Number((10n * rate[0] + rate[1]) / (2n * rate[1])) : 0;
  const at = (/** @type {number} */ n) => (2n * BigInt(n) * a + b) / (2n * b);
  return {
    version, controls, rows, width, resolution, sourceWidth, sourceHeight, timeBase, generator, rig,
    generatorName, creator, metadata, at,
    precision: (form >> 4) & 3,
    frameRate: rate,
    steps: codes.map(stepOf),
    placementSteps: placement.map(stepOf),
    usual: rate ? Math.min(Math.max(five, 30), 240) : 150,
    expected: (n) => (rate && at(n) <= 2n ** 48n ? Number(at(n)) : 0),
    usualStep: rate ? Math.max(Number(at(1)), 1) : 1,
  };
}

/**
 * The step codes of the controls.
 * @param {number} unit
 * @param {number} first
 * @param {Uint8Array} body
 * @param {number} controls
 */
function stepCodes(unit, first, body, controls) {
  const codes = [first];
  const coder = new Entropy(body, new Odds(16));
  while (codes.length < controls) {
    const code = codes[codes.length - 1] + unit * coder.signed(0);
    breaks(code < 0 || code > 255, "a code out of range");
    codes.push(code);
  }
  coder.end();
  return codes;
}

/**
 * The end of a header of version 2: stream id, steps, tagged fields.
 * @param {Fields} f
 * @param {number} controls
 */
function liveSteps(f, controls) {
  breaks(f.take(8).every((byte) => byte === 0), "a stream id of zeros");
  const size = f.varint(0, 2 ** 14);
  const codes = stepCodes(f.u8(1), f.u8(), f.take(size), controls);
  let last = 0n;
  while (f.left) {
    const tag = f.big();
    breaks(tag <= last, "tags that do not rise");
    last = tag;
    const value = new Fields(f.take(f.varint(0, 2 ** 14)));
    if (tag === 2n) {
      value.varint(1, 240);
      value.end();
    } else breaks(tag & 1n, `field ${tag} is not known`);
  }
  return codes;
}
