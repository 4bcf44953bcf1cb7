// Segments one by one are the frames of the whole stream.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { Segments } from "../player/format/segments.js";
import { Stream } from "../player/format/stream.js";

const GOLDEN = new URL("../../tests/vectors/streams/", import.meta.url);
const skip = existsSync(GOLDEN) ? false : "needs a checkout: the golden streams";
const names = skip ? [] : Object.keys(JSON.parse(readFileSync(new URL("expected.json", GOLDEN), "utf8")).files);

for (const name of names.filter((one) => one.endsWith(".fcv"))) {
  test(`${name} from its beginning and each of its chunks`, () => {
    const data = new Uint8Array(readFileSync(new URL(name, GOLDEN)));
    const whole = new Stream(data);
    const segments = new Segments(whole);
    whole.chunks.at = whole.chunks.header().size;
    const frames = [];
    for (let chunk = whole.chunks.next(); chunk; chunk = whole.chunks.next()) {
      if ("lost" in chunk) continue;
      frames.push(...segments.read(data.subarray(chunk.offset, chunk.offset + chunk.size)));
    }
    assert.deepEqual(frames, whole.frames.filter((frame) => !frame.recovered));
  });
}

test("what is damaged, or no segment, has no frames", { skip }, () => {
  const name = names.filter((one) => one.endsWith(".fcv"))[0];
  const data = new Uint8Array(readFileSync(new URL(name, GOLDEN)));
  const segments = new Segments(new Stream(data));
  assert.deepEqual(segments.read(Uint8Array.of(1, 2, 3)), []);
  const bad = data.slice();
  for (let i = 4; i < bad.length; i += 7) bad[i] ^= 1;
  assert.deepEqual(segments.read(bad), []);
});
