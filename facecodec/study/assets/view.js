"use strict";
const byId = (id) => document.getElementById(id);
const total = DATA.times.length;
const inputs = [], outputs = [], rows = [];
const past = [], undone = []; // the keys before each change, and those that undo took back
let frame = 0, person = DATA.people[0], playing = null, wanted = null, recent = [];
let comparing = false, dragged = -1, chosen = 0, keyed = false;

const controls = () => DATA.names.map((_, i) => (comparing ? DATA.controls[frame][i] : valueAt(i, frame)));
const post = (path, body) => fetch(path, { method: "POST", headers: { "X-Token": DATA.token }, body });
const say = (text) => { byId("state").textContent = text; };

function remember() {
  past.push(copied());
  if (past.length > 200) past.shift();
  undone.length = 0;
}
function restore(from, to) {
  if (!from.length) return;
  to.push(copied());
  keys.clear();
  from.pop().forEach((list, i) => keys.set(i, list));
  dragged = -1;
  ask();
}
const undo = () => restore(past, undone), redo = () => restore(undone, past);
function change(make) { remember(); make(); ask(); }

// What changes while pictures are under way is rendered next; older wishes are dropped. Under a hand
// there is one, so that it is the latest; playing, the next is rendered while the last is shown.
const most = () => (playing ? 2 : 1);
let under = 0, shown = Promise.resolve();
function ask() {
  wanted = { controls: controls(), person, since: performance.now() };
  paint();
  work();
}
function work() {
  while (wanted && under < most()) {
    const job = wanted;
    wanted = null;
    under += 1;
    const answer = post("/render", JSON.stringify({ controls: job.controls, person: job.person }));
    answer.catch(() => {}); // told where it is waited for
    shown = shown.then(() => show(job, answer)).then(() => { under -= 1; work(); });
  }
}
async function show(job, asked) {
  try {
    const answer = await asked;
    if (!answer.ok) throw new Error(await answer.text());
    const url = URL.createObjectURL(await answer.blob()), face = byId("face"), old = face.src;
    face.src = url;
    await face.decode();
    if (old) URL.revokeObjectURL(old);
    const now = performance.now();
    recent = recent.filter((t) => now - t < 2000).concat(now);
    byId("latency").textContent = (now - job.since).toFixed(0);
    byId("rendering").textContent = Number(answer.headers.get("X-Render-Ms")).toFixed(0);
    byId("rate").textContent = recent.length > 1 ? (((recent.length - 1) * 1000) / (now - recent[0])).toFixed(1) : "–";
    document.body.dataset.shown = String(Number(document.body.dataset.shown || 0) + 1);
    if (!fitting) say(keys.size ? `${keys.size} set by hand, the others follow the stream` : "all controls follow the stream");
  } catch (error) {
    say(error.message);
    playing = null;
  }
}

function paint() {
  const values = controls();
  inputs.forEach((input, i) => {
    if (document.activeElement !== input || !keys.has(i) || dragged !== i) input.value = values[i];
    outputs[i].textContent = values[i].toFixed(2);
    rows[i].classList.toggle("held", keys.has(i));
    rows[i].classList.toggle("chosen", i === chosen);
  });
  byId("seek").value = frame;
  byId("clock").textContent = `${frame + 1} / ${total}  ${DATA.times[frame].toFixed(2)} s`;
  byId("play").textContent = playing ? "Pause" : "Play";
  byId("undo").disabled = !past.length;
  byId("redo").disabled = !undone.length;
  timeline();
}

function choose(i) {
  chosen = i;
  const group = rows[i].closest("details");
  if (!group.open) group.open = true;
  paint();
}

function sliders() {
  const host = byId("sliders");
  for (const region of [...new Set(DATA.regions)]) {
    const group = element("details", { class: "group", open: "", style: `--tone:var(--${region}, ${REGION[region] || "#a3afbf"})` }, host);
    element("summary", {}, group, region);
    DATA.names.forEach((name, i) => {
      if (DATA.regions[i] !== region) return;
      const row = rows[i] = element("div", { class: "slider" }, group);
      element("label", { for: `c${i}`, title: `${name}; double-click gives it back to the stream` }, row, name);
      inputs[i] = element("input", { type: "range", id: `c${i}`, min: -DATA.limit, max: DATA.limit, step: 0.02 }, row);
      outputs[i] = element("output", { for: `c${i}` }, row);
      inputs[i].addEventListener("focus", () => { chosen = i; paint(); });
      inputs[i].addEventListener("input", () => {
        if (dragged !== i) remember(); // a whole drag is one change
        dragged = chosen = i;
        if (keyed) setKey(i, frame, +inputs[i].value);
        else holdKey(i, +inputs[i].value);
        ask();
      });
      inputs[i].addEventListener("change", () => { dragged = -1; });
      row.addEventListener("dblclick", () => change(() => keys.delete(i)));
    });
  }
}

