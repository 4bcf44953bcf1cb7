// Weights as integers: near what was given, and no product of theirs leaves 32 bits.

import assert from "node:assert/strict";
import { test } from "node:test";

import { grouped, inLevels } from "../player/render/pack.js";

const LEVELS = 4095;

/** @type {Record<string, (k: number, i: number) => number>} */
const KINDS = {
  ordinary: (k, i) => Math.sin(37 * k + 11 * i),
  "all alike": () => 1.7,
  "one that is large": (k) => (k === 3 ? 1e4 : 1e-3),
  nothing: () => 0,
};

for (const [name, value] of Object.entries(KINDS)) {
  for (const depth of [32, 512]) {
    test(`${name}, ${depth} inputs`, () => {
      const outputs = 16;
      const plain = Float32Array.from({ length: depth * outputs }, (_, n) => value(Math.floor(n / outputs), n % outputs));
      const { values, units } = inLevels(grouped(plain, outputs), depth);
      assert.equal(units.length, outputs);
      for (let i = 0; i < outputs; i += 1) {
        let sum = 0;
        for (let k = 0; k < depth; k += 1) {
          const level = values[(i >> 3) * depth * 8 + (k >> 1) * 16 + 2 * (i & 7) + (k & 1)];
          sum += Math.abs(level);
          assert.ok(Math.abs(level * units[i] - plain[k * outputs + i]) <= 0.51 * units[i], `input ${k}, output ${i}`);
        }
        assert.ok(sum * LEVELS < 2 ** 31, `${sum} levels`);
        if (name === "ordinary") assert.ok(sum > 100 * depth, "levels are fine");
      }
    });
  }
}
