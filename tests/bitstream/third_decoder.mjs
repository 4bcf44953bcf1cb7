// A third decoder of `.fcv` streams, from SPEC.md alone, in another language: with its tables, its
// limits, and section 11 (what is refused, dropped, recovered, reported). Node's own modules only.
//
//     node third_decoder.mjs SPEC.md MEAN FILE...
//
// MEAN: the generator's mean of W, float32, in hexadecimal, repeated to fit. Prints a line of JSON for every file.

import { readFileSync } from "node:fs";

class Broken extends Error {} // something breaks the format: its chunk is dropped or refused
class Refused extends Error {} // the stream is refused

const [, , specPath, meanHex, ...paths] = process.argv;
const SPEC = readFileSync(specPath, "utf8");
const MEAN = floats(Buffer.from(meanHex, "hex"));
const TABLES = {
  words: part("table words").split("\n"),
  segment: Buffer.from(part("table segment").replaceAll("\n", ""), "hex"),
  identity: Buffer.from(part("table identity").replaceAll("\n", ""), "hex"),
};

function part(name) {
  return SPEC.match(new RegExp(`<!-- ${name} -->\\s*\`\`\`text\\n([^]*?)\\n\`\`\``))[1];
}

function floats(bytes) {
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

function singles(values) {
  const out = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => out.writeFloatLE(value, 4 * i));
  return out.toString("hex");
}

