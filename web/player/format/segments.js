// Segments that come one by one, after the beginning of their stream: each stands alone.

import { Chunks } from "./chunks.js";
import { Broken } from "./fields.js";
import { parseKey } from "./segment.js";

/** Reads the segments of a stream whose beginning is known. */
export class Segments {
  /** @param {import("./stream.js").Stream} stream of version 1 */
  constructor(stream) {
    this.header = stream.header;
    this.seed = stream.chunks.seed;
  }

  /**
   * The frames of some whole chunks; none of what is damaged, or no segment.
   * @param {Uint8Array} data
   */
  read(data) {
    const chunks = new Chunks(data);
    chunks.seed = this.seed;
    /** @type {import("./segment.js").Frame[]} */
    const frames = [];
    for (let chunk = chunks.next(); chunk; chunk = chunks.next()) {
      if ("lost" in chunk || chunk.type !== "SE") continue;
      try {
        frames.push(...parseKey(this.header, chunk.payload).frames);
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
      }
    }
    return frames;
  }
}
