// The entropy decoder and tracks (SPEC.md, section 6).

import { breaks } from "./fields.js";

const MAX_LEVEL = 2 ** 18 - 1;

/**
 * A level, which shall be in range.
 * @param {number} level
 */
export function inRange(level) {
  breaks(level > MAX_LEVEL || level < -MAX_LEVEL, "a level out of range");
  return level;
}

/** The probabilities of some contexts: what a segment leaves to one that continues it. */
export class Odds {
  /**
   * @param {number} contexts
   * @param {Uint8Array} [table] initial probabilities; without it, all are even
   */
  constructor(contexts, table) {
    this.fast = Int32Array.from({ length: contexts }, (_, i) => (table ? 128 * (2 * table[i] + 1) : 32768));
    this.slow = this.fast.slice();
  }

  copy() {
    const other = new Odds(0);
    [other.fast, other.slow] = [this.fast.slice(), this.slow.slice()];
    return other;
  }
}

/** The range decoder of one body. */
export class Entropy {
  /**
   * @param {Uint8Array} body
   * @param {Odds} odds which this changes
   */
  constructor(body, odds) {
    this.body = body;
    this.odds = odds;
    this.taken = 0;
    this.range = 2 ** 32 - 1;
    this.code = 0;
    for (let i = 0; i < 4; i += 1) this.code = this.code * 256 + this.next();
    this.check();
  }

  next() {
    return this.body[this.taken++] ?? 0;
  }

  check() {
    breaks(this.code >= this.range, "no encoder makes it");
  }

  normalise() {
    while (this.range < 2 ** 24) {
      this.range *= 256;
      this.code = this.code * 256 + this.next();
    }
  }

  /** @param {number} p in units of 2^-16 */
  decide(p) {
    const bound = (this.range >>> 16) * p;
    const one = this.code < bound;
    if (one) this.range = bound;
    else {
      this.code -= bound;
      this.range -= bound;
    }
    this.normalise();
    return one ? 1 : 0;
  }

  /**
   * @param {number} c
   * @param {number} one
   */
  adapt(c, one) {
    const { fast, slow } = this.odds;
    if (one) {
      fast[c] += (65536 - fast[c]) >> 4;
      slow[c] += (65536 - slow[c]) >> 7;
    } else {
      fast[c] -= fast[c] >> 4;
      slow[c] -= slow[c] >> 7;
    }
  }

  /** @param {number} c */
  bit(c) {
    const one = this.decide((this.odds.fast[c] + this.odds.slow[c]) >> 1);
    this.adapt(c, one);
    return one;
  }

  /**
   * @param {number} c
   * @param {number} d
   */
  pair(c, d) {
    const { fast, slow } = this.odds;
    const one = this.decide((fast[c] + slow[c] + fast[d] + slow[d]) >> 2);
    this.adapt(c, one);
    this.adapt(d, one);
    return one;
  }

  even() {
    this.range = Math.floor(this.range / 2);
    const one = this.code < this.range;
    if (!one) {
      this.code -= this.range;
      this.check();
    }
    this.normalise();
    return one ? 1 : 0;
  }

  golomb() {
    let n = 1;
    while (!this.even()) breaks(++n > 48, "n above 48");
    let v = 1;
    for (let i = 1; i < n; i += 1) v = 2 * v + this.even();
    return v - 1;
  }

  /** @param {number} c */
  magnitude(c, unary = 14) {
    for (let k = 0; k < unary; k += 1) if (!this.bit(c + k)) return k + 1;
    return unary + 1 + this.golomb();
  }

  /**
   * @param {number} c
   * @param {number} d
   */
  magnitude2(c, d) {
    for (let k = 0; k < 14; k += 1) if (!this.pair(c + k, d + k)) return k + 1;
    return 15 + this.golomb();
  }

  /** @param {number} c */
  signed(c) {
    if (!this.bit(c)) return 0;
    const negative = this.bit(c + 1);
    const m = this.magnitude(c + 2);
    return negative ? -m : m;
  }

  end() {
    breaks(this.taken < this.body.length, "bytes not taken");
  }
}

/** What a track knows of its past, a number a column (section 6.4). */
export class TrackMemory {
  /** @param {number} width */
  constructor(width) {
    /** @type {number[] | null} */
    this.last = null;
    this.short = new Array(width).fill(0);
    this.medium = new Array(width).fill(8);
    this.long = new Array(width).fill(24);
    this.drift = new Array(width).fill(0);
    this.before = new Array(width).fill(1);
  }

  copy() {
    const other = new TrackMemory(0);
    other.last = this.last && this.last.slice();
    for (const name of /** @type {const} */ (["short", "medium", "long", "drift", "before"])) {
      other[name] = this[name].slice();
    }
    return other;
  }
}

/**
 * Decode rows of a track; the memory goes on with them.
 * @param {Entropy} coder
 * @param {number} base the first of its contexts
 * @param {number} rows
 * @param {number} width
 * @param {TrackMemory} memory
 * @returns {number[][]} levels
 */
export function track(coder, base, rows, width, memory) {
  const out = [];
  const { short, medium, long, drift, before } = memory;
  while (out.length < rows) {
    const last = memory.last;
    if (last === null) {
      memory.last = Array.from({ length: width }, () => inRange(coder.signed(base)));
      out.push(memory.last);
      continue;
    }
    let around = 0;
    const row = new Array(width);
    for (let i = 0; i < width; i += 1) {
      const own = Math.min((short[i] + 3) >> 2, 7);
      const calm = Math.min(medium[i] >> 2, 8) - 1;
      const usual = Math.min(long[i] >> 3, 8) - 1;
      const near = Math.min((around + 1) >> 1, 3);
      const towards = Math.max(-3, Math.min((drift[i] + 2) >> 2, 3));
      const second = base + 80 + 4 * (8 * near + calm) + Math.abs(towards);
      let [size, change, level] = [0, 0, last[i]];
      if (coder.pair(base + 16 + 8 * own + usual, second)) {
        const fell = coder.bit(base + 208 + 3 * (towards + 3) + before[i]);
        const moved = coder.magnitude2(base + 229 + 14 * own, base + 341 + 14 * calm);
        level = inRange(level + (fell ? -moved : moved));
        size = Math.min(moved, 64);
        change = fell ? -size : size;
        before[i] = fell ? 0 : 2;
      } else before[i] = 1;
      short[i] += (8 * size - short[i] + 1) >> 1;
      medium[i] += (16 * size - medium[i] + 4) >> 3;
      long[i] += (64 * size - long[i] + 8) >> 4;
      drift[i] += (16 * change - drift[i]) >> 1;
      around += (2 * size - around + 1) >> 1;
      row[i] = level;
    }
    memory.last = row;
    out.push(row);
  }
  return out;
}
