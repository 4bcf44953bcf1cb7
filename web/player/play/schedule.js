// Which frame is to be drawn next. Drawing may be slower than playing: frames are then left out
// evenly, and those drawn are kept, so that what is played again is whole.

/**
 * The last frame that is not after a time; 0 before the first.
 * @param {ArrayLike<number>} times of frames in seconds, rising
 * @param {number} time
 */
export function frameAt(times, time) {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time + 1e-6) low = middle;
    else high = middle - 1;
  }
  return Math.max(low, 0);
}

/**
 * @typedef {object} Wish
 * @property {ArrayLike<number>} times of frames in seconds
 * @property {number} now the time that is shown
 * @property {boolean} playing
 * @property {boolean} loop
 * @property {boolean} ahead whether frames are drawn long before they are due
 * @property {number} latency seconds that a frame takes to be drawn
 * @property {number} interval seconds from one frame that can be drawn to the next
 * @property {number} last time of the frame that was asked for last, in seconds
 * @property {number} room frames that may be kept
 * @property {(index: number) => boolean} known whether a frame is drawn, or being drawn
 */

const NEAR = 1; // second that is drawn ahead at least

/**
 * The frame to draw next; -1 for none.
 * @param {Wish} wish
 */
export function nextFrame({ times, now, playing, loop, ahead, latency, interval, last, room, known }) {
  const count = times.length;
  const shown = frameAt(times, now);
  if (!playing) {
    if (!known(shown)) return shown;
    return ahead ? search(shown, Math.min(count, room), count, true, known) : -1;
  }
  const due = Math.max(now + latency, last < now ? 0 : last + interval);
  let from = frameAt(times, due);
  if (times[from] < due - 1e-6) from += 1;
  const until = ahead ? room : Math.min(room, frameAt(times, now + NEAR + latency) + 1 - from);
  return search(from, until, count, loop || ahead, known);
}

/**
 * The first frame that is not known, of some from one on.
 * @param {number} from
 * @param {number} most
 * @param {number} count of all frames
 * @param {boolean} round whether the first frames follow the last
 * @param {(index: number) => boolean} known
 */
function search(from, most, count, round, known) {
  for (let i = 0; i < Math.min(most, count); i += 1) {
    const index = from + i;
    if (index >= count && !round) return -1;
    if (!known(index % count)) return index % count;
  }
  return -1;
}
