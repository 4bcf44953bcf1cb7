// The time that is shown: of the audio while it sounds, else of the machine.

const DRIFT = 0.03; // seconds that the two may differ

/** A clock that runs, stops, and follows an <audio> element. */
export class Clock {
  /** @param {() => number} machine seconds of the machine */
  constructor(machine = () => performance.now() / 1000) {
    this.machine = machine;
    this.rate = 1;
    this.base = 0; // the time shown when it was set
    this.since = 0; // the machine's then
    this.running = false;
  }

  get time() {
    return this.running ? this.base + (this.machine() - this.since) * this.rate : this.base;
  }

  /** @param {number} time */
  set(time) {
    this.base = time;
    this.since = this.machine();
  }

  start() {
    this.set(this.time);
    this.running = true;
  }

  stop() {
    this.set(this.time);
    this.running = false;
  }

  /** @param {number} rate */
  setRate(rate) {
    this.set(this.time);
    this.rate = rate;
  }

  /**
   * Go with a time that is heard.
   * @param {number} heard
   */
  follow(heard) {
    if (Math.abs(heard - this.time) > DRIFT) this.set(heard);
  }
}
