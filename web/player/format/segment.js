// Segments of frames (SPEC.md, sections 5 and 15.2).

import { Entropy, Odds, TrackMemory, track } from "./entropy.js";
import { breaks, FAR, Fields, half, singles } from "./fields.js";
import { SEGMENT } from "./tables.js";

/** @typedef {import("./header.js").Header} Header */

/**
 * One frame. Placement: centre x, centre y and side of the square in source pixels, its angle in
 * radians. Of a recovered frame the values stand in for what damage took.
 * @typedef {object} Frame
 * @property {number} index counted from 0
 * @property {number} pts in units of the time base
 * @property {number} flags bit 0: no face was seen; bit 1: low confidence
 * @property {Float32Array} controls in rig units
 * @property {Float32Array | null} placement
 * @property {boolean} recovered
 */

/**
 * What a segment leaves to one that continues it.
 * @typedef {object} Left
 * @property {Odds} odds
 * @property {TrackMemory} places
 * @property {TrackMemory} motion
 * @property {number} index of its last frame
 * @property {number} pts of its last frame
 * @property {number} step the last one between timestamps
 * @property {number} flags
 * @property {number} placed
 * @property {number} key the first frame of the key
 */

const [T0, T1, T2, FLAGS, PLACED, PLACEMENT, CONTROLS] = [0, 1, 2, 18, 22, 24, 477];
const CONTEXTS = 930;

/**
 * The beginning of a key's payload: first frame, number of frames, first timestamp.
 * @param {Header} head
 * @param {Fields} f
 */
export function segmentStart(head, f) {
  const first = f.varint(0, FAR);
  const frames = head.usual + f.svarint();
  breaks(frames < 1 || frames > 240, "frames");
  const start = head.expected(first) + f.svarint();
  breaks(Math.abs(start) > FAR, "timestamp");
  return { first, frames, start };
}

/**
 * Decode a segment that stands alone.
 * @param {Header} head
 * @param {Uint8Array} payload
 * @returns {{ frames: Frame[], left: Left }}
 */
export function parseKey(head, payload) {
  const f = new Fields(payload);
  const { first, frames, start } = segmentStart(head, f);
  const raw = f.take(frames * head.controls * [0, 2, 4][head.precision]);
  const odds = new Odds(CONTEXTS, SEGMENT);
  const coder = new Entropy(f.rest(), odds);
  /** @type {Left} */
  const left = {
    odds, places: new TrackMemory(4), motion: new TrackMemory(head.controls),
    index: first - 1, pts: start, step: 1, flags: 0, placed: 1, key: first,
  };
  return body(head, coder, left, first, frames, [start], exact(head, raw));
}

/**
 * Decode a segment that continues another.
 * @param {Header} head
 * @param {Left} before what the other left; it stays as it is
 * @param {number} first
 * @param {number} frames
 * @param {Uint8Array} bytes
 */
export function parseContinued(head, before, first, frames, bytes) {
  breaks(first + frames - before.key > 240, "too many frames without a key");
  const left = {
    ...before, odds: before.odds.copy(), places: before.places.copy(), motion: before.motion.copy(),
  };
  const coder = new Entropy(bytes, left.odds);
  const back = first - before.index;
  const held = before.step * back;
  const expected = head.frameRate ? Number(head.at(first) - head.at(before.index)) : held;
  const distance = step(coder, expected, held);
  const start = before.pts + distance;
  breaks(start > FAR, "timestamps");
  left.step = Math.max(Math.floor(distance / back), 1);
  return body(head, coder, left, first, frames, [start], null);
}

/**
 * A step between two timestamps.
 * @param {Entropy} coder
 * @param {number} expected
 * @param {number} before
 */
function step(coder, expected, before) {
  let value = before;
  if (coder.bit(T0)) value = expected;
  else if (!coder.bit(T1)) value += coder.signed(T2);
  breaks(value < 1, "timestamps");
  return value;
}

/**
 * The controls of a segment in precision f16 or f32; null in the other.
 * @param {Header} head
 * @param {Uint8Array} raw
 */
function exact(head, raw) {
  if (!head.precision) return null;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const values = head.precision === 2
    ? singles(raw)
    : Float32Array.from({ length: raw.length / 2 }, (_, i) => half(view.getUint16(2 * i, true)));
  breaks(!values.every(Number.isFinite), "not finite");
  return values;
}

/**
 * All that the range coder has.
 * @param {Header} head
 * @param {Entropy} coder
 * @param {Left} left which this changes
 * @param {number} first
 * @param {number} count frames
 * @param {number[]} pts the first timestamp
 * @param {Float32Array | null} values controls that are not in the body
 * @returns {{ frames: Frame[], left: Left }}
 */
function body(head, coder, left, first, count, pts, values) {
  for (let n = first + 1; n < first + count; n += 1) {
    const expected = head.frameRate ? Number(head.at(n) - head.at(n - 1)) : left.step;
    left.step = step(coder, expected, left.step);
    pts.push(pts[pts.length - 1] + left.step);
    breaks(pts[pts.length - 1] > FAR, "timestamps");
  }
  /** @type {number[]} */
  const flags = [];
  for (let i = 0; i < count; i += 1) {
    const low = coder.bit(FLAGS + (left.flags & 1));
    left.flags = low + 2 * coder.bit(FLAGS + 2 + (left.flags >> 1));
    flags.push(left.flags);
  }
  /** @type {number[]} */
  const placed = [];
  for (let i = 0; i < count; i += 1) {
    left.placed = coder.bit(PLACED + left.placed);
    placed.push(left.placed);
  }
  const places = track(coder, PLACEMENT, placed.filter(Boolean).length, 4, left.places).values();
  const width = head.controls;
  const levels = values ? [] : track(coder, CONTROLS, count, width, left.motion);
  coder.end();
  const frames = pts.map((time, i) => ({
    index: first + i,
    pts: time,
    flags: flags[i],
    controls: values ? values.slice(i * width, (i + 1) * width) : scaled(levels[i], head.steps),
    placement: placed[i] ? scaled(/** @type {number[]} */ (places.next().value), head.placementSteps) : null,
    recovered: false,
  }));
  [left.index, left.pts] = [first + count - 1, pts[count - 1]];
  return { frames, left };
}

/**
 * @param {number[]} levels
 * @param {number[]} steps
 */
const scaled = (levels, steps) => Float32Array.from(levels, (level, i) => level * steps[i]);
