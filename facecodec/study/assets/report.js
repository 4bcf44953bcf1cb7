"use strict";
const ROW = 15; // pixels of a control's row
// standard deviations of the full colour: all but a fiftieth of the values stay below
const LIMIT = (() => {
  const sizes = DATA.controls.flat().map(Math.abs).sort((a, b) => a - b);
  return Math.max(2, sizes[Math.floor(sizes.length * 0.98)]);
})();
const byId = (id) => document.getElementById(id);
const total = DATA.times.length;
const charts = [];
let frame = 0, chosen = 0, region = "all", rows = [], detail = null;

// --- the player -------------------------------------------------------------------------------
const video = byId("video"), seek = byId("seek"), play = byId("play");
seek.max = total - 1;
const frameAt = (time) => {
  let low = 0, high = total - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (DATA.times[middle] <= time + 1e-3) low = middle; else high = middle - 1;
  }
  return low;
};
function show(index) {
  frame = index;
  seek.value = index;
  const q = DATA.series.psnr_face;
  const quality = q && q[index] !== null ? `  ${q[index].toFixed(1)} dB` : "";
  byId("clock").textContent = `frame ${index + 1} / ${total}  ${DATA.times[index].toFixed(2)} s${quality}`;
  for (const chart of charts) chart.setCursor(DATA.times[index]);
  if (detail) detail.setCursor(DATA.times[index]);
  byId("playhead").style.left = `${((index + 0.5) / total) * 100}%`;
}
function seekTo(time) {
  const index = frameAt(time);
  const next = index + 1 < total ? DATA.times[index + 1] : DATA.seconds;
  video.currentTime = (DATA.times[index] + next) / 2; // the middle of the frame, clear of rounding
  show(index);
}
const toggle = () => (video.paused ? video.play() : video.pause());
play.addEventListener("click", toggle);
video.addEventListener("click", toggle);
video.addEventListener("play", () => (play.textContent = "Pause"));
video.addEventListener("pause", () => (play.textContent = "Play"));
seek.addEventListener("input", () => seekTo(DATA.times[+seek.value]));
byId("rate").addEventListener("click", (event) => {
  const next = { 1: 0.5, 0.5: 0.25, 0.25: 1 }[video.playbackRate] || 1;
  video.playbackRate = next;
  event.target.textContent = `${next}×`;
});
function follow() {
  if (!video.paused) show(frameAt(video.currentTime));
  requestAnimationFrame(follow);
}
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT") return;
  if (event.key === "ArrowRight") seekTo(DATA.times[Math.min(frame + 1, total - 1)]);
  else if (event.key === "ArrowLeft") seekTo(DATA.times[Math.max(frame - 1, 0)]);
  else if (event.key === " " && event.target.tagName !== "BUTTON") { toggle(); event.preventDefault(); }
});

// --- quality over time ------------------------------------------------------------------------
function qualityCharts() {
  const kinds = [["psnr_face", "PSNR, inner face (dB)", "#4fd1c5"], ["ssim_face", "SSIM, inner face", "#63b3ed"],
    ["lip_error", "Lip error, of the eyes' distance", "#fc8181"]];
  for (const [name, title, color] of kinds) {
    const values = DATA.series[name];
    if (!values) continue;
    const host = element("div", { "data-chart": name }, byId("quality"));
    const points = values.map((v, i) => [DATA.times[i], v === null ? NaN : v]);
    const marks = name === "psnr_face" ? DATA.worst.map((w) => ({ x: DATA.times[w.frame], y: values[w.frame] })) : [];
    charts.push(lineChart(host, { title, height: name === "psnr_face" ? 200 : 130, x: { label: "seconds" }, y: {},
      series: [{ name: title, color, points }], marks: marks.filter((m) => m.y !== null), onseek: seekTo }));
  }
}

