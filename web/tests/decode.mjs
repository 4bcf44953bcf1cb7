// What the reader makes of streams, a line of JSON for each: tests hold it against other readers.
//
//     node decode.mjs MEAN FILE...
//
// MEAN: the generator's mean of W, float32, in hexadecimal, repeated to fit.

import { readFileSync } from "node:fs";

import { Broken, Refused, singles, toHex } from "../player/format/fields.js";
import { parseIdentity } from "../player/format/person.js";
import { Stream } from "../player/format/stream.js";

/** @param {Float32Array | null} values */
const floats = (values) => values && toHex(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));

/**
 * @param {Uint8Array} data
 * @param {Float32Array} mean
 */
export function decoded(data, mean) {
  const stream = new Stream(data);
  const { header, damage } = stream;
  const texts = [header.generatorName, header.creator];
  for (const key of [...header.metadata.keys()].sort()) texts.push(key, header.metadata.get(key) ?? "");
  let identity = null;
  try {
    identity = stream.identity && floats(parseIdentity(stream.identity, header.rows, header.width, mean));
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    identity = "breaks the format";
  }
  return {
    texts,
    damage: damage.filter((one) => one.size).map((one) => [one.offset, one.size]),
    reported: damage.length > 0,
    frames: stream.frames.map((frame) => (frame.recovered
      ? [frame.index, frame.pts, null, null, null]
      : [frame.index, frame.pts, frame.flags, floats(frame.controls), floats(frame.placement)])),
    audio: stream.packets.map((one) => [one.pts, one.dts, one.duration, toHex(one.data)]),
    identity,
    reference: stream.reference,
    tuning: stream.tuning && toHex(stream.tuning),
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [, , mean, ...paths] = process.argv;
  for (const path of paths) {
    let line;
    try {
      line = decoded(readFileSync(path), singles(Buffer.from(mean, "hex")));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      line = { refused: error.message };
    }
    console.log(JSON.stringify(line));
  }
}