// The rows of controls that have keys; a key is a button that seeks, and is dragged in time.
function timeline() {
  const host = byId("timeline");
  const signature = JSON.stringify([told(), chosen]);
  byId("cursor").style.left = `calc(var(--names) + (100% - var(--names) - 16px) * ${total > 1 ? frame / (total - 1) : 0} + 8px)`;
  if (host.dataset.drawn === signature || moving) return;
  host.dataset.drawn = signature;
  host.replaceChildren();
  byId("hint").hidden = keys.size > 0;
  for (const [i, list] of [...keys].sort((a, b) => a[0] - b[0])) {
    const row = element("div", { class: i === chosen ? "lane chosen" : "lane", style: `--tone:var(--${DATA.regions[i]}, ${REGION[DATA.regions[i]] || "#a3afbf"})` }, host);
    const name = element("button", { class: "name", title: "choose this control" }, row, DATA.names[i]);
    name.addEventListener("click", () => choose(i));
    const lane = element("div", { class: "keys" }, row);
    for (const [at, value] of list) {
      const what = value === null ? "the stream's own" : value.toFixed(2);
      const key = element("button", { class: value === null ? "key own" : "key", title: `frame ${at + 1}: ${what}`,
        "aria-label": `${DATA.names[i]}, frame ${at + 1}: ${what}`, style: `left:${total > 1 ? (100 * at) / (total - 1) : 0}%` }, lane);
      key.addEventListener("click", () => { choose(i); seek(at); });
      key.addEventListener("pointerdown", (event) => drag(event, key, lane, i, at));
    }
  }
}

let moving = false;
function drag(event, key, lane, i, at) {
  const from = event.clientX, box = lane.getBoundingClientRect();
  let place = at, kept = null;
  key.setPointerCapture(event.pointerId);
  const move = (to) => {
    if (Math.abs(to.clientX - from) < 3 && !kept) return;
    if (!kept) { kept = copied(); moving = true; }
    const next = Math.round(Math.min(Math.max((to.clientX - box.left) / box.width, 0), 1) * (total - 1));
    if (moveKey(i, place, next)) { place = next; key.style.left = `${(100 * next) / Math.max(total - 1, 1)}%`; }
    seek(place);
  };
  const end = () => {
    key.removeEventListener("pointermove", move);
    moving = false;
    if (kept) { past.push(kept); undone.length = 0; }
    ask();
  };
  key.addEventListener("pointermove", move);
  key.addEventListener("lostpointercapture", end, { once: true });
}

function people(one) {
  const select = byId("person");
  select.replaceChildren();
  for (const name of DATA.people) element("option", { value: name }, select, name);
  select.value = person = one;
}
byId("person").addEventListener("change", (event) => { person = event.target.value; ask(); });
byId("random").addEventListener("click", async () => {
  const answer = await post("/random", JSON.stringify({ seed: Math.floor(Math.random() * 1e6) }));
  if (!answer.ok) { say(await answer.text()); return; }
  const { name } = await answer.json();
  DATA.people = DATA.people.filter((known) => !known.startsWith("random ")).concat(name);
  people(name);
  ask();
});

