"use strict";
// Charts without a library: SVG lines with a crosshair, and a tooltip that follows it.
const SVG = "http://www.w3.org/2000/svg";
// the colour of each region of controls (facecodec/rig/regions.py)
const REGION = { pose: "#4fd1c5", mouth: "#fc8181", jaw: "#f6ad55", eyes: "#63b3ed", brows: "#b794f4", gaze: "#9ae6b4", expression: "#f687b3" };

function node(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.appendChild(made);
  return made;
}

function element(name, attributes, parent, text) {
  const made = document.createElement(name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.appendChild(made);
  return made;
}

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const values = [];
  for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-6; t += step) values.push(t);
  return values;
}

function logTicks(low, high) {
  const values = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++)
    for (const m of [1, 2, 5]) {
      const t = m * 10 ** p;
      if (t >= low * 0.999 && t <= high * 1.001) values.push(t);
    }
  return values;
}

function padding(host) {
  const style = getComputedStyle(host);
  return parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
}

const short = (v, digits = 2) => String(Number(v.toFixed(Math.abs(v) >= 100 ? 0 : digits)));

// options: series [{name, color, dash, points [[x, y]], dots, line}], x {label, log}, y {label, low, high},
// height, title, onseek(x), marks [{x, label}], nearest (tooltip of the nearest point)
function lineChart(host, options) {
  host.classList.add("chart");
  // drawn at the size it is shown at, so that its letters are as large as the page's
  const width = Math.max(280, host.clientWidth - padding(host)), height = options.height || 220;
  const left = 46, right = 14, top = options.title ? 30 : 12, bottom = 34;
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" }, host);
  if (options.title) node("text", { x: left, y: 17, class: "title" }, svg, options.title);
  const all = options.series.flatMap((s) => s.points).filter((p) => Number.isFinite(p[1]));
  if (!all.length) {
    node("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, svg, options.empty || "n/a");
    return { setCursor() {} };
  }
  const log = options.x.log;
  const warp = log ? Math.log10 : (v) => v;
  let [x0, x1] = [Math.min(...all.map((p) => p[0])), Math.max(...all.map((p) => p[0]))];
  if (log) [x0, x1] = [x0 / 1.15, x1 * 1.15];
  if (x0 === x1) x1 = x0 + 1;
  let y0 = Math.min(...all.map((p) => p[1])), y1 = Math.max(...all.map((p) => p[1]));
  const pad = (y1 - y0) * 0.08 || 0.5;
  y0 = options.y.low ?? y0 - pad;
  y1 = options.y.high ?? y1 + pad;
  const px = (x) => left + ((warp(x) - warp(x0)) / (warp(x1) - warp(x0))) * (width - left - right);
  const py = (y) => top + (1 - (y - y0) / (y1 - y0)) * (height - top - bottom);
  for (const t of ticks(y0, y1, height > 180 ? 5 : 4)) {
    node("line", { x1: left, x2: width - right, y1: py(t), y2: py(t), class: "grid" }, svg);
    node("text", { x: left - 8, y: py(t) + 4, "text-anchor": "end" }, svg, short(t, 3));
  }
  for (const t of log ? logTicks(x0, x1) : ticks(x0, x1, width > 600 ? 10 : 4))
    node("text", { x: px(t), y: height - bottom + 17, "text-anchor": "middle" }, svg, short(t));
  node("text", { x: width - right, y: height - 3, "text-anchor": "end" }, svg, options.x.label);
  for (const mark of options.marks || [])
    node("circle", { cx: px(mark.x), cy: py(mark.y), r: 5, fill: "none", stroke: "#fc8181", "stroke-width": 2 }, svg);
  for (const s of options.series) {
    let path = "", open = false;
    for (const [x, y] of s.points) {
      if (!Number.isFinite(y)) { open = false; continue; }
      path += `${open ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`;
      open = true;
    }
    const style = { d: path, fill: "none", stroke: s.color, "stroke-width": s.width || 1.8, "stroke-linejoin": "round" };
    if (s.dash) style["stroke-dasharray"] = s.dash;
    if (s.line !== false) node("path", style, svg);
    if (s.dots)
      for (const [x, y] of s.points)
        if (Number.isFinite(y)) node("circle", { cx: px(x), cy: py(y), r: s.dots, fill: s.color }, svg);
  }
  const cursor = node("line", { x1: 0, x2: 0, y1: top, y2: height - bottom, class: "cursor", visibility: "hidden" }, svg);
  const tip = element("div", { class: "tip" }, host);
  const toX = (event) => {
    const box = svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * width - left) / (width - left - right);
    const w = warp(x0) + Math.min(1, Math.max(0, share)) * (warp(x1) - warp(x0));
    return log ? 10 ** w : w;
  };
  const toY = (event) => {
    const box = svg.getBoundingClientRect();
    return (event.clientY - box.top) / box.height * height;
  };
  svg.addEventListener("pointermove", (event) => {
    const x = toX(event), y = toY(event);
    let rows;
    if (options.nearest) {
      let best = null, distance = Infinity;
      for (const s of options.series) for (const p of s.points) {
        const d = Math.hypot(px(p[0]) - px(x), py(p[1]) - y);
        if (d < distance) [best, distance] = [[s, p], d];
      }
      rows = [best];
    } else {
      rows = options.series.map((s) => [s, s.points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a)]);
    }
    tip.replaceChildren();
    const head = element("div", { class: "muted" }, tip);
    head.textContent = `${options.x.label} ${short(rows[0][1][0])}`;
    for (const [s, p] of rows) {
      const row = element("div", {}, tip);
      element("span", { style: `color:${s.color}` }, row, "● ");
      row.append(`${s.name} ${Number.isFinite(p[1]) ? short(p[1], 3) : "n/a"}`);
    }
    const box = host.getBoundingClientRect();
    const at = event.clientX - box.left;
    tip.style.left = `${Math.min(at + 14, box.width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${Math.max(0, event.clientY - box.top - tip.offsetHeight - 12)}px`;
    tip.style.opacity = 1;
    if (event.buttons && options.onseek) options.onseek(x);
  });
  svg.addEventListener("pointerleave", () => (tip.style.opacity = 0));
  if (options.onseek) {
    svg.style.cursor = "pointer";
    svg.addEventListener("pointerdown", (event) => options.onseek(toX(event)));
  }
  return {
    setCursor(x) {
      cursor.setAttribute("x1", px(x));
      cursor.setAttribute("x2", px(x));
      cursor.setAttribute("visibility", "visible");
    },
  };
}
