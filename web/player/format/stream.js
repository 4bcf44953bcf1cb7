// A whole stream: what is refused, dropped, recovered and reported (SPEC.md, sections 2, 11 and 15).

import { parsePackets } from "./audio.js";
import { Chunks, CONTINUED, LIMIT } from "./chunks.js";
import { parseEnd } from "./end.js";
import { breaks, FAR, Refused, toHex } from "./fields.js";
import { parseHeader } from "./header.js";
import { guarded, Preamble } from "./preamble.js";
import { parseContinued, parseKey } from "./segment.js";

/** @typedef {import("./chunks.js").Chunk} Chunk */
/** @typedef {import("./segment.js").Frame} Frame */
/** @typedef {{ offset: number, size: number, reason: string }} Damage bytes that could not be used */

const BODY = ["SE", "AU", "EN", CONTINUED];
const LATE = ["\x89FCV", "ID", "IR", "AP", "TU", "PA"];

/** A stream that has been read. */
export class Stream {
  /**
   * Read a stream.
   * @param {Uint8Array} data the whole file
   * Throws Refused for what is no stream, or one that may not be read.
   */
  constructor(data) {
    this.bytes = data.length;
    /** @type {Damage[]} */
    this.damage = [];
    /** @type {Frame[]} */
    this.frames = [];
    /** @type {import("./audio.js").Packet[]} */
    this.packets = [];
    this.chunks = new Chunks(data);
    const head = this.chunks.header();
    this.header = guarded(() => parseHeader(head.payload), refuse);
    if (this.header.version === 2) this.chunks.live = this.header;
    this.preamble = new Preamble(this.header);
    new Body(this, data).read();
    if (!this.preamble.audio) this.packets = [];
  }

  /** The payload of the identity's chunk; null where none came. */
  get identity() {
    return this.preamble.identity;
  }

  /** The SHA-256 of the `.fci` file that holds the identity, in hexadecimal; null without. */
  get reference() {
    return this.preamble.reference && toHex(this.preamble.reference);
  }

  /** The tuning's bytes; null where it has none or not all of it. */
  get tuning() {
    return this.preamble.tuning.joined();
  }

  /** How the audio is coded; null without any. */
  get audio() {
    return this.preamble.audio;
  }

  /**
   * @param {number} offset
   * @param {number} size bytes
   * @param {string} reason
   */
  report(offset, size, reason) {
    const known = this.damage.some((one) => one.offset === offset && one.size === size && one.reason === reason);
    if (!known) this.damage.push({ offset, size, reason });
  }
}

/**
 * @param {string | Error} why
 * @returns {never}
 */
function refuse(why) {
  throw new Refused(typeof why === "string" ? why : why.message);
}

/** Reads what comes after the header. */
class Body {
  /**
   * @param {Stream} stream
   * @param {Uint8Array} data
   */
  constructor(stream, data) {
    this.stream = stream;
    this.data = data;
    this.header = stream.header;
    this.chunks = stream.chunks;
    this.lost = 0; // bytes since the last good segment
    this.expected = 0; // the number of the next frame
    this.heard = 0; // the number of the next packet
    /** @type {Frame | null} */
    this.before = null;
    /** @type {number | null} */
    this.step = null; // between the last two known frames that are neighbours
    /** @type {Map<number, import("./segment.js").Left>} */
    this.left = new Map(); // by the number of a segment's last frame
    /** @type {import("./end.js").Group[]} */
    this.groups = [];
    this.comparable = true; // whether a whole stream's index must be that of the chunks
    this.start = data.length; // of the body
    this.group = 0;
  }

  read() {
    const chunk = this.readPreamble();
    this.start = this.group = chunk?.offset ?? this.data.length;
    if (this.header.version === 1) this.reportMissing(0);
    this.readBody(chunk);
  }

