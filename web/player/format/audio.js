// Audio of a stream (SPEC.md, section 9).

import { breaks, FAR, Fields } from "./fields.js";

/**
 * How the audio is coded. extradata: what a decoder needs before the first packet.
 * @typedef {object} AudioParameters
 * @property {string} codec
 * @property {number} rate samples a second
 * @property {number} channels
 * @property {[bigint, bigint]} timeBase seconds per unit of its timestamps
 * @property {Uint8Array} extradata
 */

/**
 * Times are in units of the audio's time base, on the same clock as the frames'.
 * @typedef {{ pts: number, dts: number, duration: number, data: Uint8Array }} Packet
 */

/**
 * @param {Uint8Array} payload of the `AP` chunk
 * @returns {AudioParameters}
 */
export function parseParameters(payload) {
  const f = new Fields(payload);
  const codec = f.string();
  const [rate, channels] = [f.varint(1, 10 ** 7), f.varint(1, 255)];
  const timeBase = f.fraction();
  breaks(timeBase === null, "no time base");
  breaks(f.left > 2 ** 16, "extradata");
  return { codec, rate, channels, timeBase: /** @type {[bigint, bigint]} */ (timeBase), extradata: f.rest() };
}

/**
 * @param {Uint8Array} payload of an `AU` chunk
 * @returns {{ first: number, packets: Packet[] }}
 */
export function parsePackets(payload) {
  const f = new Fields(payload);
  const first = f.varint(0, FAR);
  const rows = [];
  let follows = 0;
  for (let n = f.varint(0, Math.floor(payload.length / 4)); n > 0; n -= 1) {
    const dts = follows + f.svarint();
    const pts = dts + f.svarint();
    breaks(Math.abs(dts) > FAR || Math.abs(pts) > FAR, "timestamp");
    const duration = f.varint(0, FAR);
    rows.push({ pts, dts, duration, size: f.varint(0, 2 ** 19) });
    follows = dts + duration;
  }
  const packets = rows.map(({ size, ...times }) => ({ ...times, data: f.take(size) }));
  f.end();
  return { first, packets };
}
