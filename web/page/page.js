// The page around <face-video>: figures, sliders, the list of streams.

import "./player/face-video.js";

const RANGE = 4; // standard deviations that a slider goes to either side

/**
 * @template {Element} T
 * @param {string} selector
 * @returns {T}
 */
const find = (selector) => /** @type {T} */ (document.querySelector(selector));

/** @type {import("../player/face-video.js").FaceVideo} */
const face = find("#face");
/** @type {HTMLSelectElement} */
const size = find("#size");
/** @type {HTMLButtonElement} */
const release = find("#release");
/** @type {HTMLElement[]} */
let sliders = [];

find("#serve").remove(); // scripts run, so it is served

/** @param {HTMLElement} row */
const parts = (row) => ({
  input: /** @type {HTMLInputElement} */ (row.querySelector("input")),
  output: /** @type {HTMLOutputElement} */ (row.querySelector("output")),
});

/** A slider for every control, by the region of the face. */
function build() {
  const [titles, regions] = [face.controlTitles, face.controlRegions];
  sliders = titles.map((title, index) => {
    const row = document.createElement("div");
    row.className = "slider";
    const label = document.createElement("label");
    label.htmlFor = `control-${index}`;
    label.textContent = title;
    label.title = title;
    const input = document.createElement("input");
    Object.assign(input, { id: label.htmlFor, type: "range", min: -RANGE, max: RANGE, step: 0.05, value: "0" });
    row.append(label, document.createElement("output"), input);
    input.addEventListener("input", () => {
      row.classList.add("held");
      release.disabled = false;
      face.setControl(index, Number(input.value));
      follow();
    });
    input.addEventListener("dblclick", () => {
      row.classList.remove("held");
      face.setControl(index, null);
      release.disabled = !sliders.some((one) => one.classList.contains("held"));
      follow();
    });
    return row;
  });
  const groups = [...new Set(regions)].map((region, i) => {
    const group = document.createElement("details");
    group.open = i === 0;
    const summary = document.createElement("summary");
    summary.textContent = region;
    group.append(summary, ...sliders.filter((_, index) => regions[index] === region));
    return group;
  });
  find("#sliders").replaceChildren(...groups);
}

/** Sliders that nobody holds show what the stream says. */
function follow() {
  const values = face.controlValues;
  sliders.forEach((row, index) => {
    const { input, output } = parts(row);
    if (!row.classList.contains("held")) input.value = String(values[index]);
    output.textContent = Number(row.classList.contains("held") ? input.value : values[index]).toFixed(2);
  });
}

function figures() {
  const { framesPerSecond, kbps, pictureMs, size: side, workers, gpu } = face.stats;
  find("#fps").textContent = framesPerSecond ? framesPerSecond.toFixed(1) : "–";
  find("#kbps").textContent = kbps.toFixed(1);
  find("#ms").textContent = pictureMs ? pictureMs.toFixed(0) : "–";
  /** @type {HTMLElement} */ (find("#ms")).title = `${side} pixels, ${gpu ? "WebGPU" : `${workers} workers in WebAssembly`}`;
}

face.addEventListener("loadeddata", () => {
  build();
  follow();
  figures();
});
for (const name of ["timeupdate", "seeked", "resize"]) {
  face.addEventListener(name, () => {
    follow();
    figures();
  });
}
release.addEventListener("click", () => {
  for (const row of sliders) row.classList.remove("held");
  release.disabled = true;
  face.releaseControls();
  follow();
});
size.addEventListener("change", () => face.setAttribute("size", size.value));

/** @type {NodeListOf<HTMLAnchorElement>} */
const links = document.querySelectorAll("#streams a");
for (const link of links) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    for (const other of links) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    document.title = link.dataset.title ?? "";
    find("#heading").textContent = document.title;
    find("#facts").textContent = link.dataset.facts ?? "";
    release.disabled = true;
    face.poster = link.dataset.poster ?? "";
    face.src = link.getAttribute("href") ?? "";
  });
}

// A relay serves the page with a live stream beside it, at an address that says so.
if (new URLSearchParams(location.search).has("live")) {
  document.title = "Live";
  find("#heading").textContent = "Live";
  find("#facts").textContent = "as it comes";
  face.poster = "";
  face.autoplay = true;
  face.src = new URL("live", location.href.replace(/^http/, "ws")).href;
}
