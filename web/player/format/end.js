// The end chunk and the index (SPEC.md, sections 10 and 15.4).

import { breaks, FAR, Fields } from "./fields.js";

/** @typedef {import("./header.js").Header} Header */
/** @typedef {import("./chunks.js").Chunk} Chunk */
/** @typedef {{ offset: number, first: number, frames: number, pts: number }} Group */

/**
 * What an end chunk says. groups and packets: null where its version does not say.
 * @param {Header} head
 * @param {Chunk} chunk
 * @returns {{ frames: number, groups: Group[] | null, packets: number | null }}
 */
export function parseEnd(head, chunk) {
  if (head.version === 2) {
    const f = new Fields(chunk.payload);
    const [frames, packets] = [f.varint(0, FAR), f.varint(0, FAR)];
    f.end();
    return { frames, packets, groups: null };
  }
  const body = withoutSize(chunk);
  const f = new Fields(body);
  /** @type {(Group & { bytes: number })[]} */
  const groups = [];
  let [first, frames, held] = [0, head.usual, 0];
  while (f.left) {
    const size = f.varint(20, 2 * FAR);
    const [last, before] = [groups[groups.length - 1], groups[groups.length - 2]];
    let pts = head.expected(first);
    if (last && head.frameRate) pts += last.pts - head.expected(last.first);
    else if (last) pts = last.pts + (before ? last.pts - before.pts : 0);
    if (size % 2) {
      frames = head.usual + f.svarint();
      breaks(frames < 1 || frames > 240, "frames");
      pts += f.svarint();
    }
    breaks(first + frames > FAR || Math.abs(pts) > FAR, "out of range");
    const bytes = Math.floor(size / 2);
    groups.push({ bytes, offset: 0, first, frames, pts });
    held += bytes;
    breaks(held > chunk.offset, "before the first byte");
    first += frames;
  }
  let offset = chunk.offset - held;
  for (const group of groups) {
    group.offset = offset;
    offset += group.bytes;
  }
  return { frames: first, groups, packets: null };
}

/**
 * The payload without the size of the chunk at its end, whose bytes stand in reverse order.
 * @param {Chunk} chunk
 */
function withoutSize(chunk) {
  const size = [];
  for (let n = chunk.size; ; n = Math.floor(n / 128)) {
    size.unshift((n % 128) + (n < 128 ? 0 : 128));
    if (n < 128) break;
  }
  const at = chunk.payload.length - size.length;
  breaks(at < 0 || size.some((byte, i) => chunk.payload[at + i] !== byte), "size of the chunk");
  return chunk.payload.subarray(0, at);
}
