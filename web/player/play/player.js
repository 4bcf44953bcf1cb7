// Plays a stream onto a canvas: loading, drawing ahead, sound. What it looks like is another's.

import { Engine, Pool } from "../render/engine.js";
import { SIZES } from "../render/renderer.js";
import { Pictures } from "./cache.js";
import { Clock } from "./clock.js";
import { Media } from "./media.js";
import { Meter } from "./meter.js";
import { frameAt, nextFrame } from "./schedule.js";
import { Sound } from "./sound.js";

/**
 * Whom a player plays for. tell: says that an event happened, by the names of <video>'s. say: says
 * in words what is going on, nothing for an empty text, and what share of it is done.
 * @typedef {object} Host
 * @property {(name: string) => void} tell
 * @property {(text: string, share: number) => void} say
 */

/**
 * How to play. ahead: frames are drawn long before they are due. eager: the generator is loaded
 * before somebody asks to play. size: in pixels, 0 for what the machine can do. generator,
 * identities: addresses of folders, with a slash at the end.
 * @typedef {object} Settings
 * @property {boolean} loop
 * @property {boolean} ahead
 * @property {boolean} eager
 * @property {boolean} autoplay
 * @property {number} size
 * @property {string} generator
 * @property {string} identities
 */

const ROOM = 192 * 2 ** 20; // bytes of pictures that are kept
const START_SIZE = 256; // pixels, until it is known what the machine can do
const TO_MEASURE = 4; // pictures
const ENOUGH = 1.2; // times the stream's rate that a larger size must reach
const COSTS = /** @type {Record<number, number>} */ ({ 128: 0.6, 256: 1, 512: 1.55, 1024: 1.6 }); // of a picture, about
const TIME_UPDATE = 0.25; // seconds between events

/** Plays one stream; another one takes another player. */
export class Player {
  /** @type {Media | null} */ media = null;
  /** @type {Engine | null} */ engine = null;
  /** @type {Pool | null} */ pool = null;
  /** @type {Error | null} */ error = null;
  readyState = 0;
  ended = false;
  seeking = false;
  clock = new Clock();
  meter = new Meter();
  pictures = new Pictures(ROOM);
  #abort = new AbortController();
  /** @type {Set<number>} */ #asked = new Set();
  /** @type {Map<number, number>} */ #held = new Map();
  /** @type {Promise<void> | null} */ #preparing = null;
  #version = 0; // of the held controls and the size: pictures of another are not kept
  #shown = -1; // frame that is painted
  #last = -1; // seconds: time of the frame that was asked for last
  #wanted = false; // play() was called before there was anything to play
  #updated = 0;
  #measuring = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Host} host
   * @param {() => Settings} settings asked for whenever they matter
   * @param {Sound} sound
   */
  constructor(canvas, host, settings, sound) {
    this.canvas = canvas;
    this.host = host;
    this.settings = settings;
    this.sound = sound;
  }

  get duration() {
    return this.media ? this.media.duration : NaN;
  }

  get currentTime() {
    return this.media ? Math.min(Math.max(this.clock.time, 0), this.media.duration) : 0;
  }

  get paused() {
    return !this.clock.running && !this.#wanted;
  }

  /**
   * Load a stream, and as much as the settings ask for.
   * @param {string} url
   */
  async load(url) {
    this.host.tell("loadstart");
    try {
      await this.#load(url);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.fail(error);
    }
  }

  /** @param {string} url */
  async #load(url) {
    const { signal } = this.#abort;
    this.host.say("Loading", 0);
    const media = await Media.load(url, signal);
    signal.throwIfAborted();
    this.media = media;
    this.readyState = 1;
    this.sound.open(media);
    this.host.tell("durationchange");
    this.host.tell("loadedmetadata");
    const { eager, autoplay } = this.settings();
    if (eager || autoplay || this.#wanted) await this.#prepare();
    else this.host.say("", 1);
    const begin = this.#wanted ? this.#begin() : autoplay && this.play();
    await Promise.resolve(begin).catch(() => {}); // a browser may ask for a click first
  }

