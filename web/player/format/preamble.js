// What a stream says of its person and its sound (SPEC.md, sections 2, 7, 8 and 15.3).

import { parseParameters } from "./audio.js";
import { LIMIT } from "./chunks.js";
import { breaks, Broken, crc32, Fields, joined, toHex } from "./fields.js";
import { TuningParts } from "./person.js";

/** @typedef {import("./chunks.js").Chunk} Chunk */
/** @typedef {import("./header.js").Header} Header */

const INCOMPLETE = 4; // chunks in parts that may be incomplete at the same time
const PARTED = ["ID", "IR", "AP", "TU"];

/** Collects the chunks that are not frames, packets or the end. */
export class Preamble {
  /** @param {Header} head */
  constructor(head) {
    this.head = head;
    /** @type {Uint8Array | null} */
    this.identity = null;
    /** @type {Uint8Array | null} */
    this.reference = null;
    /** @type {import("./audio.js").AudioParameters | null} */
    this.audio = null;
    this.tuning = new TuningParts();
    /** @type {Set<string>} */
    this.taken = new Set();
    /** @type {Map<string, Map<number, Uint8Array>>} */
    this.parts = new Map();
  }

  /**
   * Take in a chunk; false for one that does not belong here. Throws Broken.
   * @param {Chunk} chunk
   * @returns {boolean}
   */
  add(chunk) {
    if (this.head.version === 1) return this.addNew(chunk.type, chunk.payload);
    if (chunk.type.length === 4) return true; // the header again
    if (chunk.type !== "PA") return this.addAgain(chunk.type, chunk.payload);
    const whole = this.addPart(chunk.payload);
    return !whole || this.addAgain(whole.type, whole.payload);
  }

  /**
   * @param {string} type
   * @param {Uint8Array} payload
   */
  addAgain(type, payload) {
    const key = type + toHex(payload);
    if (this.taken.has(key)) return true;
    const known = this.addNew(type, payload);
    if (known) this.taken.add(key);
    return known;
  }

  /**
   * @param {string} type
   * @param {Uint8Array} payload
   */
  addNew(type, payload) {
    if (type === "ID" || type === "IR") {
      breaks(this.identity || this.reference, "a second identity");
      breaks(type === "IR" && payload.length !== 32, "no SHA-256");
      if (type === "ID") this.identity = payload;
      else this.reference = payload;
    } else if (type === "AP") {
      breaks(this.audio, "a second AP");
      this.audio = parseParameters(payload);
    } else if (type === "TU") this.tuning.add(payload);
    else return false;
    return true;
  }

  /**
   * Take in a part of a chunk; the whole of it, once the last one has come.
   * @param {Uint8Array} payload
   */
  addPart(payload) {
    const f = new Fields(payload);
    const type = String.fromCharCode(...f.take(2));
    breaks(!PARTED.includes(type), "a type that does not come in parts");
    const crc = f.u32();
    const part = f.varint(0, 4095);
    const count = f.varint(part + 1, 4096);
    const key = `${type} ${crc} ${count}`;
    const parts = this.parts.get(key) ?? new Map();
    this.parts.set(key, parts);
    for (const oldest of this.parts.keys()) if (this.parts.size > INCOMPLETE) this.parts.delete(oldest);
    parts.set(part, f.rest());
    const bytes = [...parts.values()].reduce((sum, piece) => sum + piece.length, 0);
    if (bytes > LIMIT[type] || parts.size === count) this.parts.delete(key);
    breaks(bytes > LIMIT[type], "its chunk would be too large");
    if (parts.size < count) return null;
    const whole = joined(Array.from({ length: count }, (_, i) => parts.get(i)));
    breaks(crc32(whole, 0) !== crc, "its chunk is not the one announced");
    return { type, payload: whole };
  }

  /** What should have come by now and did not. */
  missing() {
    const missing = [];
    if (!this.identity && !this.reference) missing.push("the identity is missing");
    if (this.tuning.incomplete) missing.push("a part of the tuning is missing");
    const named = (this.head.metadata.get("tune") ?? "none") !== "none";
    if (named && this.identity && !this.tuning.count) missing.push("the tuning is missing");
    return missing;
  }
}

/**
 * Call a function, and the other one where what it reads breaks the format.
 * @template T
 * @param {() => T} parse
 * @param {(error: Broken) => T} otherwise
 */
export function guarded(parse, otherwise) {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Broken) return otherwise(error);
    throw error;
  }
}
