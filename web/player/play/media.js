// A stream as a player sees it: times in seconds, a person, sound.

import { Broken, Refused } from "../format/fields.js";
import { parseIdentity, readIdentityFile } from "../format/person.js";
import { Stream } from "../format/stream.js";
import { packMp4, typeOf } from "./mp4.js";

/** What a stream holds, ready to be played. */
export class Media {
  /** @param {Stream} stream */
  constructor(stream) {
    const { header, frames } = stream;
    if (!frames.length) throw new Refused("a stream without frames");
    this.stream = stream;
    this.second = Number(header.timeBase[1]) / Number(header.timeBase[0]);
    const first = frames[0].pts;
    this.times = Float64Array.from(frames, (frame) => (frame.pts - first) / this.second);
    const rate = header.frameRate && Number(header.frameRate[0]) / Number(header.frameRate[1]);
    const end = this.times[frames.length - 1];
    // seconds from frame to frame, about
    this.step = rate ? 1 / rate : end / Math.max(frames.length - 1, 1) || 1 / 25;
    this.duration = end + this.step;
    this.kbps = (8 * stream.bytes) / this.duration / 1000;
    const [packet] = stream.packets;
    const { audio } = stream;
    this.audioType = audio && packet ? typeOf(audio.codec) : undefined;
    // where the first packet is heard, in seconds from the first frame
    this.audioStart = 0;
    if (audio && packet) {
      const unit = Number(audio.timeBase[0]) / Number(audio.timeBase[1]);
      this.audioStart = packet.pts * unit - first / this.second;
    }
    /** Why there is no sound where there should be; empty if there is. */
    this.silence = audio && packet && !this.audioType ? `its sound (${audio.codec}) is not played here` : "";
  }

  /**
   * @param {string} url
   * @param {AbortSignal} [signal]
   */
  static async load(url, signal) {
    return new Media(new Stream(await fetched(url, signal)));
  }

  /** The sound as an MP4 file; null without. */
  sound() {
    const { audio, packets } = this.stream;
    if (!audio || !this.audioType) return null;
    return new Blob([packMp4(audio, packets)], { type: this.audioType.split(";")[0] });
  }

  /**
   * The identity latent and the tuning.
   * @param {Float32Array} mean of W
   * @param {(sha256: string) => string} identityUrl where a `.fci` file is
   * @param {AbortSignal} [signal]
   */
  async person(mean, identityUrl, signal) {
    const { stream } = this;
    const { rows, width } = stream.header;
    if (stream.identity) return { latent: parseIdentity(stream.identity, rows, width, mean), tuning: stream.tuning };
    if (!stream.reference) throw new Broken("the person is missing");
    const file = readIdentityFile(await fetched(identityUrl(stream.reference), signal, stream.reference));
    if (file.rows !== rows || file.width !== width) throw new Broken("the person is of another generator");
    return { latent: parseIdentity(file.identity, rows, width, mean), tuning: stream.tuning ?? file.tuning };
  }
}

/**
 * The bytes at an address, checked against a SHA-256 where the browser can.
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @param {string} [sha256]
 */
async function fetched(url, signal, sha256) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  const buffer = await answer.arrayBuffer();
  if (sha256 && globalThis.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", buffer));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (hex !== sha256) throw new Broken("another person's file");
  }
  return new Uint8Array(buffer);
}
