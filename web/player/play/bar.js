// The controls of <face-video>: buttons, the seek bar, keys.

import { ICONS } from "./chrome.js";

/** @typedef {import("../face-video.js").FaceVideo} FaceVideo */

const QUIET = 2500; // ms until controls hide while playing
const SKIP = 5; // seconds that an arrow key moves
const LOUDER = 0.1; // of the volume that an arrow key changes
const CELLS = 100; // parts of the seek bar that show what is drawn

/** What stands over the picture. */
export class Bar {
  #quiet = 0;

  /**
   * @param {FaceVideo} video
   * @param {ShadowRoot} root
   */
  constructor(video, root) {
    this.video = video;
    this.find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
    this.seek = /** @type {HTMLInputElement} */ (this.find("input"));
    const toggle = () => this.toggle();
    this.find(".toggle").addEventListener("click", toggle);
    this.find(".big").addEventListener("click", toggle);
    this.find("canvas").addEventListener("click", () => video.controls && toggle());
    this.find(".mute").addEventListener("click", () => this.mute());
    this.find(".screen").addEventListener("click", () => this.fullScreen());
    this.seek.addEventListener("input", () => {
      video.currentTime = (Number(this.seek.value) / 1000) * (video.duration || 0);
    });
    for (const name of ["pointermove", "pointerdown", "keydown", "focusin"]) video.addEventListener(name, () => this.awake());
    video.addEventListener("keydown", (event) => this.key(event));
  }

  toggle() {
    const { video } = this;
    if (video.paused) video.play().catch((error) => this.say(`Cannot be played: ${error.message}`, 1));
    else video.pause();
  }

  mute() {
    this.video.muted = !this.video.muted;
  }

  fullScreen() {
    if (document.fullscreenElement === this.video) document.exitFullscreen();
    else this.video.requestFullscreen?.().catch(() => {});
  }

  /**
   * Say what is going on above the picture; nothing for an empty text.
   * @param {string} text
   * @param {number} share that is done
   */
  say(text, share) {
    this.find(".veil").hidden = !text;
    this.find(".veil p").textContent = text;
    this.find(".bar i").style.width = `${100 * share}%`;
    this.find(".bar").hidden = share >= 1;
  }

  /** Show whether it plays. */
  showPlaying() {
    const { paused, controls } = this.video;
    for (const button of [this.find(".toggle"), this.find(".big")]) {
      button.innerHTML = paused ? ICONS.play : ICONS.pause;
      button.setAttribute("aria-label", paused ? "Play" : "Pause");
    }
    this.find(".big").hidden = !paused || !controls;
    this.find(".chrome").hidden = !controls;
    this.awake();
  }

  /** @param {boolean} any whether there is sound */
  showSound(any) {
    const [button, { muted }] = [this.find(".mute"), this.video];
    button.hidden = !any;
    button.innerHTML = muted ? ICONS.muted : ICONS.loud;
    button.setAttribute("aria-label", muted ? "Unmute" : "Mute");
  }

  showTime() {
    const { currentTime, duration, stats } = this.video;
    if (!duration) return;
    const live = duration === Infinity;
    const share = live ? 1 : currentTime / duration;
    this.find(".seek").hidden = live;
    if (!this.seek.matches(":active")) this.seek.value = String(Math.round(1000 * share));
    this.seek.style.setProperty("--at", `${100 * share}%`);
    this.find(".time b").textContent = clockText(currentTime);
    this.find(".time span").textContent = live ? "live" : clockText(duration);
    this.find(".stats").textContent = `${stats.framesPerSecond.toFixed(1)} fps · ${stats.kbps.toFixed(1)} kbit/s`;
  }

  /**
   * Show where the seek bar has pictures that are drawn.
   * @param {number} count of frames
   * @param {(index: number) => boolean} known
   */
  showDrawn(count, known) {
    const cells = Math.min(count, CELLS);
    const parts = Array.from({ length: cells }, (_, cell) => {
      const [from, to] = [Math.floor((cell * count) / cells), Math.floor(((cell + 1) * count) / cells)];
      let drawn = 0;
      for (let i = from; i < to; i += 1) drawn += Number(known(i));
      const shade = `rgb(255 255 255 / ${(0.35 * drawn) / (to - from)})`;
      return `${shade} ${(100 * cell) / cells}% ${(100 * (cell + 1)) / cells}%`;
    });
    this.find(".drawn").style.backgroundImage = `linear-gradient(90deg, ${parts.join(", ")})`;
  }

  awake() {
    const stage = this.find(".stage");
    clearTimeout(this.#quiet);
    stage.classList.remove("quiet");
    if (!this.video.paused) this.#quiet = Number(setTimeout(() => stage.classList.add("quiet"), QUIET));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { video } = this;
    if (!video.controls || event.ctrlKey || event.altKey || event.metaKey) return;
    const inner = event.composedPath()[0];
    const key = event.key.toLowerCase();
    if (inner instanceof HTMLButtonElement && (key === " " || key === "enter")) return;
    if (inner instanceof HTMLInputElement && /^(arrow|home|end|page)/.test(key)) return;
    const move = (/** @type {number} */ by) => {
      video.currentTime += by;
    };
    const louder = (/** @type {number} */ by) => {
      video.volume = Math.min(Math.max(video.volume + by, 0), 1);
    };
    /** @type {Record<string, () => void>} */
    const keys = {
      " ": () => this.toggle(),
      k: () => this.toggle(),
      f: () => this.fullScreen(),
      m: () => this.mute(),
      arrowleft: () => move(-SKIP),
      arrowright: () => move(SKIP),
      ",": () => move(-video.frameStep),
      ".": () => move(video.frameStep),
      home: () => move(-video.duration),
      end: () => move(video.duration),
      arrowup: () => louder(LOUDER),
      arrowdown: () => louder(-LOUDER),
    };
    if (!Object.hasOwn(keys, key)) return;
    event.preventDefault();
    keys[key]();
  }
}

/** @param {number} seconds */
function clockText(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