  /** Read up to the first chunk of the body; return that. */
  readPreamble() {
    const { stream, chunks } = this;
    for (let chunk = chunks.next(); chunk; chunk = chunks.next()) {
      if ("lost" in chunk) this.lose(chunk);
      else if (BODY.includes(chunk.type)) return chunk;
      else {
        const given = chunk;
        const known = guarded(() => stream.preamble.add(given), refuse);
        if (!known && critical(given)) refuse(`unknown ${given.type}`);
      }
    }
    return null;
  }

  /** @param {Chunk | null} begins the first chunk */
  readBody(begins) {
    const { stream, chunks } = this;
    /** @type {Chunk | import("./chunks.js").Lost | null} */
    let chunk = begins;
    for (; chunk; chunk = chunks.next()) {
      if ("lost" in chunk) this.lose(chunk);
      else if (chunk.type === "AU") this.audio(chunk);
      else if (chunk.type === "SE" || chunk.type === CONTINUED) this.segment(chunk);
      else if (chunk.type === "EN") {
        this.end(chunk);
        this.reportLate(chunk.offset);
        const after = chunk.offset + chunk.size;
        const size = this.data.length - after;
        if (size) stream.report(after, size, "data after the end of the stream");
        return;
      } else this.other(chunk);
    }
    this.reportLate(this.data.length);
    stream.report(this.data.length, 0, "the stream ends without its end chunk");
  }

  /** @param {number} offset */
  reportLate(offset) {
    if (this.header.version === 2) this.reportMissing(offset);
  }

  /** @param {number} offset */
  reportMissing(offset) {
    for (const what of this.stream.preamble.missing()) this.stream.report(offset, 0, what);
  }

  /** @param {import("./chunks.js").Lost} bytes */
  lose({ offset, lost }) {
    this.stream.report(offset, lost, "no whole chunk");
    this.lost += lost;
  }

  /**
   * A chunk that is none of the body: late in version 2, else refused or passed over.
   * @param {Chunk} chunk
   */
  other(chunk) {
    const { stream } = this;
    if (this.header.version === 2 && LATE.includes(chunk.type)) {
      guarded(() => stream.preamble.add(chunk), (error) => {
        stream.report(chunk.offset, chunk.size, error.message);
        return true;
      });
    } else if (critical(chunk)) refuse(`${chunk.type in LIMIT ? "out of place" : "unknown"}: ${chunk.type}`);
    else if (!(chunk.type in LIMIT)) this.comparable = false; // the context is passed over
  }

  /** @param {Chunk} chunk */
  audio(chunk) {
    const { stream } = this;
    if (!stream.audio) {
      stream.report(this.start, 0, "the audio's parameters are missing");
      if (this.header.version === 1) return;
    }
    guarded(() => {
      const { first, packets } = parsePackets(chunk.payload);
      breaks(first < this.heard, "audio that was there before");
      if (first > this.heard) stream.report(chunk.offset, 0, `${first - this.heard} audio packets are missing`);
      stream.packets.push(...packets);
      this.heard = first + packets.length;
    }, (error) => stream.report(chunk.offset, chunk.size, error.message));
  }

  /** @param {Chunk} chunk */
  segment(chunk) {
    const frames = guarded(() => this.decoded(chunk), (error) => {
      this.stream.report(chunk.offset, chunk.size, error.message);
      return null;
    });
    if (!frames) this.lost += chunk.size;
    else {
      const [first, last] = [frames[0], frames[frames.length - 1]];
      const missing = first.index - this.expected;
      if (missing) {
        this.allowGap(missing, chunk.offset);
        const inner = frames.length > 1 ? frames[1].pts - first.pts : null;
        this.fill(missing, first, inner ?? this.header.usualStep);
      }
      for (const frame of frames) this.stream.frames.push(frame);
      if (frames.length > 1) this.step = last.pts - frames[frames.length - 2].pts;
      else if (this.before && !missing) this.step = first.pts - this.before.pts;
      [this.before, this.expected, this.lost] = [last, last.index + 1, 0];
      this.groups.push({ offset: this.group, first: first.index, frames: frames.length, pts: first.pts });
    }
    this.group = chunk.offset + chunk.size;
  }

