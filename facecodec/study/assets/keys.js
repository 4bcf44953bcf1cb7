"use strict";
// What a hand set: for each control its keys, [frame, value] in rising order. A value of null is the
// stream's own. Between two keys a control eases from one to the other; before the first and behind
// the last it holds.
const keys = new Map();
const REACH = Math.max(Math.round(DATA.rate / 2), 1); // frames within which a first key fades in and out

// As `facecodec.editing.edits.Keys` does it.
function valueAt(i, frame) {
  const own = DATA.controls[frame][i], list = keys.get(i);
  if (!list) return own;
  const of = ([, value]) => (value === null ? own : value);
  const after = list.findIndex(([at]) => at >= frame);
  if (after < 0) return of(list[list.length - 1]);
  if (after === 0 || list[after][0] === frame) return of(list[after]);
  const [from, to] = [list[after - 1], list[after]];
  const s = (frame - from[0]) / (to[0] - from[0]), ease = s * s * (3 - 2 * s);
  return of(from) * (1 - ease) + of(to) * ease;
}

function putKey(i, frame, value) {
  const list = (keys.get(i) || []).filter(([at]) => at !== frame);
  list.push([frame, value]);
  list.sort((a, b) => a[0] - b[0]);
  keys.set(i, list);
}

// One value for the whole stream.
function holdKey(i, value) { keys.set(i, [[0, value]]); }

// A key at a frame. The first of a control fades in from the stream's own motion and out to it; so
// does one beyond the others.
function setKey(i, frame, value) {
  const list = keys.get(i) || [], last = DATA.times.length - 1;
  const first = list.length === 0;
  const near = list.some(([at]) => at === frame);
  if (!near && (first || (frame < list[0][0] && list[0][1] === null)) && frame > 0)
    putKey(i, Math.max(frame - REACH, 0), null);
  if (!near && (first || (frame > list[list.length - 1][0] && list[list.length - 1][1] === null)) && frame < last)
    putKey(i, Math.min(frame + REACH, last), null);
  putKey(i, frame, value);
}

function dropKey(i, frame) {
  const list = (keys.get(i) || []).filter(([at]) => at !== frame);
  if (list.some(([, value]) => value !== null)) keys.set(i, list);
  else keys.delete(i);
}

function moveKey(i, from, to) {
  const list = keys.get(i) || [], found = list.find(([at]) => at === from);
  if (!found || from === to || list.some(([at]) => at === to)) return false;
  keys.set(i, list.map((key) => (key === found ? [to, key[1]] : key)).sort((a, b) => a[0] - b[0]));
  return true;
}

// The frame of the next key of any control in a direction, 1 or -1; the same frame where there is none.
function nextKey(frame, direction) {
  let best = frame;
  for (const list of keys.values())
    for (const [at] of list)
      if ((at - frame) * direction > 0 && (best === frame || (at - best) * direction < 0)) best = at;
  return best;
}

const copied = () => new Map([...keys].map(([i, list]) => [i, list.map((key) => [...key])]));
const told = () => Object.fromEntries(keys);
