// How many frames a second are painted, and how late they are against what is heard.

const SPAN = 2000; // ms over which frames are counted
const KEPT = 100; // frames whose lateness is kept

/** Counts frames as they are painted. */
export class Meter {
  constructor() {
    /** @type {number[]} */
    this.times = []; // of frames, in ms of the machine
    /** @type {number[]} */
    this.late = []; // ms
  }

  /**
   * @param {number | null} heard time of the sound in seconds; null where there is none
   * @param {number} shown time of the frame in seconds
   */
  painted(heard, shown) {
    this.times.push(performance.now());
    if (heard === null) return;
    this.late.push(1000 * (heard - shown));
    if (this.late.length > KEPT) this.late.shift();
  }

  /** Forget how late frames were: there was a jump. */
  jump() {
    this.late = [];
  }

  get framesPerSecond() {
    const now = performance.now();
    this.times = this.times.filter((time) => now - time < SPAN);
    const count = this.times.length;
    return count > 1 ? (1000 * (count - 1)) / Math.max(now - this.times[0], 1) : 0;
  }

  /** Of half the frames the lateness is below this, in ms. */
  get lateMs() {
    const sorted = [...this.late].sort((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : 0;
  }
}
