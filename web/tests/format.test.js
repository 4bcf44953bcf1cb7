// The reader against the golden streams, and its tables against SPEC.md.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { Broken, Refused, toHex } from "../player/format/fields.js";
import { parseIdentity, readIdentityFile } from "../player/format/person.js";
import { Stream } from "../player/format/stream.js";
import * as tables from "../player/format/tables.js";
import { decoded } from "./decode.mjs";

const ROOT = new URL("../../", import.meta.url);
const skip = existsSync(new URL("SPEC.md", ROOT)) ? false : "needs a checkout: SPEC.md and the golden streams";
const read = (/** @type {string} */ name) => new Uint8Array(readFileSync(new URL(name, ROOT)));
const expected = (/** @type {string} */ folder) => JSON.parse(readFileSync(new URL(`${folder}/expected.json`, ROOT), "utf8"));

test("tables are those of SPEC.md", { skip }, () => {
  const text = readFileSync(new URL("SPEC.md", ROOT), "utf8");
  const part = (/** @type {string} */ name) => {
    const found = text.match(new RegExp(`<!-- table ${name} -->\\s*\`\`\`text\\n([^]*?)\\n\`\`\``));
    return /** @type {RegExpMatchArray} */ (found)[1];
  };
  assert.deepEqual(tables.WORDS, part("words").split("\n"));
  assert.equal(toHex(tables.SEGMENT), part("segment").replaceAll("\n", ""));
  assert.equal(toHex(tables.IDENTITY), part("identity").replaceAll("\n", ""));
});

for (const folder of ["tests/vectors/streams", "tests/vectors/live"]) {
  const files = skip ? {} : expected(folder).files;
  for (const name of Object.keys(files).filter((one) => one.endsWith(".fcv"))) {
    test(`${folder}/${name} decodes to what it should`, () => {
      const wanted = files[name];
      const got = decoded(read(`${folder}/${name}`), Float32Array.of(0));
      assert.deepEqual(got.texts, wanted.texts);
      assert.deepEqual(got.audio, wanted.audio);
      assert.deepEqual(got.frames.map((row) => row.slice(1)), wanted.frames);
      assert.equal(got.tuning, wanted.tuning);
      assert.equal(got.reference, wanted.identity_reference ?? null);
      assert.equal(got.reported, false);
    });
  }
}

test("an identity file is read whole, or refused", { skip }, () => {
  const data = read("tests/vectors/streams/person.fci");
  const file = readIdentityFile(data);
  assert.ok(file.tuning);
  assert.equal(parseIdentity(file.identity, file.rows, file.width, Float32Array.of(0)).length, file.rows * file.width);
  for (let at = 0; at < data.length; at += 1) {
    const hurt = data.slice();
    hurt[at] ^= 4;
    assert.throws(() => readIdentityFile(hurt), (error) => error instanceof Refused || error instanceof Broken);
  }
});

test("frames that damage took lie between those that are known", { skip }, () => {
  const stream = new Stream(read("tests/vectors/streams/damaged_flip.fcv"));
  assert.deepEqual(stream.frames.map((frame) => frame.recovered), [true, true, false, false]);
  assert.deepEqual([...stream.frames[0].controls], [0.5, 0]);
  assert.ok(stream.damage.length > 0);
});

test("what is no stream is refused", () => {
  assert.throws(() => new Stream(new Uint8Array(40)), Refused);
  assert.throws(() => new Stream(new Uint8Array(0)), Refused);
});