  /** The generator, the person and the first picture. */
  #prepare() {
    this.#preparing ??= this.#prepared(/** @type {Media} */ (this.media)).catch((error) => {
      this.#preparing = null;
      throw error;
    });
    return this.#preparing;
  }

  /** @param {Media} media */
  async #prepared(media) {
    const { signal } = this.#abort;
    const { generator, identities, size } = this.settings();
    const engine = await Engine.load(generator, (share) => {
      if (signal.aborted || this.engine) return;
      this.host.say(`Loading the face generator, ${Math.round(share * 100)} %`, share);
      this.host.tell("progress");
    });
    signal.throwIfAborted();
    const { header } = media.stream;
    if (header.generator !== engine.manifest.sha256) throw new Error(`this stream needs the generator ${header.generatorName}`);
    if (header.rig !== engine.rig.sha256) throw new Error("this stream needs another rig");
    this.engine = engine;
    this.host.say("Making the person", 1);
    const person = await media.person(engine.mean, (sha256) => `${identities}${sha256}.fci`, signal);
    signal.throwIfAborted();
    this.#measuring = !size;
    const pool = new Pool(engine, person, size || START_SIZE, (message) => this.fail(new Error(message)));
    this.pool = pool;
    const first = new Promise((resolve, reject) => {
      this.#first = resolve;
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    pool.onidle = () => this.#feed();
    await first;
  }

  #first = (/** @type {unknown} */ _value) => {};

  /** @param {unknown} error */
  fail(error) {
    this.error = error instanceof Error ? error : new Error(String(error));
    this.pause();
    this.host.say(`Cannot be played: ${this.error.message}`, 1);
    this.host.tell("error");
  }

  /** End; nothing is heard of it again. */
  close() {
    this.#abort.abort();
    this.clock.stop();
    this.pool?.close();
    this.sound.close();
    this.media = null;
  }

  /** Begin; resolves when it plays, and rejects where it cannot. */
  async play() {
    if (!this.paused) return;
    this.#wanted = true;
    this.host.tell("play");
    if (this.media) await this.#begin(); // else it begins when that has come
  }

  async #begin() {
    await this.#prepare();
    if (!this.#wanted) return; // paused meanwhile
    if (this.ended || this.clock.time >= this.duration) this.seek(0);
    this.#wanted = false;
    this.#last = -1;
    this.clock.start();
    try {
      await this.sound.start(this.clock);
    } catch (error) {
      this.pause();
      throw error;
    }
    if (!this.clock.running) return;
    this.host.tell("playing");
    requestAnimationFrame(this.#tick);
  }

  pause() {
    if (this.paused) return;
    this.#wanted = false;
    this.clock.stop();
    this.sound.pause();
    this.host.tell("timeupdate");
    this.host.tell("pause");
    this.#feed();
  }

  /** @param {number} time in seconds */
  seek(time) {
    const { media } = this;
    if (!media || !Number.isFinite(time)) return;
    this.clock.set(Math.min(Math.max(time, 0), media.duration));
    [this.ended, this.seeking, this.#shown, this.#last] = [false, true, -1, -1];
    this.meter.jump();
    this.host.tell("seeking");
    if (this.clock.running) this.sound.start(this.clock).catch(() => {});
    this.#paint();
    this.#feed();
    this.host.tell("timeupdate");
  }

  /** @param {number} rate */
  setRate(rate) {
    this.clock.setRate(rate);
    this.sound.setRate(rate);
  }

  /** The controls that are shown now: the stream's, and those that are held. */
  get controls() {
    return this.media ? this.#controls(frameAt(this.media.times, this.currentTime)) : new Float32Array(0);
  }

  /**
   * @param {number} index
   * @param {number | null} value null gives it back to the stream
   */
  hold(index, value) {
    if (value === null) this.#held.delete(index);
    else this.#held.set(index, value);
    this.#renew();
  }

  release() {
    this.#held.clear();
    this.#renew();
  }

  /** @param {number} index of a frame */
  #controls(index) {
    const controls = /** @type {Media} */ (this.media).stream.frames[index].controls.slice();
    for (const [control, value] of this.#held) controls[control] = value;
    return controls;
  }

  /** Pictures of other controls or of another size are none. */
  #renew() {
    this.#version += 1;
    this.pictures.clear();
    this.#asked.clear();
    this.#shown = -1;
    this.#last = -1;
    this.#feed();
  }

  /** Give workers that have nothing to do the frames that are wanted next. */
  #feed() {
    const { media, pool, clock } = this;
    if (!media || !pool) return;
    const { loop, ahead } = this.settings();
    while (pool.idle) {
      const index = nextFrame({
        times: media.times,
        now: clock.time,
        playing: clock.running,
        loop,
        ahead: ahead && !this.#held.size,
        latency: pool.latency * clock.rate,
        interval: Math.max(media.step, (pool.seconds * clock.rate) / pool.workers.length),
        last: this.#last,
        room: Math.max(Math.floor(ROOM / (4 * pool.size ** 2)) - 2 * pool.workers.length, 1),
        known: (i) => this.pictures.has(i) || this.#asked.has(i),
      });
      if (index < 0) return;
      this.#last = media.times[index];
      this.#asked.add(index);
      const version = this.#version;
      pool.draw(this.#controls(index)).then((drawn) => {
        if (version !== this.#version || !this.media) return;
        if (drawn) this.#take(this.media, pool, index, drawn);
        else this.#asked.delete(index);
      });
    }
  }

  /**
   * @param {Media} media
   * @param {Pool} pool
   * @param {number} index
   * @param {import("../render/engine.js").Drawn} drawn
   */
  #take(media, pool, index, drawn) {
    this.#asked.delete(index);
    this.pictures.add(index, drawn, frameAt(media.times, this.clock.time));
    if (!this.clock.running) this.#paint();
    if (this.readyState < 2) {
      this.readyState = 4;
      this.host.say(media.silence || this.sound.silence, 1);
      for (const name of ["loadeddata", "canplay", "canplaythrough"]) this.host.tell(name);
      this.#first(null);
    }
    this.host.tell("drawn");
    if (this.#measuring && this.pictures.pictures.size >= TO_MEASURE) this.#choose(media, pool);
  }

  /**
   * Take the largest size that this machine draws fast enough.
   * @param {Media} media
   * @param {Pool} pool
   */
  #choose(media, pool) {
    const rate = pool.workers.length / pool.seconds;
    const fits = SIZES.filter((size) => size >= START_SIZE && (rate / COSTS[size]) * media.step >= ENOUGH);
    this.resize(fits[fits.length - 1] ?? START_SIZE);
  }

  /** @param {number} size in pixels; 0 for what the machine can do */
  resize(size) {
    this.#measuring = !size;
    const { pool } = this;
    if (!pool || (size || START_SIZE) === pool.size) return;
    pool.resize(size || START_SIZE);
    this.#renew();
    this.host.tell("resize");
  }

  /** Paint the frame that is due, if it is drawn and not painted yet. */
  #paint() {
    const { media } = this;
    if (!media) return;
    const due = frameAt(media.times, this.clock.time);
    // while playing an older frame stands in for one that is not drawn; after a jump none does
    const index = this.pictures.latest(due, this.clock.running ? Math.min(this.#shown, due) : due - 1);
    const picture = this.pictures.get(index);
    if (!picture || index === this.#shown) return;
    const { pixels, size } = picture;
    if (this.canvas.width !== size) [this.canvas.width, this.canvas.height] = [size, size];
    this.canvas.getContext("2d")?.putImageData(new ImageData(pixels, size, size), 0, 0);
    this.#shown = index;
    this.meter.painted(this.sound.heard, media.times[index]);
    this.host.tell("painted");
    if (!this.seeking) return;
    this.seeking = false;
    this.host.tell("seeked");
  }

  #tick = () => {
    const { media, clock } = this;
    if (!media || !clock.running) return;
    this.sound.follow(clock);
    if (clock.time >= media.duration) {
      if (!this.settings().loop) {
        this.#finish(media);
        return;
      }
      this.seek(0);
    }
    this.#paint();
    this.#feed();
    if (Math.abs(clock.time - this.#updated) >= TIME_UPDATE) {
      this.#updated = clock.time;
      this.host.tell("timeupdate");
    }
    requestAnimationFrame(this.#tick);
  };

  /** @param {Media} media */
  #finish(media) {
    this.clock.stop();
    this.sound.pause();
    this.clock.set(media.duration);
    this.ended = true;
    this.#paint();
    for (const name of ["timeupdate", "pause", "ended"]) this.host.tell(name);
    this.#feed();
  }
}
