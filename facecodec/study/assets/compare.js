"use strict";
const COLORS = { x264: "#f6ad55", x265: "#fc8181", svtav1: "#63b3ed", vp9: "#b794f4" };
const OURS = "#4fd1c5";

function curves() {
  const byName = new Map();
  for (const p of DATA.points) {
    const rival = p.codec in COLORS;
    const name = rival ? `${p.codec}${p.scale < 1 ? ` at ${p.scale}` : ""}` : "facecodec";
    if (!byName.has(name))
      byName.set(name, { name, color: rival ? COLORS[p.codec] : OURS, dash: rival && p.scale < 1 ? "5 4" : "",
        dots: rival ? 3 : 5.5, width: rival ? 1.7 : 2.6, source: [] });
    byName.get(name).source.push(p);
  }
  for (const c of byName.values()) c.source.sort((a, b) => a.kbps - b.kbps);
  return [...byName.values()];
}

const legend = document.getElementById("legend"), grid = document.getElementById("charts");
const all = curves();
for (const c of all) {
  const item = element("span", {}, legend);
  element("i", { style: `border-color:${c.color};${c.dash ? "border-top-style:dashed" : ""}` }, item);
  item.append(c.name);
}
// all panels first: a chart is drawn at the width its panel has among the others
const hosts = DATA.measures.map((m) => element("div", { class: "panel", "data-measure": m.name }, grid));
DATA.measures.forEach((measure, i) => {
  const series = all.map((c) => ({ ...c, points: c.source.map((p) => [p.kbps, p.values[measure.name] ?? NaN]) }));
  element("h3", {}, hosts[i], measure.title);
  element("p", { class: "muted" }, hosts[i], `${measure.better} is better`);
  lineChart(element("div", {}, hosts[i]), { series, height: 250, x: { label: "kbps", log: true }, y: {},
    nearest: true, empty: DATA.missing });
});