// A picture becomes a person, which takes a while; what the server says of it is shown meanwhile.
let fitting = false;
async function upload(file) {
  if (!file || fitting) return;
  fitting = true;
  byId("upload").disabled = true;
  try {
    const answer = await post("/person", file);
    if (!answer.ok) throw new Error(await answer.text());
    for (;;) {
      const { stage, done, total: all, name, error } = await (await post("/fitting", "{}")).json();
      if (error) throw new Error(error);
      if (name) {
        DATA.people = DATA.people.filter((known) => known !== name).concat(name);
        people(name);
        say(`${name}: press Play to see it move`);
        break;
      }
      say(`finding the person in the picture: ${stage} ${all ? `${done} of ${all}` : ""}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  } catch (error) {
    say(error.message);
  }
  byId("upload").disabled = false;
  setTimeout(() => { fitting = false; ask(); }, 1500);
}
byId("upload").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => { upload(event.target.files[0]); event.target.value = ""; });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => { event.preventDefault(); upload(event.dataTransfer.files[0]); });

byId("reset").addEventListener("click", () => change(() => DATA.names.forEach((_, i) => holdKey(i, 0))));
byId("release").addEventListener("click", () => change(() => keys.clear()));
byId("undo").addEventListener("click", undo);
byId("redo").addEventListener("click", redo);
byId("mode").addEventListener("click", () => mode(!keyed));
function mode(on) {
  keyed = on;
  byId("mode").classList.toggle("on", on);
  byId("mode").setAttribute("aria-pressed", String(on));
}
const addKey = () => change(() => setKey(chosen, frame, valueAt(chosen, frame)));
const removeKey = () => { if ((keys.get(chosen) || []).some(([at]) => at === frame)) change(() => dropKey(chosen, frame)); };
const ownKey = () => change(() => { putKey(chosen, frame, null); dropKey(chosen, -1); });

function compare(on) {
  if (comparing === on) return;
  comparing = on;
  byId("compare").classList.toggle("on", on);
  ask();
}
byId("compare").addEventListener("pointerdown", () => compare(true));
for (const end of ["pointerup", "pointercancel", "blur"]) window.addEventListener(end, () => compare(false));

function seek(to) {
  frame = Math.min(Math.max(to, 0), total - 1);
  if (playing) start();
  ask();
}
const play = () => { if (playing) playing = null; else start(); paint(); };
const SHORTCUTS = {
  " ": play, ",": () => seek(frame - 1), ".": () => seek(frame + 1), "[": () => seek(nextKey(frame, -1)),
  "]": () => seek(nextKey(frame, 1)), k: addKey, o: ownKey, m: () => mode(!keyed), Delete: removeKey,
  Backspace: removeKey, Home: () => seek(0), End: () => seek(total - 1), ArrowLeft: () => seek(frame - 1),
  ArrowRight: () => seek(frame + 1), c: () => compare(true),
};
document.addEventListener("keydown", (event) => {
  const { target, key } = event, command = event.ctrlKey || event.metaKey;
  if (target.tagName === "SELECT" || event.altKey) return;
  if (command && key.toLowerCase() === "z") { event.preventDefault(); (event.shiftKey ? redo : undo)(); return; }
  if (command && key === "y") { event.preventDefault(); redo(); return; }
  if (command || !(key in SHORTCUTS)) return;
  if (target.tagName === "INPUT" && /^(Arrow|Home|End)/.test(key)) return; // a slider's own
  if (key === " " && (target.tagName === "BUTTON" || target.tagName === "SUMMARY")) return;
  event.preventDefault();
  SHORTCUTS[key]();
});
document.addEventListener("keyup", (event) => { if (event.key === "c") compare(false); });

async function save(path, request, ending) {
  const answer = await post(path, JSON.stringify(request));
  if (!answer.ok) { say(await answer.text()); return; }
  const url = URL.createObjectURL(await answer.blob());
  const name = DATA.name.replace(/\.fcv$/i, "") + ending;
  element("a", { href: url, download: name }, document.body).click();
  document.body.lastChild.remove();
  say(`saved as ${name}`);
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
byId("save-picture").addEventListener("click", () => save("/picture", { controls: controls(), person }, `.${frame + 1}.png`));
byId("save-stream").addEventListener("click", () => save("/stream", { keys: told(), person }, ".edited.fcv"));
byId("seek").addEventListener("input", (event) => seek(+event.target.value));

// Playing keeps to the clock: frames that cannot be rendered in time are left out.
function start() { playing = { at: performance.now(), from: DATA.times[frame] }; }
function tick() {
  if (playing) {
    const time = playing.from + (performance.now() - playing.at) / 1000;
    let next = frame;
    while (next + 1 < total && DATA.times[next + 1] <= time) next++;
    if (next === total - 1) { next = 0; frame = 0; start(); }
    if (next !== frame && under < most()) { frame = next; ask(); }
  }
  requestAnimationFrame(tick);
}
byId("play").addEventListener("click", play);

byId("title").textContent = DATA.name;
byId("seek").max = total - 1;
people(DATA.people[0]);
sliders();
ask();
tick();
document.body.dataset.ready = "yes";
