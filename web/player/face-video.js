// <face-video src="talk.fcv">: a talking head with the manners of <video>.

import { Pictures } from "./play/cache.js";
import { ICONS, MARKUP, STYLE } from "./play/chrome.js";
import { Clock } from "./play/clock.js";
import { Media } from "./play/media.js";
import { frameAt, nextFrame } from "./play/schedule.js";
import { Engine, Pool } from "./render/engine.js";
import { SIZES } from "./render/renderer.js";

const ROOM = 192 * 2 ** 20; // bytes of pictures that are kept
const START_SIZE = 256; // pixels, until it is known what the machine can do
const ENOUGH = 1.2; // times the stream's rate that a larger size must reach
const COSTS = /** @type {Record<number, number>} */ ({ 128: 0.6, 256: 1, 512: 1.55, 1024: 1.6 }); // of a picture, about
const TIME_UPDATE = 0.25; // seconds between events
const QUIET = 2500; // ms until controls hide while playing
const SKIP = 5; // seconds that an arrow key moves

const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/**
 * Attributes: src, poster, controls, autoplay, loop, muted, preload (none, metadata, auto: auto
 * draws ahead), size (auto, or pixels), generator (folder of the weights; `../generator/` beside
 * the player's own), identities (folder of `.fci` files).
 *
 * Properties and methods of <video>: currentTime, duration, paused, ended, seeking, muted, volume,
 * playbackRate, loop, autoplay, controls, src, currentSrc, poster, readyState, error, videoWidth,
 * videoHeight, play(), pause(), load(); and its events. Its own: `controlTitles`, `setControl()`,
 * `stats`, and the event `stats`, once a second.
 */
export class FaceVideo extends Base {
  static observedAttributes = ["src", "poster", "controls", "muted", "size"];