// --- controls over time -----------------------------------------------------------------------
function color(value) {
  const share = Math.max(-1, Math.min(1, value / LIMIT)), strength = Math.abs(share) ** 0.8;
  const [r, g, b] = share < 0 ? [79, 209, 197] : [246, 173, 85];
  return [22, 27, 34].map((base, i) => Math.round(base + ([r, g, b][i] - base) * strength));
}
function heat() {
  rows = DATA.names.map((_, i) => i).filter((i) => region === "all" || DATA.regions[i] === region);
  const canvas = byId("heat"), context = canvas.getContext("2d");
  canvas.width = total;
  canvas.height = rows.length;
  canvas.style.height = `${rows.length * ROW}px`;
  const image = context.createImageData(total, rows.length);
  rows.forEach((control, y) => {
    for (let x = 0; x < total; x++) {
      const at = 4 * (y * total + x);
      [image.data[at], image.data[at + 1], image.data[at + 2]] = color(DATA.controls[x][control]);
      image.data[at + 3] = 255;
    }
  });
  context.putImageData(image, 0, 0);
  const names = byId("rows");
  names.replaceChildren();
  for (const i of rows) {
    const button = element("button", { "data-control": i, title: `${DATA.names[i]}: ${DATA.regions[i]}` }, names, DATA.names[i]);
    button.style.borderLeft = `3px solid ${REGION[DATA.regions[i]] || "#888"}`;
    button.style.paddingLeft = "7px";
    if (i === chosen) button.classList.add("on");
    button.addEventListener("click", () => choose(i));
  }
}
function choose(control) {
  chosen = control;
  for (const button of byId("rows").children) button.classList.toggle("on", +button.dataset.control === control);
  const host = byId("detail-chart");
  host.replaceChildren();
  const points = DATA.controls.map((c, i) => [DATA.times[i], c[control]]);
  detail = lineChart(host, { title: `${DATA.names[control]} (${DATA.regions[control]}), standard deviations`,
    height: 200, x: { label: "seconds" }, y: {}, onseek: seekTo,
    series: [{ name: DATA.names[control], color: REGION[DATA.regions[control]] || "#4fd1c5", points }] });
  detail.setCursor(DATA.times[frame]);
  const [low, high] = DATA.effects[control], amount = DATA.amounts[control];
  const strip = byId("effect");
  strip.replaceChildren();
  for (const [source, text] of [[low, `−${amount}`], [DATA.identity, "0"], [high, `+${amount}`]]) {
    const figure = element("figure", {}, strip);
    element("img", { src: source, alt: `${DATA.names[control]} at ${text}` }, figure);
    element("figcaption", {}, figure, text);
  }
}
function chips() {
  for (const name of ["all", ...new Set(DATA.regions)]) {
    const count = name === "all" ? DATA.names.length : DATA.regions.filter((r) => r === name).length;
    const button = element("button", { "data-region": name }, byId("chips"), `${name} ${count}`);
    button.classList.toggle("on", name === region);
    button.addEventListener("click", () => {
      region = name;
      for (const other of byId("chips").children) other.classList.toggle("on", other === button);
      heat();
      if (!rows.includes(chosen)) choose(rows[0]);
    });
  }
}
function heatEvents() {
  const canvas = byId("heat"), tip = byId("heat-tip");
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const x = Math.min(total - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * total)));
    const y = Math.min(rows.length - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * rows.length)));
    return [x, rows[y], event.clientX - box.left, event.clientY - box.top, box.width];
  };
  canvas.addEventListener("pointermove", (event) => {
    const [x, control, left, top, width] = at(event);
    tip.textContent = `${DATA.names[control]}  ${DATA.controls[x][control].toFixed(2)}  at ${DATA.times[x].toFixed(2)} s`;
    tip.style.left = `${Math.min(left + 12, width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${Math.max(0, top - 34)}px`;
    tip.style.opacity = 1;
    if (event.buttons) seekTo(DATA.times[x]);
  });
  canvas.addEventListener("pointerleave", () => (tip.style.opacity = 0));
  canvas.addEventListener("pointerdown", (event) => {
    const [x, control] = at(event);
    choose(control);
    seekTo(DATA.times[x]);
  });
}

// --- pictures ---------------------------------------------------------------------------------
function worst() {
  for (const { frame: index, picture } of DATA.worst) {
    const figure = element("figure", { class: "panel", tabindex: 0 }, byId("worst"));
    element("img", { src: picture, alt: `frame ${index}: reference, decoded, difference` }, figure);
    const value = DATA.series.psnr_face[index];
    element("figcaption", {}, figure, `frame ${index + 1}, ${DATA.times[index].toFixed(2)} s${value === null ? "" : `, ${value.toFixed(1)} dB`}`);
    figure.addEventListener("click", () => seekTo(DATA.times[index]));
  }
}
function cards() {
  DATA.effects.forEach(([low, high], i) => {
    const card = element("button", { class: "card", "data-control": i }, byId("cards"));
    const pair = element("div", { class: "pair" }, card);
    for (const [source, text] of [[low, `−${DATA.amounts[i]}`], [high, `+${DATA.amounts[i]}`]])
      element("img", { src: source, alt: `${DATA.names[i]} at ${text}` }, pair);
    element("b", {}, card, DATA.names[i]);
    element("span", {}, card, `${DATA.regions[i]}, moves ${DATA.spread[i].toFixed(2)} sd here`);
    card.addEventListener("click", () => {
      if (region !== "all") byId("chips").firstChild.click();
      choose(i);
      byId("controls").scrollIntoView({ behavior: "smooth" });
    });
  });
}

qualityCharts();
chips();
heat();
heatEvents();
choose(DATA.spread.indexOf(Math.max(...DATA.spread)));
worst();
cards();
show(0);
follow();
document.body.dataset.ready = "yes";
