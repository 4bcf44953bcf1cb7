// <face-video src="talk.fcv">: a talking head with the manners of <video>.

import { Bar } from "./play/bar.js";
import { MARKUP, STYLE } from "./play/chrome.js";
import { isLive, LivePlayer } from "./play/live.js";
import { Player } from "./play/player.js";
import { Sound } from "./play/sound.js";
import { SIZES } from "./render/renderer.js";

const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/**
 * Attributes: src (the address of a stream, or ws: or wss: of a live one), poster, controls, autoplay, loop, muted, preload (none, metadata, auto: auto
 * draws ahead), size (auto, or pixels), generator (folder of the weights; `../generator/` beside
 * the player's own), identities (folder of `.fci` files).
 *
 * Properties, methods and events are those of <video>, as far as they make sense. Its own:
 * `controlTitles`, `controlRegions`, `controlValues`, `setControl()`, `releaseControls()`,
 * `stats`, `frameStep`, and the events `painted` and `drawn`.
 */
export class FaceVideo extends Base {
  static observedAttributes = ["src", "poster", "controls", "muted", "size"];

  /** @type {Player | LivePlayer | null} */ #player = null;
  /** @type {Bar} */ #bar;
  #volume = 1;
  #rate = 1;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.innerHTML = MARKUP;
    this.#bar = new Bar(this, root);
  }

  connectedCallback() {
    if (!this.hasAttribute("tabindex")) this.tabIndex = 0;
    if (this.src && !this.#player) this.load();
  }

  disconnectedCallback() {
    this.#player?.close();
    this.#player = null;
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} value
   */
  attributeChangedCallback(name, before, value) {
    if (name === "src" && before !== value && this.isConnected) this.load();
    else if (name === "controls") this.#bar.showPlaying();
    else if (name === "size") this.#player?.resize(this.#settings().size);
    else if (name === "muted") {
      this.#player?.sound.refresh();
      this.#tell("volumechange");
    } else if (name === "poster") {
      const poster = /** @type {HTMLImageElement} */ (this.#bar.find(".poster"));
      poster.hidden = !value;
      if (value) poster.src = value;
    }
  }

  /** @returns {import("./play/player.js").Settings} */
  #settings() {
    const chosen = Number(this.getAttribute("size"));
    const folder = (/** @type {string} */ name) => {
      const given = this.getAttribute(name);
      return given ? new URL(`${given}/`, document.baseURI).href : new URL(`../${name}/`, import.meta.url).href;
    };
    const preload = this.getAttribute("preload");
    return {
      loop: this.loop,
      ahead: preload === "auto",
      eager: preload !== "none",
      autoplay: this.autoplay,
      size: SIZES.includes(chosen) ? chosen : 0,
      generator: folder("generator"),
      identities: folder("identities"),
    };
  }

  /** @param {string} name */
  #tell(name) {
    const player = this.#player;
    if (name === "painted") this.#bar.find(".stage").classList.add("painted");
    if (name === "drawn" && player?.media) this.#bar.showDrawn(player.media.times.length, (i) => player.pictures.has(i));
    if (["play", "pause", "loadstart"].includes(name)) this.#bar.showPlaying();
    if (["timeupdate", "loadedmetadata", "painted"].includes(name)) this.#bar.showTime();
    this.dispatchEvent(new Event(name));
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
    return this.#player?.media ? this.src : "";
  }

  get poster() {
    return this.getAttribute("poster") ?? "";
  }

  set poster(url) {
    this.setAttribute("poster", url);
  }

  get controls() {
    return this.hasAttribute("controls");
  }

  set controls(on) {
    this.toggleAttribute("controls", Boolean(on));
  }

  get autoplay() {
    return this.hasAttribute("autoplay");
  }

  set autoplay(on) {
    this.toggleAttribute("autoplay", Boolean(on));
  }

  get loop() {
    return this.hasAttribute("loop");
  }

  set loop(on) {
    this.toggleAttribute("loop", Boolean(on));
  }

  get muted() {
    return this.hasAttribute("muted");
  }

  set muted(on) {
    this.toggleAttribute("muted", Boolean(on));
  }

  get error() {
    return this.#player?.error ?? null;
  }

  get readyState() {
    return this.#player?.readyState ?? 0;
  }

  get duration() {
    return this.#player?.duration ?? NaN;
  }

  get currentTime() {
    return this.#player?.currentTime ?? 0;
  }

  set currentTime(time) {
    this.#player?.seek(Number(time));
  }

  get paused() {
    return this.#player?.paused ?? true;
  }

  get ended() {
    return this.#player?.ended ?? false;
  }

  get seeking() {
    return this.#player?.seeking ?? false;
  }

  get videoWidth() {
    return this.#player?.pool?.size ?? 0;
  }

  get videoHeight() {
    return this.videoWidth;
  }

  get volume() {
    return this.#volume;
  }

  set volume(value) {
    if (!(value >= 0 && value <= 1)) throw new RangeError("a volume is 0 to 1");
    this.#volume = value;
    this.#player?.sound.refresh();
    this.#tell("volumechange");
  }

  get playbackRate() {
    return this.#rate;
  }

  set playbackRate(rate) {
    if (!(rate >= 0.25 && rate <= 4)) throw new RangeError("a rate is 0.25 to 4");
    this.#rate = rate;
    this.#player?.setRate(rate);
    this.#tell("ratechange");
  }

  /** Begin; resolves when it plays, and rejects where it cannot. */
  async play() {
    await this.#player?.play();
  }

  pause() {
    this.#player?.pause();
  }

  /** Reload `src`. */
  load() {
    this.#player?.close();
    this.#bar.find(".stage").classList.remove("painted");
    const sound = new Sound(
      () => ({ muted: this.muted, volume: this.#volume, rate: this.#rate }),
      (why) => {
        this.#bar.showSound(sound.audio !== null);
        if (why) this.#bar.say(why, 1);
      },
    );
    const canvas = /** @type {HTMLCanvasElement} */ (this.#bar.find("canvas"));
    /** @type {Player | LivePlayer} */
    const player = new (isLive(this.src) ? LivePlayer : Player)(canvas, {
      tell: (name) => this.#player === player && this.#tell(name),
      say: (text, share) => this.#player === player && this.#bar.say(text, share),
    }, () => this.#settings(), sound);
    player.setRate(this.#rate);
    this.#player = player;
    player.load(this.src);
  }

  // What it has beside that.

  /** Seconds from one frame to the next, about. */
  get frameStep() {
    return this.#player?.media?.step ?? 0;
  }

  /** What the controls do where they rise, in order. */
  get controlTitles() {
    const rig = this.#player?.engine?.rig;
    if (!rig) return [];
    const names = [...rig.pose.map((one) => one.name), ...rig.offsets.map((one) => `${one.layer}/${one.channel}`),
      ...rig.expressions.map((one) => one.name)];
    return rig.titles.length ? rig.titles : names;
  }

  /** The region of each control, in order. */
  get controlRegions() {
    const rig = this.#player?.engine?.rig;
    if (!rig) return [];
    return [...rig.pose.map(() => "pose"), ...rig.offsets.map((one) => one.region), ...rig.expressions.map(() => "expression")];
  }

  /** The controls that are shown now, in standard deviations: the stream's, and those held. */
  get controlValues() {
    return this.#player?.controls ?? new Float32Array(0);
  }

  /**
   * Hold a control at a value; null gives it back to the stream.
   * @param {number} index
   * @param {number | null} value in standard deviations
   */
  setControl(index, value) {
    this.#player?.hold(index, value);
  }

  /** Give all controls back to the stream. */
  releaseControls() {
    this.#player?.release();
  }

  /** Frames painted a second, ms a picture, kilobits a second, ms that pictures are late. */
  get stats() {
    const player = this.#player;
    return {
      framesPerSecond: player?.meter.framesPerSecond ?? 0,
      lateMs: player?.meter.lateMs ?? 0,
      pictureMs: 1000 * (player?.pool?.seconds ?? 0),
      workers: player?.pool?.workers.length ?? 0,
      gpu: player?.pool?.gpu ?? false,
      size: this.videoWidth,
      kbps: player instanceof LivePlayer ? player.kbps : player?.media?.kbps ?? 0,
      bytes: player?.media?.stream.bytes ?? 0,
      drawn: player?.media ? player.pictures.pictures.size / player.media.times.length : 0,
      damage: player?.media?.stream.damage.length ?? 0,
    };
  }

  /** The generator's own facts, its licence among them; null before it is loaded. */
  get generator() {
    return this.#player?.engine?.manifest ?? null;
  }
}

globalThis.customElements?.define("face-video", FaceVideo);
