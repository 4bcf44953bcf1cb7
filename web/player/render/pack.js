// Weights as the kernels read them: in groups of outputs, as floats or as integers.

const [GROUP, LEVELS] = [8, 4095]; // as in kernels.c
const [MOST_LEVEL, MOST_SUM] = [2 ** 15 - 1, 2 ** 31 - 1]; // of a weight, of a product

/**
 * Weights [depth][out] as [out / GROUP][depth][GROUP].
 * @param {Float32Array} weights
 * @param {number} outputs
 */
export function grouped(weights, outputs) {
  if (outputs % GROUP) throw new Error(`channels come in groups of ${GROUP}, not ${outputs}`);
  const depth = weights.length / outputs;
  const out = new Float32Array(weights.length);
  for (let k = 0; k < depth; k += 1) {
    for (let i = 0; i < outputs; i += 1) {
      out[Math.floor(i / GROUP) * depth * GROUP + k * GROUP + (i % GROUP)] = weights[k * outputs + i];
    }
  }
  return out;
}

/**
 * Weights [out / GROUP][depth][GROUP] as integers [out / GROUP][depth / 2][GROUP][2], and what one
 * level is worth, [out]: as fine as they can be so that no product of theirs leaves 32 bits.
 * @param {Float32Array} weights
 * @param {number} depth
 */
export function inLevels(weights, depth) {
  const outputs = weights.length / depth;
  const [values, units] = [new Int16Array(weights.length), new Float32Array(outputs)];
  const room = MOST_SUM / LEVELS - depth; // each weight may be rounded up, by half a level
  for (let i = 0; i < outputs; i += 1) {
    const from = (i - (i % GROUP)) * depth + (i % GROUP);
    let [most, sum] = [0, 0];
    for (let k = 0; k < depth; k += 1) {
      const size = Math.abs(weights[from + k * GROUP]);
      most = Math.max(most, size);
      sum += size;
    }
    const unit = Math.max(most / MOST_LEVEL, sum / room) || 1;
    units[i] = unit;
    for (let k = 0; k < depth; k += 1) {
      const to = (i - (i % GROUP)) * depth + (k - (k % 2)) * GROUP + 2 * (i % GROUP) + (k % 2);
      values[to] = Math.round(weights[from + k * GROUP] / unit);
    }
  }
  return { values, units };
}
