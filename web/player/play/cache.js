// Pictures that were drawn, as many as there is room for.

/** Pictures by the number of their frame. */
export class Pictures {
  /** @param {number} bytes that may be kept */
  constructor(bytes) {
    this.bytes = bytes;
    this.held = 0;
    /** @type {Map<number, { pixels: Uint8ClampedArray<ArrayBuffer>, size: number }>} */
    this.pictures = new Map();
  }

  /** @param {number} index */
  get(index) {
    return this.pictures.get(index);
  }

  /** @param {number} index */
  has(index) {
    return this.pictures.has(index);
  }

  /**
   * @param {number} index
   * @param {{ pixels: Uint8ClampedArray<ArrayBuffer>, size: number }} picture
   * @param {number} shown the frame that is shown: those far behind it go first
   */
  add(index, picture, shown) {
    this.drop(index);
    this.pictures.set(index, picture);
    this.held += picture.pixels.length;
    while (this.held > this.bytes && this.pictures.size > 1) {
      const behind = (/** @type {number} */ i) => (i < shown ? shown - i + 1e9 : i - shown);
      const far = [...this.pictures.keys()].reduce((a, b) => (behind(b) > behind(a) ? b : a));
      this.drop(far);
    }
  }

  /** @param {number} index */
  drop(index) {
    const old = this.pictures.get(index);
    if (!old) return;
    this.held -= old.pixels.length;
    this.pictures.delete(index);
  }

  clear() {
    this.pictures.clear();
    this.held = 0;
  }

  /**
   * The last picture at or before a frame, and after another.
   * @param {number} index
   * @param {number} after
   */
  latest(index, after) {
    for (let i = index; i > after; i -= 1) if (this.pictures.has(i)) return i;
    return -1;
  }
}