  /** @type {Media | null} */ #media = null;
  /** @type {Engine | null} */ #engine = null;
  /** @type {Pool | null} */ #pool = null;
  /** @type {HTMLAudioElement | null} */ #audio = null;
  /** @type {AbortController | null} */ #abort = null;
  #clock = new Clock();
  #pictures = new Pictures(ROOM);
  /** @type {Set<number>} */ #asked = new Set();
  /** @type {Map<number, number>} */ #held = new Map();
  #version = 0; // of the held controls and the size: pictures of another are not kept
  #shown = -1; // frame that is painted
  #last = -1; // seconds: time of the frame that was asked for last
  #ended = false;
  #seeking = false;
  #wanted = false; // play() was called before there was anything to play
  #updated = 0;
  #painted = /** @type {number[]} */ ([]); // when frames were painted, in ms
  #offsets = /** @type {number[]} */ ([]); // ms that they were late against what was heard
  #measuring = true;
  #quiet = 0;
  /** @type {HTMLElement} */ #stage;
  /** @type {HTMLCanvasElement} */ #canvas;
  /** @type {Error | null} */ error = null;
  readyState = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.innerHTML = MARKUP;
    this.#stage = this.#find(".stage");
    this.#canvas = /** @type {HTMLCanvasElement} */ (this.#find("canvas"));
    this.#wire();
  }

  /** @param {string} selector */
  #find(selector) {
    return /** @type {HTMLElement} */ (/** @type {ShadowRoot} */ (this.shadowRoot).querySelector(selector));
  }

  connectedCallback() {
    if (!this.hasAttribute("tabindex")) this.tabIndex = 0;
    if (this.src && !this.#abort) this.load();
  }

  disconnectedCallback() {
    this.#stop();
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} value
   */
  attributeChangedCallback(name, before, value) {
    if (name === "src" && before !== value && this.isConnected) this.load();
    else if (name === "controls") this.#find(".chrome").hidden = value === null;
    else if (name === "muted" && this.#audio) this.#audio.muted = value !== null;
    else if (name === "size") this.#resize(SIZES.includes(Number(value)) ? Number(value) : START_SIZE, true);
    else if (name === "poster") {
      const poster = /** @type {HTMLImageElement} */ (this.#find(".poster"));
      poster.hidden = !value;
      if (value) poster.src = value;
    }
  }

  // What <video> has.

  get src() {
    const given = this.getAttribute("src");
    return given ? new URL(given, document.baseURI).href : "";
  }

  set src(url) {
    this.setAttribute("src", url);
  }

  get currentSrc() {
    return this.#media ? this.src : "";
  }

  get poster() {
    return this.getAttribute("poster") ?? "";
  }

  set poster(url) {
    this.setAttribute("poster", url);
  }

  get duration() {
    return this.#media ? this.#media.duration : NaN;
  }

  get currentTime() {
    return this.#media ? Math.min(Math.max(this.#clock.time, 0), this.#media.duration) : 0;
  }

  set currentTime(time) {
    this.#seek(Number(time));
  }

  get paused() {
    return !this.#clock.running && !this.#wanted;
  }

  get ended() {
    return this.#ended;
  }

  get seeking() {
    return this.#seeking;
  }

  get videoWidth() {
    return this.#pool?.size ?? 0;
  }

  get videoHeight() {
    return this.videoWidth;
  }

  get muted() {
    return this.hasAttribute("muted");
  }

  set muted(on) {
    this.toggleAttribute("muted", on);
    this.#showSound();
    this.#tell("volumechange");
  }

  #volume = 1;

  get volume() {
    return this.#volume;
  }

  set volume(value) {
    if (!(value >= 0 && value <= 1)) throw new RangeError("a volume is 0 to 1");
    this.#volume = value;
    if (this.#audio) this.#audio.volume = value;
    this.#tell("volumechange");
  }

  get playbackRate() {
    return this.#clock.rate;
  }

  set playbackRate(rate) {
    if (!(rate >= 0.25 && rate <= 4)) throw new RangeError("a rate is 0.25 to 4");
    this.#clock.setRate(rate);
    if (this.#audio) this.#audio.playbackRate = rate;
    this.#tell("ratechange");
  }

  get loop() {
    return this.hasAttribute("loop");
  }

  set loop(on) {
    this.toggleAttribute("loop", on);
  }

  get autoplay() {
    return this.hasAttribute("autoplay");
  }

  set autoplay(on) {
    this.toggleAttribute("autoplay", on);
  }

  get controls() {
    return this.hasAttribute("controls");
  }

  set controls(on) {
    this.toggleAttribute("controls", on);
  }

  /** Begin; resolves when it plays, and rejects where it cannot. */
  async play() {
    if (!this.paused) return;
    if (!this.#media) {
      this.#wanted = true;
      this.#showPlaying();
      return;
    }
    if (this.#ended || this.#clock.time >= this.#media.duration) this.#seek(0);
    this.#ended = false;
    await this.#prepare();
    this.#clock.start();
    this.#last = -1;
    try {
      await this.#sound();
    } catch (error) {
      this.pause();
      throw error;
    }
    this.#showPlaying();
    this.#tell("play");
    this.#tell("playing");
    requestAnimationFrame(this.#tick);
  }

  pause() {
    this.#wanted = false;
    const running = this.#clock.running;
    this.#clock.stop();
    this.#audio?.pause();
    this.#showPlaying();
    if (running) {
      this.#tell("timeupdate");
      this.#tell("pause");
      this.#feed();
    }
  }

  /** Load `src` anew. */
  load() {
    this.#stop();
    const abort = new AbortController();
    this.#abort = abort;
    this.error = null;
    this.readyState = 0;
    this.#tell("loadstart");
    this.#load(abort.signal).catch((error) => {
      if (!abort.signal.aborted) this.#fail(error);
    });
  }

  // What it has beside that.

  /** What the controls do where they rise, in order. */
  get controlTitles() {
    const rig = this.#engine?.rig;
    if (!rig) return [];
    const names = [...rig.pose.map((one) => one.name), ...rig.offsets.map((one) => `${one.layer}/${one.channel}`),
      ...rig.expressions.map((one) => one.name)];
    return rig.titles.length ? rig.titles : names;
  }

  /** The region of each control, in order. */
  get controlRegions() {
    const rig = this.#engine?.rig;
    if (!rig) return [];
    return [...rig.pose.map(() => "pose"), ...rig.offsets.map((one) => one.region), ...rig.expressions.map(() => "expression")];
  }

  /** The controls that are shown now: the stream's, and those that are held. */
  get controlValues() {
    const media = this.#media;
    return media ? this.#controls(frameAt(media.times, this.currentTime)) : new Float32Array(0);
  }

  /**
   * Hold a control at a value; null gives it back to the stream.
   * @param {number} index
   * @param {number | null} value in standard deviations
   */
  setControl(index, value) {
    if (value === null) this.#held.delete(index);
    else this.#held.set(index, value);
    this.#renew();
  }

  /** Give all controls back to the stream. */
  releaseControls() {
    this.#held.clear();
    this.#renew();
  }

  /** Frames a second, ms a picture, kilobits a second, how late frames are against the sound. */
  get stats() {
    const now = performance.now();
    this.#painted = this.#painted.filter((time) => now - time < 2000);
    const span = Math.max((now - (this.#painted[0] ?? now)) / 1000, 0.001);
    const late = [...this.#offsets].sort((a, b) => a - b);
    return {
      framesPerSecond: this.#painted.length > 1 ? (this.#painted.length - 1) / span : 0,
      pictureMs: 1000 * (this.#pool?.seconds ?? 0),
      workers: this.#pool?.workers.length ?? 0,
      size: this.videoWidth,
      kbps: this.#media?.kbps ?? 0,
      bytes: this.#media?.stream.bytes ?? 0,
      drawn: this.#media ? this.#pictures.pictures.size / this.#media.times.length : 0,
      lateMs: late.length ? late[late.length >> 1] : 0,
      worstLateMs: late.length ? Math.max(...late.map(Math.abs)) : 0,
      damage: this.#media?.stream.damage.length ?? 0,
    };
  }

  /** The generator's own facts, its licence among them; null before it is loaded. */
  get generator() {
    return this.#engine?.manifest ?? null;
  }

  // Loading.

  /** @param {AbortSignal} signal */
  async #load(signal) {
    this.#veil("Loading", 0);
    const media = await Media.load(this.src, signal);
    signal.throwIfAborted();
    this.#media = media;
    this.readyState = 1;
    this.#find(".time span").textContent = clockText(media.duration);
    this.#tell("durationchange");
    this.#tell("loadedmetadata");
    const sound = media.sound();
    if (sound) this.#open(sound);
    this.#showSound();
    if (this.getAttribute("preload") !== "none" || this.#wanted || this.autoplay) await this.#prepare();
    else this.#veil("", 1);
    signal.throwIfAborted();
    const wanted = this.#wanted || this.autoplay;
    this.#wanted = false;
    this.#showPlaying();
    if (wanted) await this.play().catch(() => this.#showPlaying()); // a browser may ask for a click first
  }

  /** @param {Blob} sound */
  #open(sound) {
    const audio = new Audio(URL.createObjectURL(sound));
    audio.preload = "auto";
    audio.muted = this.muted;
    audio.volume = this.#volume;
    audio.playbackRate = this.#clock.rate;
    audio.addEventListener("error", () => {
      this.#audio = null;
      this.#showSound();
    });
    this.#audio = audio;
  }

  /** @type {Promise<void> | null} */
  #preparing = null;

  /** The generator, the person and the first picture. */
  #prepare() {
    const signal = /** @type {AbortController} */ (this.#abort).signal;
    this.#preparing ??= this.#prepared(signal).catch((error) => {
      this.#preparing = null;
      throw error;
    });
    return this.#preparing;
  }

  /** @param {AbortSignal} signal */
  async #prepared(signal) {
    const media = /** @type {Media} */ (this.#media);
    const given = this.getAttribute("generator");
    const folder = new URL(given ?? "../generator/", given ? document.baseURI : import.meta.url).href;
    const engine = await Engine.load(folder, (share) => {
      if (signal.aborted) return;
      this.#veil(`Loading the face generator, ${Math.round(share * 100)} %`, share);
      this.#tell("progress");
    });
    signal.throwIfAborted();
    const { header } = media.stream;
    if (header.generator !== engine.manifest.sha256) throw new Error(`this stream needs the generator ${header.generatorName}`);
    if (header.rig !== engine.rig.sha256) throw new Error("this stream needs another rig");
    this.#engine = engine;
    this.#veil("Making the person", 1);
    const identities = new URL(this.getAttribute("identities") ?? "../identities/", this.getAttribute("identities") ? document.baseURI : import.meta.url);
    const person = await media.person(engine.mean, (sha256) => new URL(`${sha256}.fci`, identities).href, signal);
    signal.throwIfAborted();
    const chosen = Number(this.getAttribute("size"));
    this.#measuring = !SIZES.includes(chosen);
    this.#pool = new Pool(engine, person, this.#measuring ? START_SIZE : chosen, (message) => this.#fail(new Error(message)));
    this.#pool.onidle = () => this.#feed();
    await new Promise((resolve, reject) => {
      this.addEventListener("loadeddata", resolve, { once: true });
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  /** @param {unknown} error */
  #fail(error) {
    this.error = error instanceof Error ? error : new Error(String(error));
    this.pause();
    this.#veil(`Cannot be played: ${this.error.message}`, 1);
    this.#tell("error");
  }

  #stop() {
    this.#abort?.abort();
    this.#abort = null;
    this.#clock = new Clock();
    this.#pool?.close();
    if (this.#audio) {
      this.#audio.pause();
      URL.revokeObjectURL(this.#audio.src);
    }
    this.#pictures.clear();
    this.#asked.clear();
    this.#held.clear();
    [this.#media, this.#pool, this.#audio, this.#preparing] = [null, null, null, null];
    [this.#ended, this.#seeking, this.#wanted, this.#shown, this.#last] = [false, false, false, -1, -1];
    this.#version += 1;
    this.#stage.classList.remove("painted");
  }

  // Drawing.

  /** @param {number} index */
  #controls(index) {
    const controls = /** @type {Media} */ (this.#media).stream.frames[index].controls.slice();
    for (const [control, value] of this.#held) controls[control] = value;
    return controls;
  }

  /** Pictures of other controls or of another size are none. */
  #renew() {
    this.#version += 1;
    this.#pictures.clear();
    this.#asked.clear();
    this.#shown = -1;
    this.#last = -1;
    this.#feed();
  }

  /** Give workers that have nothing to do the frames that are wanted next. */
  #feed() {
    const [media, pool] = [this.#media, this.#pool];
    if (!media || !pool) return;
    while (pool.idle) {
      const index = nextFrame({
        times: media.times,
        now: this.#clock.time,
        playing: this.#clock.running,
        loop: this.loop,
        ahead: this.getAttribute("preload") === "auto" && !this.#held.size,
        latency: pool.latency * this.#clock.rate,
        interval: Math.max(media.step, (pool.seconds * this.#clock.rate) / pool.workers.length),
        last: this.#last,
        room: Math.max(Math.floor(ROOM / (4 * pool.size ** 2)) - 2 * pool.workers.length, 1),
        known: (i) => this.#pictures.has(i) || this.#asked.has(i),
      });
      if (index < 0) return;
      this.#last = media.times[index];
      this.#asked.add(index);
      const version = this.#version;
      pool.draw(this.#controls(index)).then((drawn) => {
        if (version === this.#version && this.#media === media) this.#take(index, drawn);
      });
    }
  }

  /**
   * @param {number} index
   * @param {import("./render/engine.js").Drawn} drawn
   */
  #take(index, drawn) {
    const media = /** @type {Media} */ (this.#media);
    this.#asked.delete(index);
    this.#pictures.add(index, drawn, frameAt(media.times, this.#clock.time));
    if (!this.#clock.running) this.#paint();
    this.#showDrawn();
    if (this.readyState < 2) {
      this.readyState = 4;
      this.#veil(media.silence, 1);
      for (const name of ["loadeddata", "canplay", "canplaythrough"]) this.#tell(name);
    }
    if (this.#measuring && this.#pictures.pictures.size === 4) this.#choose();
  }

  /** Take the largest size that this machine draws fast enough. */
  #choose() {
    const [media, pool] = [/** @type {Media} */ (this.#media), /** @type {Pool} */ (this.#pool)];
    this.#measuring = false;
    const rate = pool.workers.length / pool.seconds;
    const fits = SIZES.filter((size) => size >= START_SIZE && (rate / COSTS[size]) * media.step >= ENOUGH);
    this.#resize(fits[fits.length - 1] ?? START_SIZE, false);
  }

  /**
   * @param {number} size
   * @param {boolean} chosen by whoever looks
   */
  #resize(size, chosen) {
    if (chosen) this.#measuring = false;
    if (!this.#pool || size === this.#pool.size) return;
    this.#pool.resize(size);
    this.#renew();
    this.#tell("resize");
  }

  /** Paint the frame that is due, if it is drawn and not painted yet. */
  #paint() {
    const media = /** @type {Media} */ (this.#media);
    const now = this.#clock.time;
    const due = frameAt(media.times, now);
    // while playing an older frame stands in for one that is not drawn; after a jump none does
    const after = this.#clock.running ? Math.min(this.#shown, due) : due - 1;
    const index = this.#pictures.latest(due, after);
    if (index < 0 || index === this.#shown) return;
    const { pixels, size } = /** @type {{ pixels: Uint8ClampedArray<ArrayBuffer>, size: number }} */ (this.#pictures.get(index));
    if (this.#canvas.width !== size) [this.#canvas.width, this.#canvas.height] = [size, size];
    this.#canvas.getContext("2d")?.putImageData(new ImageData(pixels, size, size), 0, 0);
    this.#stage.classList.add("painted");
    this.#shown = index;
    this.#painted.push(performance.now());
    if (this.#audio && !this.#audio.paused) {
      const heard = this.#audio.currentTime + media.audioStart;
      this.#offsets.push(1000 * (heard - media.times[index]));
      if (this.#offsets.length > 100) this.#offsets.shift();
    }
    if (this.#seeking) {
      this.#seeking = false;
      this.#tell("seeked");
    }
  }

  #tick = () => {
    const media = this.#media;
    if (!media || !this.#clock.running) return;
    this.#followSound();
    if (this.#clock.time >= media.duration) {
      if (this.loop) this.#seek(0);
      else {
        this.#finish();
        return;
      }
    }
    this.#paint();
    this.#feed();
    const now = this.#clock.time;
    if (Math.abs(now - this.#updated) >= TIME_UPDATE) {
      this.#updated = now;
      this.#tell("timeupdate");
      this.#tell("stats");
    }
    this.#showTime();
    requestAnimationFrame(this.#tick);
  };

  #finish() {
    const media = /** @type {Media} */ (this.#media);
    this.#clock.stop();
    this.#audio?.pause();
    this.#clock.set(media.duration);
    this.#ended = true;
    this.#paint();
    this.#showPlaying();
    this.#showTime();
    this.#tell("timeupdate");
    this.#tell("pause");
    this.#tell("ended");
    this.#feed();
  }

  /** @param {number} time */
  #seek(time) {
    const media = this.#media;
    if (!media || !Number.isFinite(time)) return;
    this.#clock.set(Math.min(Math.max(time, 0), media.duration));
    [this.#ended, this.#seeking, this.#shown, this.#last] = [false, true, -1, -1];
    this.#offsets = [];
    this.#tell("seeking");
    if (this.#clock.running) this.#sound().catch(() => {});
    this.#paint();
    this.#showTime();
    this.#feed();
    this.#tell("timeupdate");
  }

  // Sound.

  /** Have the sound go on from the time that is shown, if there is any then. */
  async #sound() {
    const [media, audio] = [this.#media, this.#audio];
    if (!media || !audio) return;
    const at = this.#clock.time - media.audioStart;
    if (at < 0 || (audio.duration && at >= audio.duration)) {
      audio.pause();
      return;
    }
    if (Math.abs(audio.currentTime - at) > 0.02) audio.currentTime = at;
    await audio.play();
    this.#clock.follow(audio.currentTime + media.audioStart);
  }

  #followSound() {
    const [media, audio] = [this.#media, this.#audio];
    if (!media || !audio) return;
    if (!audio.paused && audio.readyState > 2) this.#clock.follow(audio.currentTime + media.audioStart);
    else if (audio.paused && !audio.ended && this.#clock.time >= media.audioStart) this.#sound().catch(() => {});
  }

  // Showing.

  /** @param {string} name */
  #tell(name) {
    this.dispatchEvent(new Event(name));
  }

  /**
   * Say what is going on above the picture; nothing for an empty text.
   * @param {string} text
   * @param {number} share that is done
   */
  #veil(text, share) {
    this.#find(".veil").hidden = !text;
    this.#find(".veil p").textContent = text;
    this.#find(".bar i").style.width = `${100 * share}%`;
    this.#find(".bar").hidden = share >= 1;
  }

  #showPlaying() {
    const paused = this.paused;
    for (const button of [this.#find(".toggle"), this.#find(".big")]) {
      button.innerHTML = paused ? ICONS.play : ICONS.pause;
      button.setAttribute("aria-label", paused ? "Play" : "Pause");
    }
    this.#find(".big").hidden = !paused || !this.controls;
    this.#awake();
  }

  #showSound() {
    const button = this.#find(".mute");
    button.hidden = !this.#audio;
    button.innerHTML = this.muted ? ICONS.muted : ICONS.loud;
    button.setAttribute("aria-label", this.muted ? "Unmute" : "Mute");
  }

  #showTime() {
    const media = this.#media;
    if (!media) return;
    const share = this.currentTime / media.duration;
    const seek = /** @type {HTMLInputElement} */ (this.#find("input"));
    if (!seek.matches(":active")) seek.value = String(Math.round(1000 * share));
    seek.style.setProperty("--at", `${100 * share}%`);
    this.#find(".time b").textContent = clockText(this.currentTime);
    const { framesPerSecond, kbps } = this.stats;
    this.#find(".stats").textContent = `${framesPerSecond.toFixed(1)} fps · ${kbps.toFixed(1)} kbit/s`;
  }

  /** Where the seek bar has pictures that are drawn. */
  #showDrawn() {
    const media = /** @type {Media} */ (this.#media);
    const count = media.times.length;
    const cells = Math.min(count, 100);
    const parts = Array.from({ length: cells }, (_, cell) => {
      const [from, to] = [Math.floor((cell * count) / cells), Math.floor(((cell + 1) * count) / cells)];
      let drawn = 0;
      for (let i = from; i < to; i += 1) drawn += Number(this.#pictures.has(i));
      const shade = `rgb(255 255 255 / ${(0.35 * drawn) / (to - from)})`;
      return `${shade} ${(100 * cell) / cells}% ${(100 * (cell + 1)) / cells}%`;
    });
    this.#find(".drawn").style.backgroundImage = `linear-gradient(90deg, ${parts.join(", ")})`;
  }

  #awake() {
    clearTimeout(this.#quiet);
    this.#stage.classList.remove("quiet");
    if (this.#clock.running) this.#quiet = Number(setTimeout(() => this.#stage.classList.add("quiet"), QUIET));
  }

  #toggle() {
    if (this.paused) this.play().catch((error) => this.#fail(error));
    else this.pause();
  }

  #fullScreen() {
    if (document.fullscreenElement === this) document.exitFullscreen();
    else this.requestFullscreen?.().catch(() => {});
  }

  #wire() {
    const toggle = () => this.#toggle();
    this.#find(".toggle").addEventListener("click", toggle);
    this.#find(".big").addEventListener("click", toggle);
    this.#canvas.addEventListener("click", () => this.controls && toggle());
    this.#find(".mute").addEventListener("click", () => {
      this.muted = !this.muted;
    });
    this.#find(".screen").addEventListener("click", () => this.#fullScreen());
    const seek = /** @type {HTMLInputElement} */ (this.#find("input"));
    seek.addEventListener("input", () => this.#seek((Number(seek.value) / 1000) * (this.duration || 0)));
    for (const name of ["pointermove", "pointerdown", "keydown", "focusin"]) this.addEventListener(name, () => this.#awake());
    this.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.controls || event.ctrlKey || event.altKey || event.metaKey) return;
    const inner = event.composedPath()[0];
    const key = event.key.toLowerCase();
    if (inner instanceof HTMLButtonElement && (key === " " || key === "enter")) return;
    if (inner instanceof HTMLInputElement && /^(arrow|home|end|page)/.test(key)) return;
    const media = this.#media;
    const step = media?.step ?? 0;
    /** @type {Record<string, () => void>} */
    const keys = {
      " ": () => this.#toggle(),
      k: () => this.#toggle(),
      f: () => this.#fullScreen(),
      m: () => {
        this.muted = !this.muted;
      },
      arrowleft: () => this.#seek(this.currentTime - SKIP),
      arrowright: () => this.#seek(this.currentTime + SKIP),
      ",": () => this.#seek(this.currentTime - step),
      ".": () => this.#seek(this.currentTime + step),
      home: () => this.#seek(0),
      end: () => this.#seek(this.duration),
      arrowup: () => {
        this.volume = Math.min(this.volume + 0.1, 1);
      },
      arrowdown: () => {
        this.volume = Math.max(this.volume - 0.1, 0);
      },
    };
    if (!keys[key]) return;
    event.preventDefault();
    keys[key]();
  }
}

/** @param {number} seconds */
function clockText(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

globalThis.customElements?.define("face-video", FaceVideo);
