// Fields of chunks (SPEC.md, section 1), and what reading may end with.

import { WORDS } from "./tables.js";

/** Something breaks the format: its chunk is dropped, or the stream refused. */
export class Broken extends Error {}

/** The stream is refused. */
export class Refused extends Error {}

/** The largest magnitude of a timestamp, a number of frames or an offset. */
export const FAR = 2 ** 48;

/**
 * Throw where the format is broken.
 * @param {unknown} condition
 * @param {string} why
 */
export function breaks(condition, why) {
  if (condition) throw new Broken(why);
}

/**
 * The step that a step code stands for (section 4).
 * @param {number} code 0 to 255
 */
export const stepOf = (code) => (16 + (code % 16)) * 2 ** (Math.floor(code / 16) - 16);

/**
 * The number that the bits of an IEEE 754 binary16 stand for.
 * @param {number} bits
 */
export function half(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

/**
 * Numbers out of little-endian binary32.
 * @param {Uint8Array} bytes
 */
export function singles(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length >> 2 }, (_, i) => view.getFloat32(4 * i, true));
}

/**
 * Join pieces.
 * @param {Uint8Array[]} pieces
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function joined(pieces) {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** @param {Uint8Array} bytes */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k += 1) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});

/**
 * The CRC-32 of zlib, from that of the bytes before on.
 * @param {Uint8Array} bytes
 * @param {number} seed
 */
export function crc32(bytes, seed) {
  let c = ~seed;
  for (let i = 0; i < bytes.length; i += 1) c = CRC[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return ~c >>> 0;
}

/** Takes fields off the front of bytes; throws Broken where they break the format. */
export class Fields {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get left() {
    return this.bytes.length - this.at;
  }

  /** @param {number} count */
  take(count) {
    breaks(count > this.left, "ends inside a field");
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  u8(low = 0, high = 255) {
    const value = this.take(1)[0];
    breaks(value < low || value > high, "out of range");
    return value;
  }

  u32() {
    const [a, b, c, d] = this.take(4);
    return a + 256 * b + 65536 * c + 2 ** 24 * d;
  }

  /** A varint of up to 2^63 - 1. */
  big() {
    let value = 0n;
    for (let i = 0n; ; i += 1n) {
      breaks(i === 9n, "a tenth byte");
      const byte = this.u8();
      value |= BigInt(byte & 127) << (7n * i);
      if (byte < 128) {
        breaks(byte === 0 && i > 0n, "not the shortest form");
        return value;
      }
    }
  }

  /**
   * @param {number} low
   * @param {number} high
   */
  varint(low, high) {
    const value = this.big();
    breaks(value < BigInt(low) || value > BigInt(high), "out of range");
    return Number(value);
  }

  svarint() {
    const value = this.big();
    const signed = value & 1n ? -(value >> 1n) - 1n : value >> 1n;
    breaks(signed > 2n ** 52n || signed < -(2n ** 52n), "out of range"); // as all its limits are
    return Number(signed);
  }

  /**
   * A fraction, null for "not known".
   * @returns {[bigint, bigint] | null}
   */
  fraction() {
    const [top, bottom] = [this.varint(0, 2 ** 32 - 1), this.varint(0, 2 ** 32 - 1)];
    if (top === 0 && bottom === 0) return null;
    breaks(top === 0 || bottom === 0, "not positive");
    return [BigInt(top), BigInt(bottom)];
  }

  string() {
    let n = this.u8();
    let start = "";
    if (n >= 128 && n < 128 + WORDS.length) return WORDS[n - 128];
    if (n === 192) {
      start = "facecodec ";
      n = this.u8();
    }
    breaks(n > 127, "no such word");
    try {
      const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      return start + utf8.decode(this.take(n));
    } catch (error) {
      if (error instanceof TypeError) throw new Broken("not UTF-8");
      throw error;
    }
  }

  rest() {
    return this.take(this.left);
  }

  end() {
    breaks(this.left, "bytes left over");
  }
}
