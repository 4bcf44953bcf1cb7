// Chunks of a file (SPEC.md, sections 2 and 15.2), and the search for whole ones after damage.

import { Broken, crc32, Fields, Refused } from "./fields.js";
import { segmentStart } from "./segment.js";

/** @typedef {import("./header.js").Header} Header */

/**
 * A whole chunk. continued: of a segment that continues another, the number of its first frame,
 * how many frames before that the other ends, and its number of frames.
 * @typedef {object} Chunk
 * @property {string} type
 * @property {number} offset
 * @property {number} size bytes in the file
 * @property {Uint8Array} payload
 * @property {number} crc
 * @property {{ first: number, back: number, frames: number }} [continued]
 */

/** @typedef {{ lost: number, offset: number }} Lost bytes that are no chunk */

export const CONTINUED = "continued";
export const MAGIC = "\x89FCV";

/** @type {Record<string, number>} */
export const LIMIT = {
  ID: 2 ** 20, IR: 32, AP: 2 ** 20, TU: 2 ** 20, AU: 2 ** 20, SE: 2 ** 16, EN: 2 ** 18, PA: 2 ** 20,
  cP: 2 ** 18, cF: 2 ** 18,
};
// What is searched for after damage: the first two bytes of a chunk, as a number.
const pairOf = (/** @type {string} */ type) => 256 * type.charCodeAt(0) + type.charCodeAt(1);
const LIVE_PAIRS = new Set([...Object.keys(LIMIT), MAGIC].map(pairOf));
const PAIRS = new Set(Object.keys(LIMIT).filter((type) => type !== "PA").map(pairOf));
const [LONG, SHORT, MOST_BODY, MAX_BACK] = [128, 160, 2 ** 12, 8];

/**
 * @param {Uint8Array} data
 * @param {number} from
 * @param {number} to
 */
const letters = (data, from, to) => String.fromCharCode(...data.subarray(from, to));

/** Reads the chunks of a file in order. */
export class Chunks {
  /** @param {Uint8Array} data */
  constructor(data) {
    this.data = data;
    this.seed = 0;
    this.at = 0;
    this.spent = 0; // bytes checksummed in vain
    /** @type {Header | null} */
    this.live = null; // of a stream of version 2
    /** @type {Map<number, { crc: number, frames: number }>} */
    this.links = new Map(); // segments that may be continued, by the numbers of their last frames
    /** @type {number | null} */
    this.following = null; // the number of the next frame, where it is known
  }

  /**
   * @param {number} p
   * @param {boolean} header
   * @returns {Chunk | null}
   */
  chunkAt(p, header = false) {
    const { data } = this;
    const count = header ? 4 : 2;
    if (p + count > data.length) return null;
    const type = letters(data, p, p + count);
    if (!header && !/^[A-Za-z]{2}$/.test(type)) return null;
    let [at, size] = [p + count, 0];
    for (let i = 0; ; i += 1) {
      if (i === 3 || at >= data.length) return null;
      const byte = data[at++];
      size += (byte & 127) * 128 ** i;
      if (byte < 128) {
        if (byte === 0 && i) return null;
        break;
      }
    }
    const limit = header ? 2 ** 14 : LIMIT[type] ?? 2 ** 20;
    if (size > limit || at + size + 4 > data.length) return null;
    const crc = new Fields(data.subarray(at + size, at + size + 4)).u32();
    if (crc32(data.subarray(p, at + size), header ? 0 : this.seed) !== crc) {
      this.spent += size;
      if (this.spent > 64 * (p + 2 ** 20)) throw new Refused("too damaged");
      return null;
    }
    return { type, offset: p, size: at + size + 4 - p, payload: data.subarray(at, at + size), crc };
  }

  /**
   * The header, whose type is `magic`.
   * @param {string} magic
   */
  header(magic = MAGIC) {
    if (letters(this.data, 0, 4) !== magic) throw new Refused("not a stream");
    const chunk = this.chunkAt(0, true);
    if (!chunk) throw new Refused("its header is not whole");
    this.seed = chunk.crc;
    this.at = chunk.size;
    return chunk;
  }