function half(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

const breaks = (condition, why) => {
  if (condition) throw new Broken(why);
};
const FAR = 2 ** 48;
const stepOf = (code) => (16 + (code % 16)) * 2 ** (Math.floor(code / 16) - 16);

// Section 1: fields.

class Fields {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  get left() {
    return this.bytes.length - this.at;
  }
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
  fraction() {
    const [top, bottom] = [this.varint(0, 2 ** 32 - 1), this.varint(0, 2 ** 32 - 1)];
    if (top === 0 && bottom === 0) return null;
    breaks(top === 0 || bottom === 0, "not positive");
    return [BigInt(top), BigInt(bottom)];
  }
  string() {
    let n = this.u8();
    let start = "";
    if (n >= 128 && n < 128 + TABLES.words.length) return TABLES.words[n - 128];
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

// Section 6: the entropy decoder.

class Entropy {
  constructor(body, contexts, table) {
    this.body = body;
    this.taken = 0;
    this.fast = Array.from({ length: contexts }, (_, i) => (table ? 128 * (2 * table[i] + 1) : 32768));
    this.slow = [...this.fast];
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
  decide(p, contexts) {
    const bound = Math.floor(this.range / 65536) * p;
    const one = this.code < bound;
    if (one) this.range = bound;
    else [this.code, this.range] = [this.code - bound, this.range - bound];
    for (const c of contexts) {
      if (one) {
        this.fast[c] += (65536 - this.fast[c]) >> 4;
        this.slow[c] += (65536 - this.slow[c]) >> 7;
      } else {
        this.fast[c] -= this.fast[c] >> 4;
        this.slow[c] -= this.slow[c] >> 7;
      }
    }
    this.normalise();
    return one ? 1 : 0;
  }
  bit(c) {
    return this.decide((this.fast[c] + this.slow[c]) >> 1, [c]);
  }
  pair(c, d) {
    return this.decide((this.fast[c] + this.slow[c] + this.fast[d] + this.slow[d]) >> 2, [c, d]);
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
  magnitude(c, unary = 14) {
    for (let k = 0; k < unary; k += 1) if (!this.bit(c + k)) return k + 1;
    return unary + 1 + this.golomb();
  }
  magnitude2(c, d) {
    for (let k = 0; k < 14; k += 1) if (!this.pair(c + k, d + k)) return k + 1;
    return 15 + this.golomb();
  }
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

const inRange = (level) => {
  breaks(Math.abs(level) > 2 ** 18 - 1, "a level out of range");
  return level;
};

function track(coder, base, rows, width) {
  if (!rows) return [];
  const table = [Array.from({ length: width }, () => inRange(coder.signed(base)))];
  const columns = Array.from({ length: width }, () => (
    { short: 0, medium: 8, long: 24, drift: 0, before: 1 }));
  while (table.length < rows) {
    let around = 0;
    table.push(columns.map((m, i) => {
      const own = Math.min((m.short + 3) >> 2, 7);
      const calm = Math.min(m.medium >> 2, 8) - 1;
      const usual = Math.min(m.long >> 3, 8) - 1;
      const near = Math.min((around + 1) >> 1, 3);
      const towards = Math.max(-3, Math.min((m.drift + 2) >> 2, 3));
      const second = base + 80 + 4 * (8 * near + calm) + Math.abs(towards);
      let [size, change, level] = [0, 0, table.at(-1)[i]];
      if (coder.pair(base + 16 + 8 * own + usual, second)) {
        const fell = coder.bit(base + 208 + 3 * (towards + 3) + m.before);
        const moved = coder.magnitude2(base + 229 + 14 * own, base + 341 + 14 * calm);
        level = inRange(level + (fell ? -moved : moved));
        size = Math.min(moved, 64);
        change = fell ? -size : size;
        m.before = fell ? 0 : 2;
      } else m.before = 1;
      m.short += (8 * size - m.short + 1) >> 1;
      m.medium += (16 * size - m.medium + 4) >> 3;
      m.long += (64 * size - m.long + 8) >> 4;
      m.drift += (16 * change - m.drift) >> 1;
      around += (2 * size - around + 1) >> 1;
      return level;
    }));
  }
  return table;
}

// Section 2: chunks.

const LIMIT = { ID: 2 ** 20, IR: 32, AP: 2 ** 20, TU: 2 ** 20, AU: 2 ** 20, SE: 2 ** 16, EN: 2 ** 18 };
const CRC = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k += 1) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});

function crc32(bytes, seed) {
  let c = ~seed;
  for (const byte of bytes) c = CRC[(c ^ byte) & 255] ^ (c >>> 8);
  return ~c >>> 0;
}

class Chunks {
  constructor(data) {
    this.data = data;
    this.seed = 0;
    this.at = 0;
    this.spent = 0;
  }
  chunkAt(p, header = false) {
    const { data } = this;
    const letters = header ? 4 : 2;
    if (p + letters > data.length) return null;
    const type = data.toString("latin1", p, p + letters);
    if (!header && !/^[A-Za-z]{2}$/.test(type)) return null;
    let [at, size, i] = [p + letters, 0, 0];
    for (; ; i += 1) {
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
    const crc = data.readUInt32LE(at + size);
    if (crc32(data.subarray(p, at + size), this.seed) !== crc) {
      this.spent += size;
      if (this.spent > 64 * (p + 2 ** 20)) throw new Refused("too damaged");
      return null;
    }
    return { type, offset: p, size: at + size + 4 - p, payload: data.subarray(at, at + size), crc };
  }
  header() {
    if (this.data.toString("latin1", 0, 4) !== "\x89FCV") throw new Refused("not a stream");
    const chunk = this.chunkAt(0, true);
    if (!chunk) throw new Refused("its header is not whole");
    this.seed = chunk.crc;
    this.at = chunk.size;
    return chunk;
  }
  next() {
    // The next chunk, or the bytes that are none: { lost, offset }; null at the end of the file.
    if (this.at >= this.data.length) return null;
    const begin = this.at;
    const chunk = this.chunkAt(begin);
    if (chunk) {
      this.at += chunk.size;
      return chunk;
    }
    for (this.at += 1; this.at < this.data.length; this.at += 1) {
      const known = this.data.toString("latin1", this.at, this.at + 2) in LIMIT;
      if (known && this.chunkAt(this.at)) break;
    }
    return { lost: this.at - begin, offset: begin };
  }
}

// Section 4: the header.

function parseHeader(payload) {
  const f = new Fields(payload);
  const form = f.u8();
  breaks((form & 15) !== 1, "version");
  breaks(form & 128 || ((form >> 4) & 3) === 3, "form");
  f.u8(0, 100);
  const shapes = { 1: [35, 16, 512, 1024], 2: [35, 18, 512, 1024] };
  const shape = f.u8(0, 2);
  const [controls, rows, width] = shapes[shape]
    ?? [f.varint(1, 64), f.varint(1, 64), f.varint(1, 1024), f.varint(4, 8192)];
  f.varint(1, 65535);
  f.varint(1, 65535);
  const [base, rate] = [f.fraction(), f.fraction()];
  breaks(base === null, "no time base");
  f.take(64);
  const placement = form & 64 ? [...f.take(4)] : [160, 160, 160, 48];
  const texts = [f.string(), f.string()];
  const metadata = new Map();
  for (let n = f.varint(0, 64); n > 0; n -= 1) {
    const key = f.string();
    metadata.set(key, f.string());
  }
  const unit = f.u8(1);
  const codes = [f.u8()];
  const coder = new Entropy(f.rest(), 16);
  while (codes.length < controls) {
    codes.push(codes.at(-1) + unit * coder.signed(0));
    breaks(codes.at(-1) < 0 || codes.at(-1) > 255, "a code out of range");
  }
  coder.end();
  for (const key of [...metadata.keys()].sort()) texts.push(key, metadata.get(key));
  // clock = 1 / (rate x base) = a / b
  const clock = rate && [rate[1] * base[1], rate[0] * base[0]];
  const five = rate && Number((10n * rate[0] + rate[1]) / (2n * rate[1]));
  const usual = rate ? Math.min(Math.max(five, 30), 240) : 150;
  const at = (n) => (2n * BigInt(n) * clock[0] + clock[1]) / (2n * clock[1]);
  const expected = (n) => (rate && at(n) <= 2n ** 48n ? Number(at(n)) : 0);
  return {
    controls, rows, width, texts, metadata, rate, usual, at, expected,
    precision: (form >> 4) & 3,
    steps: codes.map(stepOf),
    placementSteps: placement.map(stepOf),
    usualStep: rate ? Math.max(Number(at(1)), 1) : 1,
  };
}

// Section 5: segments.

function parseSegment(head, payload) {
  const f = new Fields(payload);
  const first = f.varint(0, FAR);
  const frames = head.usual + f.svarint();
  breaks(frames < 1 || frames > 240, "frames");
  const start = head.expected(first) + f.svarint();
  breaks(Math.abs(start) > FAR, "timestamp");
  const bytes = [0, 2, 4][head.precision];
  const raw = f.take(frames * head.controls * bytes);
  const coder = new Entropy(f.rest(), 930, TABLES.segment);
  const pts = [start];
  let step = 1;
  for (let n = first + 1; n < first + frames; n += 1) {
    const expected = head.rate ? Number(head.at(n) - head.at(n - 1)) : step;
    if (coder.bit(0)) step = expected;
    else if (!coder.bit(1)) step += coder.signed(2);
    pts.push(pts.at(-1) + step);
    breaks(step < 1 || pts.at(-1) > FAR, "timestamps");
  }
  const flags = [];
  for (let i = 0; i < frames; i += 1) {
    const before = flags.at(-1) ?? 0;
    const low = coder.bit(18 + (before & 1));
    flags.push(low + 2 * coder.bit(20 + (before >> 1)));
  }
  const placed = [];
  for (let i = 0; i < frames; i += 1) placed.push(coder.bit(22 + (placed.at(-1) ?? 1)));
  const places = track(coder, 24, placed.filter(Boolean).length, 4);
  let rows;
  if (bytes) {
    const one = (i) => (bytes === 2 ? half(raw.readUInt16LE(2 * i)) : raw.readFloatLE(4 * i));
    const all = Array.from({ length: frames * head.controls }, (_, i) => one(i));
    breaks(!all.every(Number.isFinite), "not finite");
    rows = pts.map((_, i) => (bytes === 4
      ? raw.toString("hex", 4 * i * head.controls, 4 * (i + 1) * head.controls)
      : singles(all.slice(i * head.controls, (i + 1) * head.controls))));
  } else {
    rows = track(coder, 477, frames, head.controls)
      .map((row) => singles(row.map((level, i) => level * head.steps[i])));
  }
  coder.end();
  return pts.map((time, i) => {
    const place = placed[i] ? places.shift().map((level, k) => level * head.placementSteps[k]) : null;
    return [first + i, time, flags[i], rows[i], place && singles(place)];
  });
}

// Section 7: the identity.

function parseIdentity(head, payload) {
  const f = new Fields(payload);
  if (f.u8(0, 1) === 1) {
    const raw = f.take(4 * head.rows * head.width);
    f.end();
    breaks(!floats(raw).every(Number.isFinite), "not finite");
    return raw.toString("hex");
  }
  const steps = [...f.take(head.rows)].map(stepOf);
  const coder = new Entropy(f.rest(), 168, TABLES.identity);
  const out = [];
  let above = new Array(head.width).fill(0);
  for (const step of steps) {
    let recent = 16;
    above = above.map((level) => {
      const a = 21 * Math.min((recent + 4) >> 3, 7);
      let m = 0;
      if (coder.bit(a)) {
        const negative = coder.even();
        m = coder.magnitude(a + 1, 20);
        level += negative ? -m : m;
      }
      recent += (8 * Math.min(m, 64) - recent) >> 4;
      return inRange(level);
    });
    out.push(...above.map((level, i) => Math.fround(Math.fround(level * step) + MEAN[i % MEAN.length])));
  }
  coder.end();
  return singles(out);
}

// Section 9: audio.

function parseParameters(payload) {
  const f = new Fields(payload);
  f.string();
  f.varint(1, 10 ** 7);
  f.varint(1, 255);
  breaks(f.fraction() === null, "no time base");
  breaks(f.left > 2 ** 16, "extradata");
}

function parsePackets(payload) {
  const f = new Fields(payload);
  const first = f.varint(0, FAR);
  const rows = [];
  let follows = 0;
  for (let n = f.varint(0, Math.floor(payload.length / 4)); n > 0; n -= 1) {
    const dts = follows + f.svarint();
    const pts = dts + f.svarint();
    breaks(Math.abs(dts) > FAR || Math.abs(pts) > FAR, "timestamp");
    rows.push([pts, dts, f.varint(0, FAR), f.varint(0, 2 ** 19)]);
    follows = dts + rows.at(-1)[2];
  }
  const packets = rows.map(([pts, dts, lasts, size]) => [pts, dts, lasts, f.take(size).toString("hex")]);
  f.end();
  return [first, packets];
}

// Section 10: the index.

function parseEnd(head, chunk) {
  const size = [];
  for (let n = chunk.size; ; n = Math.floor(n / 128)) {
    size.unshift((n % 128) + (size.length === 0 && n < 128 ? 0 : n < 128 ? 0 : 128));
    if (n < 128) break;
  }
  const { payload } = chunk;
  const body = payload.length - size.length;
  breaks(body < 0 || !payload.subarray(body).equals(Buffer.from(size)), "size of the chunk");
  const f = new Fields(payload.subarray(0, body));
  const entries = [];
  let [first, frames, held] = [0, head.usual, 0];
  while (f.left) {
    const group = f.varint(20, 2 * FAR);
    const [last, before] = [entries.at(-1), entries.at(-2)];
    let pts = head.expected(first);
    if (last && head.rate) pts += last.pts - head.expected(last.first);
    else if (last) pts = last.pts + (before ? last.pts - before.pts : 0);
    if (group % 2) {
      frames = head.usual + f.svarint();
      breaks(frames < 1 || frames > 240, "frames");
      pts += f.svarint();
    }
    breaks(first + frames > FAR || Math.abs(pts) > FAR, "out of range");
    entries.push({ bytes: Math.floor(group / 2), first, frames, pts });
    held += Math.floor(group / 2);
    breaks(held > chunk.offset, "before the first byte");
    first += frames;
  }
  let offset = chunk.offset - held;
  for (const entry of entries) {
    entry.offset = offset;
    offset += entry.bytes;
  }
  return [entries, first];
}

// Sections 2 and 11: a stream.

function decode(data) {
  const chunks = new Chunks(data);
  const result = { damage: [], reports: 0, frames: [], audio: [], identity: null, reference: null };
  const report = (offset, size) => {
    result.reports += 1;
    if (size) result.damage.push([offset, size]);
  };
  const refuse = (why) => {
    throw new Refused(why);
  };
  const strictly = (parse, ...given) => {
    try {
      return parse(...given);
    } catch (error) {
      if (error instanceof Broken) refuse(error.message);
      throw error;
    }
  };
  const loosely = (chunk, parse, ...given) => {
    try {
      return parse(...given);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      report(chunk.offset, chunk.size);
      return null;
    }
  };

  const head = strictly(parseHeader, chunks.header().payload);
  result.texts = head.texts;
  const parts = new Map();
  let [identity, parameters, partCount, lost] = [null, false, 0, 0];
  let chunk;

  // The preamble.
  for (chunk = chunks.next(); chunk; chunk = chunks.next()) {
    if (chunk.lost) {
      report(chunk.offset, chunk.lost);
      lost += chunk.lost;
    } else if (["SE", "AU", "EN"].includes(chunk.type)) break;
    else if (chunk.type === "ID" || chunk.type === "IR") {
      if (identity) refuse("a second identity");
      if (chunk.type === "IR" && chunk.payload.length !== 32) refuse("no SHA-256");
      identity = chunk;
    } else if (chunk.type === "AP") {
      if (parameters) refuse("a second AP");
      strictly(parseParameters, chunk.payload);
      parameters = true;
    } else if (chunk.type === "TU") {
      const f = new Fields(chunk.payload);
      strictly(() => {
        const number = f.varint(0, 255);
        const count = f.varint(number + 1, 256);
        breaks((partCount && count !== partCount) || parts.has(number), "parts");
        partCount = count;
        parts.set(number, f.rest());
      });
    } else if (chunk.type[0] < "a") refuse(`unknown ${chunk.type}`);
  }
  if (!identity) report(0, 0);
  if (identity?.type === "IR") result.reference = identity.payload.toString("hex");
  if (parts.size < partCount) report(0, 0);
  const named = (head.metadata.get("tune") ?? "none") !== "none";
  if (named && identity?.type === "ID" && !partCount) report(0, 0);
  const whole = partCount && parts.size === partCount;
  const inOrder = Array.from({ length: partCount }, (_, i) => parts.get(i));
  result.tuning = whole ? Buffer.concat(inOrder).toString("hex") : null;

  // The body.
  const groups = [];
  let [group, comparable] = [chunk?.offset ?? data.length, true];
  let [expected, heard, before, step] = [0, 0, null, null];

  function allowGap(missing, place) {
    if (!lost || missing > 240 * (Math.floor(lost / 10) + 1)) refuse("missing, nothing lost");
    if (expected + missing > 24 * place) refuse("more than it can hold");
  }
  function fill(missing, after, distance) {
    for (let i = 1; i <= missing; i += 1) {
      let pts;
      if (before && after) {
        const whole = BigInt(after[1] - before[1]) * BigInt(i);
        pts = before[1] + Number(whole / BigInt(missing + 1));
      } else if (before) pts = before[1] + distance * i;
      else pts = after[1] - distance * (missing + 1 - i);
      if (Math.abs(pts) > FAR) refuse("recovered timestamps out of range");
      result.frames.push([expected + i - 1, pts, null, null, null]);
    }
  }
  function segment(frames) {
    const [first, last] = [frames[0], frames.at(-1)];
    const missing = first[0] - expected;
    const inner = frames.length > 1 ? frames[1][1] - first[1] : null;
    if (missing) {
      allowGap(missing, chunk.offset);
      fill(missing, first, inner ?? head.usualStep);
    }
    for (const frame of frames) result.frames.push(frame);
    if (frames.length > 1) step = last[1] - frames.at(-2)[1];
    else if (before && !missing) step = first[1] - before[1];
    [before, expected, lost] = [last, last[0] + 1, 0];
  }
  function end() {
    const index = loosely(chunk, parseEnd, head, chunk);
    if (!index) return;
    const [entries, count] = index;
    const same = entries.length === groups.length && entries.every((entry, i) => (
      ["offset", "first", "frames", "pts"].every((name) => entry[name] === groups[i][name])));
    if (comparable && !result.reports && !same) report(chunk.offset, chunk.size);
    const missing = count - expected;
    if (missing < 0) report(chunk.offset, chunk.size);
    if (missing <= 0) return;
    allowGap(missing, chunk.offset);
    if (before) fill(missing, null, step ?? head.usualStep);
    else report(chunk.offset, 0);
  }

  for (; chunk; chunk = chunks.next()) {
    if (chunk.lost) {
      report(chunk.offset, chunk.lost);
      lost += chunk.lost;
    } else if (chunk.type === "AU") {
      if (!parameters) {
        report(0, 0);
        continue;
      }
      const parsed = loosely(chunk, () => {
        const [first, packets] = parsePackets(chunk.payload);
        breaks(first < heard, "was there before");
        return [first, packets];
      });
      if (!parsed) continue;
      if (parsed[0] > heard) report(chunk.offset, 0);
      result.audio.push(...parsed[1]);
      heard = parsed[0] + parsed[1].length;
    } else if (chunk.type === "SE") {
      const frames = loosely(chunk, () => {
        const parsed = parseSegment(head, chunk.payload);
        const [n, pts] = parsed[0];
        breaks(n < expected, "goes back");
        breaks(before && pts - before[1] < n - before[0], "leaves no room");
        return parsed;
      });
      if (frames) {
        segment(frames);
        groups.push({ offset: group, first: frames[0][0], frames: frames.length, pts: frames[0][1] });
      } else lost += chunk.size;
      group = chunk.offset + chunk.size;
    } else if (chunk.type === "EN") {
      end();
      const after = chunk.offset + chunk.size;
      if (after < data.length) report(after, data.length - after);
      break;
    } else if (chunk.type in LIMIT || chunk.type[0] < "a") refuse(`out of place: ${chunk.type}`);
    else comparable = false;
  }
  if (!chunk) report(data.length, 0);
  if (identity?.type === "ID") {
    try {
      result.identity = parseIdentity(head, identity.payload);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      result.identity = "breaks the format";
    }
  }
  return result;
}

for (const path of paths) {
  let line;
  try {
    line = decode(readFileSync(path));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    line = { refused: error.message };
  }
  console.log(JSON.stringify(line));
}
