"use strict";
const byId = (id) => document.getElementById(id);
const total = DATA.times.length;
const held = new Map(); // control -> the value a hand gave it; the others follow the stream
const inputs = [], outputs = [];
const past = []; // what was held before each change, for undo
let frame = 0, person = DATA.people[0], playing = null, wanted = null, busy = false, recent = [];
let comparing = false, dragged = -1;

const followed = (i) => comparing || !held.has(i);
const controls = () => DATA.controls[frame].map((value, i) => (followed(i) ? value : held.get(i)));

function remember() {
  past.push(new Map(held));
  if (past.length > 200) past.shift();
}
function undo() {
  if (!past.length) return;
  const before = past.pop();
  held.clear();
  before.forEach((value, i) => held.set(i, value));
  dragged = -1;
  ask();
}

// One picture is under way at a time; what changes meanwhile is rendered next, older wishes are dropped.
function ask() {
  wanted = { controls: controls(), person, since: performance.now() };
  paint();
  if (!busy) work();
}
async function work() {
  busy = true;
  while (wanted) {
    const job = wanted;
    wanted = null;
    try {
      const answer = await fetch("/render", { method: "POST", headers: { "X-Token": DATA.token },
        body: JSON.stringify({ controls: job.controls, person: job.person }) });
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
      byId("state").textContent = held.size ? `${held.size} held by hand, the others follow the stream` : "all controls follow the stream";
    } catch (error) {
      byId("state").textContent = error.message;
      playing = null;
    }
  }
  busy = false;
}

function paint() {
  const values = controls();
  inputs.forEach((input, i) => {
    if (document.activeElement !== input || !held.has(i)) input.value = values[i];
    outputs[i].textContent = values[i].toFixed(2);
    input.parentElement.classList.toggle("held", held.has(i));
  });
  byId("seek").value = frame;
  byId("clock").textContent = `${frame + 1} / ${total}  ${DATA.times[frame].toFixed(2)} s`;
  byId("play").textContent = playing ? "Pause" : "Play";
}

function sliders() {
  const host = byId("sliders");
  for (const region of [...new Set(DATA.regions)]) {
    element("div", { class: "group", style: `color:${REGION[region] || "#a3afbf"}` }, host, region);
    DATA.names.forEach((name, i) => {
      if (DATA.regions[i] !== region) return;
      const row = element("div", { class: "slider" }, host);
      element("label", { for: `c${i}`, title: `${name}; double-click lets go` }, row, name);
      inputs[i] = element("input", { type: "range", id: `c${i}`, min: -DATA.limit, max: DATA.limit, step: 0.02 }, row);
      outputs[i] = element("output", {}, row);
      inputs[i].addEventListener("input", () => {
        if (dragged !== i) remember(); // a whole drag is one change
        dragged = i;
        held.set(i, +inputs[i].value);
        ask();
      });
      inputs[i].addEventListener("change", () => { dragged = -1; });
      row.addEventListener("dblclick", () => { remember(); held.delete(i); ask(); });
    });
  }
}

function people(chosen) {
  const select = byId("person");
  select.replaceChildren();
  for (const name of DATA.people) element("option", { value: name }, select, name);
  select.value = person = chosen;
}
byId("person").addEventListener("change", (event) => { person = event.target.value; ask(); });
byId("random").addEventListener("click", async () => {
  const answer = await fetch("/random", { method: "POST", headers: { "X-Token": DATA.token },
    body: JSON.stringify({ seed: Math.floor(Math.random() * 1e6) }) });
  if (!answer.ok) { byId("state").textContent = await answer.text(); return; }
  const { name } = await answer.json();
  DATA.people = DATA.people.filter((known) => !known.startsWith("random ")).concat(name);
  people(name);
  ask();
});
byId("reset").addEventListener("click", () => { remember(); DATA.names.forEach((_, i) => held.set(i, 0)); ask(); });
byId("release").addEventListener("click", () => { remember(); held.clear(); ask(); });
byId("undo").addEventListener("click", undo);

function compare(on) {
  if (comparing === on) return;
  comparing = on;
  byId("compare").classList.toggle("on", on);
  ask();
}
byId("compare").addEventListener("pointerdown", () => compare(true));
for (const end of ["pointerup", "pointercancel", "blur"]) window.addEventListener(end, () => compare(false));
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "SELECT") return;
  if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); undo(); }
  else if (event.key === "c" && !event.ctrlKey && !event.metaKey) compare(true);
});
document.addEventListener("keyup", (event) => { if (event.key === "c") compare(false); });

async function save(path, request, ending) {
  const answer = await fetch(path, { method: "POST", headers: { "X-Token": DATA.token }, body: JSON.stringify(request) });
  if (!answer.ok) { byId("state").textContent = await answer.text(); return; }
  const url = URL.createObjectURL(await answer.blob());
  const name = DATA.name.replace(/\.fcv$/i, "") + ending;
  element("a", { href: url, download: name }, document.body).click();
  document.body.lastChild.remove();
  byId("state").textContent = `saved as ${name}`;
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
byId("save-picture").addEventListener("click", () => save("/picture", { controls: controls(), person }, `.${frame + 1}.png`));
byId("save-stream").addEventListener("click", () => save("/stream", { held: Object.fromEntries(held) }, ".edited.fcv"));
byId("seek").addEventListener("input", (event) => { frame = +event.target.value; if (playing) start(); ask(); });

// Playing keeps to the clock: frames that cannot be rendered in time are left out.
function start() { playing = { at: performance.now(), from: DATA.times[frame] }; }
function tick() {
  if (playing) {
    const time = playing.from + (performance.now() - playing.at) / 1000;
    let next = frame;
    while (next + 1 < total && DATA.times[next + 1] <= time) next++;
    if (next === total - 1) { next = 0; frame = 0; start(); }
    if (next !== frame && !busy) { frame = next; ask(); }
  }
  requestAnimationFrame(tick);
}
byId("play").addEventListener("click", () => { if (playing) playing = null; else start(); paint(); });

byId("title").textContent = DATA.name;
byId("seek").max = total - 1;
people(DATA.people[0]);
sliders();
ask();
tick();
document.body.dataset.ready = "yes";
