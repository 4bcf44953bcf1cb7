// A worker that draws one person: in WebAssembly, or on a GPU where that is faster and right.

import { GpuRenderer } from "./gpu.js";
import { Network } from "./network.js";
import { Person } from "./person.js";
import { Renderer } from "./renderer.js";

const LIKE = 40; // dB that a GPU's picture is at least like that of WebAssembly

/** @type {Person} */
let person;
/** @type {Renderer | GpuRenderer} */
let renderer;
/** @type {WebAssembly.Module} */
let kernels;
/** @type {any} */
let device = null; // a GPUDevice, where it is the faster one

/** @param {number} size */
function make(size) {
  if (renderer instanceof GpuRenderer) renderer.close();
  renderer = device ? new GpuRenderer(device, person.network, size) : new Renderer(kernels, person.network, size);
}

/** @param {number} size */
function ready(size) {
  make(size);
  postMessage({ type: "ready", size, gpu: device !== null });
}

/** @param {Float32Array} styles */
async function drawn(styles) {
  try {
    return await renderer.draw(styles);
  } catch (error) {
    if (!device) throw error;
    device = null; // a GPU may be lost at any time
    make(renderer.size);
    return renderer.draw(styles);
  }
}

/**
 * A GPU that draws right, and faster than all workers together; else null.
 * @param {number} size
 * @param {number} workers
 */
async function fasterDevice(size, workers) {
  const found = await GpuRenderer.device();
  if (!found) return null;
  const styles = person.at(person.basis.map(() => 0));
  const [ours, theirs] = [new Renderer(kernels, person.network, size), new GpuRenderer(found, person.network, size)];
  const wanted = ours.draw(styles);
  const got = await theirs.draw(styles); // compiles the shaders too
  let error = 0;
  for (let i = 0; i < got.length; i += 1) error += (got[i] - wanted[i]) ** 2;
  const like = 10 * Math.log10(255 ** 2 / Math.max(error / got.length, 1e-9));
  const begin = performance.now();
  ours.draw(styles);
  const between = performance.now();
  await theirs.draw(styles);
  const [cpu, gpu] = [between - begin, performance.now() - between];
  theirs.close();
  return like > LIKE && gpu * workers < cpu ? found : null;
}

/** @param {any} message */
async function answer(message) {
  if (message.type === "begin") {
    const { manifest, buffer, rig, latent, tuning, size, workers, gpu } = message;
    ({ kernels } = message);
    person = await Person.of(new Network(manifest, buffer), rig, latent, tuning);
    if (gpu) device = await fasterDevice(size, workers).catch(() => null);
    ready(size);
  } else if (message.type === "size") ready(message.size);
  else {
    const begin = performance.now();
    const pixels = await drawn(person.at(message.controls));
    const ms = performance.now() - begin;
    postMessage({ type: "picture", pixels, size: renderer.size, ms }, { transfer: [pixels.buffer] });
  }
}

// one after the other, as they came
let queue = Promise.resolve();
addEventListener("message", ({ data }) => {
  queue = queue.then(() => answer(data)).catch((error) => postMessage({ type: "error", message: String(error?.message ?? error) }));
});