  /** @param {Chunk} chunk */
  decoded(chunk) {
    const { header, left } = this;
    let segment;
    if (chunk.continued) {
      const { first, back, frames } = chunk.continued;
      const before = left.get(first - back);
      breaks(!before, "what it continues is not there");
      segment = parseContinued(header, /** @type {any} */ (before), first, frames, chunk.payload);
    } else segment = parseKey(header, chunk.payload);
    if (header.version === 2 && !header.precision) {
      left.set(segment.left.index, segment.left);
      while (left.size > 8) left.delete(Math.min(...left.keys()));
    }
    const { index, pts } = segment.frames[0];
    breaks(index < this.expected, "a segment that goes back");
    breaks(this.before && pts - this.before.pts < index - this.before.index, "leaves no room");
    return segment.frames;
  }

  /**
   * Refuse a gap that the bytes lost cannot explain.
   * @param {number} missing frames
   * @param {number} place of the chunk that shows it
   */
  allowGap(missing, place) {
    if (!this.lost || missing > 240 * (Math.floor(this.lost / 10) + 1)) refuse("missing, nothing lost");
    if (this.expected + missing > 24 * place) refuse("more than it can hold");
  }

  /**
   * Put frames in the place of lost ones, before `after`, or after the last one.
   * @param {number} missing
   * @param {Frame | null} after
   * @param {number} step
   */
  fill(missing, after, step) {
    const { before } = this;
    const known = before ?? after;
    if (!known) return;
    for (let i = 1; i <= missing; i += 1) {
      let pts;
      if (before && after) {
        const whole = BigInt(after.pts - before.pts) * BigInt(i);
        pts = before.pts + Number(whole / BigInt(missing + 1));
      } else if (before) pts = before.pts + step * i;
      else pts = known.pts - step * (missing + 1 - i);
      if (Math.abs(pts) > FAR) refuse("recovered timestamps out of range");
      const share = before && after ? i / (missing + 1) : 0;
      const [from, to] = [known, after ?? known];
      const nearer = share < 0.5 ? from : to;
      const both = from.placement && to.placement;
      this.stream.frames.push({
        index: this.expected + i - 1,
        pts,
        flags: nearer.flags,
        controls: mixed(from.controls, to.controls, share),
        placement: both ? mixed(/** @type {any} */ (from.placement), /** @type {any} */ (to.placement), share) : nearer.placement,
        recovered: true,
      });
    }
  }

  /** @param {Chunk} chunk */
  end(chunk) {
    const { stream } = this;
    const said = guarded(() => parseEnd(this.header, chunk), (error) => {
      stream.report(chunk.offset, chunk.size, error.message);
      return null;
    });
    if (!said) return;
    if (said.groups && this.comparable && !stream.damage.length && !same(said.groups, this.groups)) {
      stream.report(chunk.offset, chunk.size, "the index is not that of the file");
    }
    if (said.packets !== null && said.packets !== this.heard) {
      stream.report(chunk.offset, 0, `the end chunk counts ${said.packets} audio packets, ${this.heard} came`);
    }
    const missing = said.frames - this.expected;
    if (missing < 0) stream.report(chunk.offset, chunk.size, "the end chunk counts fewer frames than came");
    if (missing <= 0) return;
    this.allowGap(missing, chunk.offset);
    if (this.before) this.fill(missing, null, this.step ?? this.header.usualStep);
    else stream.report(chunk.offset, 0, `${missing} frames are missing, and there is none to recover them from`);
  }
}

/** @param {Chunk} chunk */
const critical = (chunk) => chunk.type[0] < "a";

/**
 * @param {import("./end.js").Group[]} ones
 * @param {import("./end.js").Group[]} others
 */
function same(ones, others) {
  return ones.length === others.length && ones.every((one, i) => {
    const other = others[i];
    return one.offset === other.offset && one.first === other.first && one.frames === other.frames && one.pts === other.pts;
  });
}

/**
 * @param {Float32Array} before
 * @param {Float32Array} after
 * @param {number} share of the latter
 */
const mixed = (before, after, share) => before.map((value, i) => value * (1 - share) + after[i] * share);
