// A worker that draws one person.

import { Network } from "./network.js";
import { Person } from "./person.js";
import { Renderer } from "./renderer.js";

/**
 * @typedef {object} Begin
 * @property {"begin"} type
 * @property {import("./network.js").Manifest} manifest
 * @property {ArrayBuffer} buffer
 * @property {import("./person.js").Rig} rig
 * @property {WebAssembly.Module} kernels
 * @property {Float32Array} latent
 * @property {Uint8Array | null} tuning
 * @property {number} size
 */

/** @type {Person} */
let person;
/** @type {Renderer} */
let renderer;
/** @type {WebAssembly.Module} */
let kernels;

/** @param {number} size */
function ready(size) {
  renderer = new Renderer(kernels, person.network, size);
  postMessage({ type: "ready", size });
}

/** @param {any} message */
async function answer(message) {
  if (message.type === "begin") {
    const { manifest, buffer, rig, latent, tuning, size } = /** @type {Begin} */ (message);
    ({ kernels } = message);
    person = await Person.of(new Network(manifest, buffer), rig, latent, tuning);
    ready(size);
  } else if (message.type === "size") ready(message.size);
  else {
    const begin = performance.now();
    const pixels = renderer.draw(person.at(message.controls));
    const ms = performance.now() - begin;
    postMessage({ type: "picture", pixels, size: renderer.size, ms }, { transfer: [pixels.buffer] });
  }
}

addEventListener("message", ({ data }) => {
  answer(data).catch((error) => postMessage({ type: "error", message: String(error?.message ?? error) }));
});