  /**
   * A chunk with a type: in version 2 it may be the header again.
   * @param {number} p
   */
  knownAt(p) {
    if (!this.live || this.data[p] !== MAGIC.charCodeAt(0)) return this.chunkAt(p);
    if (letters(this.data, p, p + 4) !== MAGIC) return null;
    const chunk = this.chunkAt(p, true);
    return chunk && chunk.crc === this.seed ? chunk : null;
  }

  /**
   * The chunk of a segment that continues another, if one begins here.
   * @param {number} p
   * @returns {Chunk | null}
   */
  continuedAt(p) {
    const { data } = this;
    if (this.following === null) return null;
    const f = new Fields(data.subarray(p));
    try {
      const lead = f.u8();
      let [code, back, size, frames] = [0, 1, lead - SHORT, 0];
      const counted = [];
      if (lead === LONG) {
        if (f.u8() + 256 * f.u8() !== this.following % 65536) return null;
        code = f.u8(0, 4 * MAX_BACK - 1);
        back = (code % MAX_BACK) + 1;
        frames = Math.floor(code / MAX_BACK) + 1;
        if (frames === 4) {
          const from = f.at;
          frames = f.varint(4, 240);
          counted.push(...f.bytes.subarray(from, f.at));
        }
        size = f.varint(0, MOST_BODY);
      }
      const before = this.links.get(this.following - back);
      if (!before) return null;
      if (lead !== LONG) {
        frames = before.frames;
        code = MAX_BACK * (Math.min(frames, 4) - 1);
        if (frames >= 4) counted.push(...(frames < 128 ? [frames] : [(frames & 127) | 128, frames >> 7]));
      }
      const payload = f.take(size);
      const crc = crc32(payload, crc32(Uint8Array.of(code, ...counted), before.crc));
      const check = f.take(3);
      if (check[0] + 256 * check[1] + 65536 * check[2] !== crc % 2 ** 24) return null;
      const continued = { first: this.following, back, frames };
      this.link(this.following, frames, crc);
      return { type: CONTINUED, offset: p, size: f.at, payload, crc, continued };
    } catch (error) {
      if (error instanceof Broken) return null;
      throw error;
    }
  }

  /**
   * @param {number} first
   * @param {number} frames
   * @param {number} crc
   */
  link(first, frames, crc) {
    this.following = first + frames;
    this.links.set(this.following - 1, { crc, frames });
    for (const last of this.links.keys()) if (this.links.size > MAX_BACK) this.links.delete(last);
  }

  forget() {
    this.following = null;
    this.links.clear();
  }

  /**
   * The next chunk, or the bytes that are none; null at the end of the file.
   * @returns {Chunk | Lost | null}
   */
  next() {
    const { data } = this;
    if (this.at >= data.length) return null;
    const begin = this.at;
    const lead = data[begin];
    const chunk = this.live && (lead >= SHORT || lead === LONG)
      ? this.continuedAt(begin)
      : this.knownAt(begin);
    if (chunk) {
      this.at += chunk.size;
      if (this.live && chunk.type === "SE") this.key(chunk);
      return chunk;
    }
    this.forget();
    for (this.at += 1; this.at < data.length; this.at += 1) {
      const pair = 256 * data[this.at] + data[this.at + 1];
      if ((this.live ? LIVE_PAIRS : PAIRS).has(pair) && this.knownAt(this.at)) break;
    }
    return { lost: this.at - begin, offset: begin };
  }

  /**
   * A segment that stands alone: what came before it is not continued.
   * @param {Chunk} chunk
   */
  key(chunk) {
    this.forget();
    try {
      const { first, frames } = segmentStart(/** @type {Header} */ (this.live), new Fields(chunk.payload));
      this.link(first, frames, chunk.crc);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
    }
  }
}
