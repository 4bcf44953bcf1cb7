// The sound of a stream: an <audio> element that plays what the stream carries.

/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("./media.js").Media} Media */

const NEAR = 0.02; // seconds that the element may be off when it starts

/** Sound, if a stream has any. */
export class Sound {
  /** @type {HTMLAudioElement | null} */ audio = null;
  silence = ""; // why there is no sound where there should be
  #start = 0; // where the first packet is heard, in seconds from the first frame

  /**
   * @param {() => { muted: boolean, volume: number, rate: number }} settings
   * @param {(why: string) => void} changed called when it is known whether there is any sound, with
   * why there is none where there should be
   */
  constructor(settings, changed) {
    this.settings = settings;
    this.changed = changed;
  }

  /** @param {Media} media */
  open(media) {
    const file = media.sound();
    if (file) {
      const audio = new Audio(URL.createObjectURL(file));
      const { muted, volume, rate } = this.settings();
      Object.assign(audio, { preload: "auto", muted, volume, playbackRate: rate });
      audio.addEventListener("error", () => this.#without(audio));
      this.audio = audio;
      this.#start = media.audioStart;
    }
    this.changed("");
  }

  /**
   * Go on without an element that cannot play.
   * @param {HTMLAudioElement} audio
   */
  #without(audio) {
    if (this.audio !== audio) return;
    this.audio = null;
    this.silence = "its sound cannot be played by this browser";
    this.changed(this.silence);
  }

  close() {
    const { audio } = this;
    if (!audio) return;
    this.audio = null;
    audio.pause();
    URL.revokeObjectURL(audio.src);
  }

  /** The time that is heard, in seconds from the first frame; null while nothing sounds. */
  get heard() {
    return this.audio && !this.audio.paused ? this.audio.currentTime + this.#start : null;
  }

  /**
   * Have it go on from the time that is shown, if there is any sound then.
   * @param {Clock} clock
   */
  async start(clock) {
    const { audio } = this;
    if (!audio) return;
    const at = clock.time - this.#start;
    if (at < 0 || (audio.duration && at >= audio.duration)) {
      audio.pause();
      return;
    }
    if (Math.abs(audio.currentTime - at) > NEAR) audio.currentTime = at;
    try {
      await audio.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotSupportedError") throw error;
      this.#without(audio);
      return;
    }
    clock.follow(audio.currentTime + this.#start);
  }

  /**
   * Have the clock follow what is heard, and the sound begin where it is due.
   * @param {Clock} clock
   */
  follow(clock) {
    const { audio, heard } = this;
    if (!audio) return;
    if (heard !== null && audio.readyState > 2) clock.follow(heard);
    else if (heard === null && !audio.ended && clock.time >= this.#start) this.start(clock).catch(() => {});
  }

  pause() {
    this.audio?.pause();
  }

  /** @param {number} rate */
  setRate(rate) {
    if (this.audio) this.audio.playbackRate = rate;
  }

  /** Take over what the settings say. */
  refresh() {
    if (!this.audio) return;
    const { muted, volume } = this.settings();
    Object.assign(this.audio, { muted, volume });
    this.changed("");
  }
}
