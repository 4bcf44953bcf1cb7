// Plays a live stream that comes by WebSocket: the newest frame as soon as a worker is free.
//
// The first message is the beginning of a stream, with the person and a frame; each further one is
// a segment. Another beginning is another stream, or the same one with more of the person.

import { toHex } from "../format/fields.js";
import { Segments } from "../format/segments.js";
import { Stream } from "../format/stream.js";
import { Engine, Pool } from "../render/engine.js";
import { Media } from "./media.js";
import { Meter } from "./meter.js";
import { Pictures } from "./cache.js";

/** @typedef {import("./player.js").Host} Host */
/** @typedef {import("./player.js").Settings} Settings */
/** @typedef {import("../format/segment.js").Frame} Frame */

const START_SIZE = 256; // pixels, unless the settings say another one
const SPAN = 2000; // ms over which bytes are counted
const MAGIC = "89464356"; // with which a stream begins

/** Whether an address is that of a live stream. */
export const isLive = (/** @type {string} */ url) => /^wss?:/.test(url);

/** Plays one live stream; it has what `Player` has, as far as it makes sense. */
export class LivePlayer {
  /** @type {null} */ media = null; // nothing is kept that could be gone back to
  /** @type {Engine | null} */ engine = null;
  /** @type {Pool | null} */ pool = null;
  /** @type {Error | null} */ error = null;
  readyState = 0;
  ended = false;
  seeking = false;
  duration = Infinity;
  meter = new Meter();
  pictures = new Pictures(0);
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Media | null} */ #beginning = null;
  /** @type {Segments | null} */ #segments = null;
  /** @type {Frame | null} */ #newest = null;
  /** @type {Map<number, number>} */ #held = new Map();
  /** @type {{ at: number, bytes: number }[]} */ #came = [];
  #queue = Promise.resolve(); // messages are taken one after the other
  #count = 0; // of frames that came
  #asked = 0; // which of them is drawn, or being drawn
  #shown = 0; // which of them is painted
  #playing = false;
  #closed = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Host} host
   * @param {() => Settings} settings
   * @param {import("./sound.js").Sound} sound which stays silent: a live stream's is not passed on
   */
  constructor(canvas, host, settings, sound) {
    this.canvas = canvas;
    this.host = host;
    this.settings = settings;
    this.sound = sound;
  }

  get paused() {
    return !this.#playing;
  }

  /** Seconds from the first frame of the stream to the newest. */
  get currentTime() {
    const [beginning, newest] = [this.#beginning, this.#newest];
    return beginning && newest ? (newest.pts - beginning.stream.frames[0].pts) / beginning.second : 0;
  }

  /** Kilobits a second of late. */
  get kbps() {
    const now = performance.now();
    this.#came = this.#came.filter(({ at }) => now - at < SPAN);
    return this.#came.reduce((sum, { bytes }) => sum + bytes, 0) * 8 / SPAN;
  }

  get controls() {
    return this.#newest ? this.#controls(this.#newest) : new Float32Array(0);
  }

  /** @param {string} url */
  async load(url) {
    this.host.tell("loadstart");
    this.host.say("Waiting for the live stream", 0);
    this.#playing = this.settings().autoplay;
    try {
      const socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => {
        const bytes = new Uint8Array(data);
        this.#came.push({ at: performance.now(), bytes: bytes.length });
        this.#queue = this.#queue.then(() => this.#take(bytes)).catch((error) => this.fail(error));
      };
      socket.onclose = () => this.#end();
      this.#socket = socket;
    } catch (error) {
      this.fail(error);
    }
  }

  /** @param {Uint8Array} bytes */
  async #take(bytes) {
    if (this.#closed) return;
    if (toHex(bytes.subarray(0, 4)) === MAGIC) await this.#begin(new Media(new Stream(bytes)));
    else for (const frame of this.#segments?.read(bytes) ?? []) this.#add(frame);
  }

  /** @param {Media} beginning */
  async #begin(beginning) {
    const { generator, size } = this.settings();
    const engine = this.engine ?? await Engine.load(generator, (share) => {
      if (!this.engine && !this.#closed) this.host.say(`Loading the face generator, ${Math.round(share * 100)} %`, share);
    });
    const { header } = beginning.stream;
    if (header.generator !== engine.manifest.sha256) throw new Error(`this stream needs the generator ${header.generatorName}`);
    if (header.rig !== engine.rig.sha256) throw new Error("this stream needs another rig");
    const person = await beginning.person(engine.mean, () => "");
    if (this.#closed) return;
    this.engine = engine;
    this.#beginning = beginning;
    this.#segments = new Segments(beginning.stream);
    const before = this.pool;
    const pool = new Pool(engine, person, before?.size ?? (size || START_SIZE), (message) => this.fail(new Error(message)));
    pool.onidle = () => this.#feed();
    this.pool = pool;
    before?.close();
    this.readyState = 1;
    for (const name of ["durationchange", "loadedmetadata"]) this.host.tell(name);
    for (const frame of beginning.stream.frames) this.#add(frame);
  }

  /** @param {Frame} frame */
  #add(frame) {
    this.#newest = frame;
    this.#count += 1;
    this.#feed();
  }

  /** Have the newest frame drawn, if it is not yet and a worker has nothing to do. */
  #feed() {
    const { pool } = this;
    const waits = this.#playing || this.readyState < 2;
    if (!pool?.idle || !this.#newest || this.#asked === this.#count || !waits) return;
    const [number, frame] = [this.#count, this.#newest];
    this.#asked = number;
    pool.draw(this.#controls(frame)).then((drawn) => {
      if (drawn && pool === this.pool && number > this.#shown) this.#paint(number, drawn);
    });
  }

  /**
   * @param {number} number of the frame, as it came
   * @param {import("../render/engine.js").Drawn} drawn
   */
  #paint(number, { pixels, size }) {
    this.#shown = number;
    if (this.canvas.width !== size) [this.canvas.width, this.canvas.height] = [size, size];
    this.canvas.getContext("2d")?.putImageData(new ImageData(pixels, size, size), 0, 0);
    this.meter.painted(null, 0);
    if (this.readyState < 2) {
      this.readyState = 4;
      this.host.say("", 1);
      for (const name of ["loadeddata", "canplay", ...(this.#playing ? ["play", "playing"] : [])]) this.host.tell(name);
    }
    for (const name of ["painted", "timeupdate"]) this.host.tell(name);
  }

  /** @param {Frame} frame */
  #controls(frame) {
    const controls = frame.controls.slice();
    for (const [control, value] of this.#held) controls[control] = value;
    return controls;
  }

  /** The connection is over. */
  #end() {
    if (this.#closed || this.error) return;
    if (this.readyState < 2) {
      this.fail(new Error("there is no live stream at that address"));
      return;
    }
    this.ended = true;
    this.pause();
    this.host.say("The live stream is over", 1);
    this.host.tell("ended");
  }

  /** @param {unknown} error */
  fail(error) {
    if (this.#closed) return;
    this.error = error instanceof Error ? error : new Error(String(error));
    this.pause();
    this.host.say(`Cannot be played: ${this.error.message}`, 1);
    this.host.tell("error");
  }

  close() {
    this.#closed = true;
    this.#socket?.close();
    this.pool?.close();
  }

  async play() {
    if (this.#playing || this.ended) return;
    this.#playing = true;
    for (const name of ["play", "playing"]) this.host.tell(name);
    this.#feed();
  }

  pause() {
    if (!this.#playing) return;
    this.#playing = false;
    this.host.tell("pause");
  }

  /** @param {number} _time there is only now */
  seek(_time) {}

  /** @param {number} _rate it plays as it comes */
  setRate(_rate) {}

  /**
   * @param {number} index
   * @param {number | null} value null gives it back to the stream
   */
  hold(index, value) {
    if (value === null) this.#held.delete(index);
    else this.#held.set(index, value);
    this.#again();
  }

  release() {
    this.#held.clear();
    this.#again();
  }

  /** Draw the newest frame again. */
  #again() {
    this.#asked = this.#shown = 0;
    this.#feed();
  }

  /** @param {number} size in pixels; 0 for 256 */
  resize(size) {
    const { pool } = this;
    if (!pool || (size || START_SIZE) === pool.size) return;
    pool.resize(size || START_SIZE);
    this.#again();
    this.host.tell("resize");
  }
}
