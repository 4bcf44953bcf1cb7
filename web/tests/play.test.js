// What plays: which frame is drawn next, the clock, pictures that are kept, sound as MP4.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { Pictures } from "../player/play/cache.js";
import { Clock } from "../player/play/clock.js";
import { Media } from "../player/play/media.js";
import { packMp4, typeOf } from "../player/play/mp4.js";
import { frameAt, nextFrame } from "../player/play/schedule.js";
import { Stream } from "../player/format/stream.js";

const TIMES = Float64Array.from({ length: 100 }, (_, i) => i / 25);

/** @param {Partial<import("../player/play/schedule.js").Wish>} wish */
const next = (wish) => nextFrame({
  times: TIMES, now: 0, playing: true, loop: false, ahead: false, latency: 0.2, interval: 0.04, last: -1, room: 1000,
  known: () => false, ...wish,
});

test("the frame at a time", () => {
  assert.equal(frameAt(TIMES, -1), 0);
  assert.equal(frameAt(TIMES, 0.0399), 0);
  assert.equal(frameAt(TIMES, 0.04), 1);
  assert.equal(frameAt(TIMES, 9), 99);
});

test("a slow machine leaves frames out evenly", () => {
  /** @type {number[]} */
  const drawn = [];
  let last = -1;
  for (let now = 0; now < 2; now += 0.1) { // two workers, 0.2 s a picture
    const index = next({ now, interval: 0.1, last });
    drawn.push(index);
    last = TIMES[index];
  }
  const steps = drawn.slice(1).map((index, i) => index - drawn[i]);
  assert.ok(steps.every((step) => step === 2 || step === 3), String(steps));
  assert.ok(drawn[0] >= 5, "the first one is due when it is drawn");
});

test("a fast machine draws every frame, and only so far ahead", () => {
  assert.equal(next({ now: 1, latency: 0.01, last: 1.04 }), 27);
  assert.equal(next({ now: 1, latency: 0.01, last: 2.04 }), -1);
  assert.equal(next({ now: 1, latency: 0.01, last: 2.04, ahead: true }), 52);
});

test("frames that are drawn already are passed over", () => {
  assert.equal(next({ now: 1, latency: 0, last: 1, known: (i) => i < 30 }), 30);
  assert.equal(next({ playing: false, now: 1, known: (i) => i === 25 }), -1);
  assert.equal(next({ playing: false, now: 1, known: (i) => i === 25, ahead: true }), 26);
  assert.equal(next({ playing: false, now: 3.96, known: (i) => i > 90, ahead: true }), 0);
  assert.equal(next({ playing: false, now: 1 }), 25);
});

test("the clock follows what is heard, and runs without", () => {
  let machine = 0;
  const clock = new Clock(() => machine);
  clock.start();
  machine = 1;
  assert.equal(clock.time, 1);
  clock.follow(1.01);
  assert.equal(clock.time, 1);
  clock.follow(1.5);
  assert.equal(clock.time, 1.5);
  clock.setRate(2);
  machine = 2;
  assert.equal(clock.time, 3.5);
  clock.stop();
  machine = 9;
  assert.equal(clock.time, 3.5);
});

test("pictures far behind go first, and none is kept beyond the room", () => {
  const pictures = new Pictures(40);
  for (let i = 0; i < 6; i += 1) pictures.add(i, { pixels: new Uint8ClampedArray(10), size: 1 }, 3);
  assert.ok(pictures.held <= 40);
  assert.deepEqual([...pictures.pictures.keys()], [2, 3, 4, 5]);
  assert.equal(pictures.latest(9, 1), 5);
  assert.equal(pictures.latest(1, -1), -1);
});

/**
 * The boxes of an MP4 file, by their path.
 * @param {Uint8Array} data
 */
function boxes(data, path = "", found = /** @type {Record<string, Uint8Array>} */ ({})) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at + 8 <= data.length;) {
    const size = view.getUint32(at);
    const type = String.fromCharCode(...data.subarray(at + 4, at + 8));
    assert.ok(size >= 8 && at + size <= data.length, `${path}/${type} ends where it should`);
    const body = data.subarray(at + 8, at + size);
    found[`${path}/${type}`] = body;
    if (["moov", "trak", "mdia", "minf", "stbl"].includes(type)) boxes(body, `${path}/${type}`, found);
    at += size;
  }
  return found;
}

test("sound becomes an MP4 file", () => {
  const packets = [3, 5, 4].map((size, i) => ({ pts: 1024 * i, dts: 1024 * i, duration: 1024, data: new Uint8Array(size).fill(i + 1) }));
  for (const [codec, extradata] of /** @type {[string, Uint8Array][]} */ ([
    ["aac", Uint8Array.of(0x11, 0x88)], ["mp3", new Uint8Array()], ["opus", new Uint8Array(19)], ["flac", new Uint8Array(34)],
  ])) {
    const file = packMp4({ codec, rate: 48000, channels: 1, timeBase: [1n, 48000n], extradata }, packets);
    const found = boxes(file);
    const stbl = "/moov/trak/mdia/minf/stbl";
    const numbers = (/** @type {string} */ name) => {
      const body = found[`${stbl}/${name}`];
      const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
      return Array.from({ length: body.length / 4 }, (_, i) => view.getUint32(4 * i));
    };
    assert.deepEqual(numbers("stsz"), [0, 0, 3, 3, 5, 4]);
    assert.deepEqual(numbers("stts"), [0, 1, 3, 1024]);
    const [, , offset] = numbers("stco");
    assert.deepEqual([...file.subarray(offset, offset + 12)], [1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3]);
    assert.ok(typeOf(codec));
  }
  assert.equal(typeOf("vorbis"), undefined);
});

const folder = new URL("../../tests/vectors/", import.meta.url);
const skip = existsSync(folder) ? false : "needs a checkout: the golden streams";

test("a stream has times in seconds from its first frame", { skip }, () => {
  const media = new Media(new Stream(new Uint8Array(readFileSync(new URL("streams/second.fcv", folder)))));
  assert.deepEqual([...media.times], [0, 0.04, 0.08, 0.12]);
  assert.equal(media.duration, 0.16);
  assert.equal(media.audioStart, 0);
  assert.equal(media.audioType, typeOf("mp3"));
  assert.ok(Math.abs(media.kbps - (8 * media.stream.bytes) / 160) < 1e-9);
});
