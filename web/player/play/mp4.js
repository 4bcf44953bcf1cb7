// Audio packets as an MP4 file in memory, for an <audio> element (ISO/IEC 14496-12 and -14).

import { joined } from "../format/fields.js";

/** @typedef {import("../format/audio.js").AudioParameters} AudioParameters */
/** @typedef {import("../format/audio.js").Packet} Packet */

/** @type {Record<string, string>} */
const TYPES = {
  aac: 'audio/mp4; codecs="mp4a.40.2"',
  mp3: 'audio/mp4; codecs="mp4a.6B"',
  opus: 'audio/mp4; codecs="opus"',
  flac: 'audio/mp4; codecs="flac"',
  alac: 'audio/mp4; codecs="alac"',
};

/**
 * The media type of audio of a codec; undefined for a codec that MP4 files do not carry.
 * @param {string} codec
 * @returns {string | undefined}
 */
export const typeOf = (codec) => TYPES[codec];

/** @param {...number} values bytes */
const u8 = (...values) => Uint8Array.from(values);

/** @param {...number} values */
function u32(...values) {
  const out = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => out.setUint32(4 * i, value));
  return new Uint8Array(out.buffer);
}

/** @param {...number} values */
function u16(...values) {
  return Uint8Array.from(values.flatMap((value) => [(value >> 8) & 255, value & 255]));
}

/** @param {string} text */
const ascii = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/**
 * @param {string} type
 * @param {...Uint8Array} parts
 */
function box(type, ...parts) {
  const body = joined(parts);
  return joined([u32(body.length + 8), ascii(type), body]);
}

/**
 * A descriptor of ISO/IEC 14496-1.
 * @param {number} tag
 * @param {...Uint8Array} parts
 */
function descriptor(tag, ...parts) {
  const body = joined(parts);
  const size = body.length;
  return joined([u8(tag, 128 | ((size >> 21) & 127), 128 | ((size >> 14) & 127), 128 | ((size >> 7) & 127), size & 127), body]);
}

/** @param {AudioParameters} audio */
function entry({ codec, rate, channels, extradata }) {
  const common = joined([
    u8(0, 0, 0, 0, 0, 0), u16(1), u32(0, 0), u16(channels, 16, 0, 0), u16(rate < 65536 ? rate : 0, 0),
  ]);
  if (codec === "opus") {
    const head = new DataView(extradata.buffer, extradata.byteOffset, extradata.byteLength);
    if (extradata.length < 19) throw new Error("Opus without its identification header");
    const config = joined([
      u8(0, extradata[9]), u16(head.getUint16(10, true)), u32(head.getUint32(12, true)), u16(head.getUint16(16, true)),
      extradata.subarray(18),
    ]);
    return box("Opus", common, box("dOps", config));
  }
  if (codec === "flac") {
    return box("fLaC", common, box("dfLa", u32(0), u8(128, 0, 0, extradata.length), extradata));
  }
  if (codec === "alac") return box("alac", common, extradata);
  const object = codec === "aac" ? 0x40 : 0x6b;
  const specific = codec === "aac" ? [descriptor(5, extradata)] : [];
  const decoder = descriptor(4, u8(object, 0x15, 0, 0, 0), u32(0, 0), ...specific);
  return box("mp4a", common, box("esds", u32(0), descriptor(3, u16(1), u8(0), decoder, descriptor(6, u8(2)))));
}

const IDENTITY = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);

/**
 * An MP4 file of packets; its time 0 is when the first packet begins.
 * @param {AudioParameters} audio
 * @param {Packet[]} packets in order
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function packMp4(audio, packets) {
  const [ticks, scale] = [Number(audio.timeBase[0]), Number(audio.timeBase[1])];
  const lasts = packets.map((one, i) => {
    const next = packets[i + 1];
    return Math.max(ticks * (next ? next.dts - one.dts : one.duration), 0);
  });
  const total = lasts.reduce((sum, n) => sum + n, 0);
  const runs = /** @type {[number, number][]} */ ([]);
  for (const n of lasts) {
    const last = runs[runs.length - 1];
    if (last && last[1] === n) last[0] += 1;
    else runs.push([1, n]);
  }
  const file = box("ftyp", ascii("isom"), u32(512), ascii("isommp41"));
  const moov = (/** @type {number} */ offset) => box(
    "moov",
    box("mvhd", u32(0, 0, 0, scale, total, 0x10000), u16(0x100, 0), u32(0, 0), IDENTITY, u32(0, 0, 0, 0, 0, 0, 2)),
    box(
      "trak",
      box("tkhd", u32(7, 0, 0, 1, 0, total, 0, 0), u16(0, 0, 0x100, 0), IDENTITY, u32(0, 0)),
      box(
        "mdia",
        box("mdhd", u32(0, 0, 0, scale, total), u16(0x55c4, 0)),
        box("hdlr", u32(0, 0), ascii("soun"), u32(0, 0, 0), u8(0)),
        box(
          "minf",
          box("smhd", u32(0, 0)),
          box("dinf", box("dref", u32(0, 1), box("url ", u32(1)))),
          box(
            "stbl",
            box("stsd", u32(0, 1), entry(audio)),
            box("stts", u32(0, runs.length), ...runs.map(([count, n]) => u32(count, n))),
            box("stsc", u32(0, 1, 1, packets.length, 1)),
            box("stsz", u32(0, 0, packets.length, ...packets.map((one) => one.data.length))),
            box("stco", u32(0, 1, offset)),
          ),
        ),
      ),
    ),
  );
  const place = file.length + moov(0).length + 8;
  return joined([file, moov(place), box("mdat", ...packets.map((one) => one.data))]);
}
