// What all players of a page share: the generator, the rig, the kernels; and workers that draw.

import { Network } from "./network.js";
import { kernelsName } from "./renderer.js";

/** @typedef {{ latent: Float32Array, tuning: Uint8Array | null }} Likeness */
/** @typedef {{ pixels: Uint8ClampedArray<ArrayBuffer>, size: number, ms: number }} Drawn */

const MOST_WORKERS = 4;
const SMOOTHING = 0.2; // share of the newest in a smoothed time

/** The generator and what belongs to it. */
export class Engine {
  /**
   * @param {import("./network.js").Manifest} manifest
   * @param {ArrayBuffer} buffer
   * @param {import("./person.js").Rig} rig
   * @param {WebAssembly.Module} kernels
   */
  constructor(manifest, buffer, rig, kernels) {
    this.manifest = manifest;
    this.buffer = buffer;
    this.rig = rig;
    this.kernels = kernels;
    this.mean = new Network(manifest, buffer).tensor("w_mean");
  }

  /**
   * Load a generator; a second call for the same one gives the first's.
   * @param {string} folder its address, with a slash at the end
   * @param {(share: number) => void} progress called with what has come, from 0 to 1
   * @returns {Promise<Engine>}
   */
  static load(folder, progress) {
    const known = loading.get(folder);
    if (known) {
      known.watchers.push(progress);
      return known.engine;
    }
    const watchers = [progress];
    const engine = load(folder, (share) => watchers.forEach((watch) => watch(share)));
    loading.set(folder, { engine, watchers });
    engine.catch(() => loading.delete(folder));
    return engine;
  }
}

/** @type {Map<string, { engine: Promise<Engine>, watchers: ((share: number) => void)[] }>} */
const loading = new Map();

/**
 * @param {string} folder
 * @param {(share: number) => void} progress
 */
async function load(folder, progress) {
  const manifest = await (await answered(`${folder}generator.json`)).json();
  const [buffer, rig, kernels] = await Promise.all([
    counted(await answered(`${folder}generator.bin`), manifest.bytes, progress),
    answered(`${folder}rig.json`).then((answer) => answer.json()),
    answered(new URL(kernelsName(), import.meta.url).href)
      .then((answer) => answer.arrayBuffer())
      .then((bytes) => WebAssembly.compile(bytes)),
  ]);
  return new Engine(manifest, buffer, rig, kernels);
}

/** @param {string} url */
async function answered(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  return answer;
}

/**
 * The bytes of an answer, told as they come.
 * @param {Response} answer
 * @param {number} bytes that there are
 * @param {(share: number) => void} progress
 */
async function counted(answer, bytes, progress) {
  const out = new Uint8Array(bytes);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > bytes) throw new Error("the generator's file is longer than it says");
    out.set(value, at);
    at += value.length;
    progress(at / bytes);
  }
  if (at < bytes) throw new Error("the generator's file is not whole");
  return out.buffer;
}

/** Workers that draw one person at one size. */
export class Pool {
  /**
   * @param {Engine} engine
   * @param {Likeness} person
   * @param {number} size
   * @param {(message: string) => void} failed
   */
  constructor(engine, person, size, failed) {
    const cores = globalThis.navigator?.hardwareConcurrency ?? 2;
    this.size = size;
    this.failed = failed;
    const { manifest, buffer, rig, kernels } = engine;
    /** whether a GPU draws */
    this.gpu = false;
    const workers = Math.min(Math.max(cores, 1), MOST_WORKERS);
    this.workers = Array.from({ length: workers }, (_, i) => {
      const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
      // the last one tries the GPU, so that another draws the first picture meanwhile
      worker.postMessage({ type: "begin", manifest, buffer, rig, kernels, ...person, size, workers, gpu: i === workers - 1 });
      return this.member(worker);
    });
    /** seconds that a picture takes, smoothed; 0 before the first */
    this.seconds = 0;
    /** seconds that a picture's time differs from that, smoothed */
    this.spread = 0;
    /** called when a worker has nothing to do */
    this.onidle = () => {};
  }

  /** @param {Worker} worker */
  member(worker) {
    const member = {
      worker,
      idle: false,
      size: 0, // that it draws
      /** @type {((drawn: Drawn | null) => void) | null} */
      resolve: null,
    };
    worker.onerror = (event) => this.failed(event.message || "the worker could not be started");
    worker.onmessage = ({ data }) => {
      if (data.type === "error") {
        this.failed(data.message);
        return;
      }
      if (data.type === "picture") {
        const seconds = data.ms / 1000;
        if (data.size === this.size) this.measure(seconds);
        member.resolve?.(data);
        member.resolve = null;
      } else {
        member.size = data.size;
        if (data.gpu && !this.gpu) this.alone(member);
      }
      member.idle = member.size === this.size;
      if (member.idle) this.onidle();
    };
    return member;
  }

  /**
   * Have one worker draw alone, since it is faster than all others together.
   * @param {(typeof this.workers)[0]} member
   */
  alone(member) {
    const others = this.workers.filter((one) => one !== member);
    this.workers = [member];
    this.gpu = true;
    [this.seconds, this.spread] = [0, 0];
    for (const { worker, resolve } of others) {
      worker.terminate();
      resolve?.(null);
    }
  }

  /** @param {number} seconds that a picture took */
  measure(seconds) {
    if (!this.seconds) this.seconds = seconds;
    const off = seconds - this.seconds;
    this.seconds += SMOOTHING * off;
    this.spread += SMOOTHING * (Math.abs(off) - this.spread);
  }

  /** Seconds from asking for a picture until it is there, nearly always. */
  get latency() {
    return this.seconds + 2 * this.spread;
  }

  get idle() {
    return this.workers.some((one) => one.idle);
  }

  /**
   * Draw with a worker that is idle; there shall be one. Gives null where that was stopped.
   * @param {Float32Array} controls
   * @returns {Promise<Drawn | null>}
   */
  draw(controls) {
    const member = this.workers.find((one) => one.idle);
    if (!member) throw new Error("no worker is idle");
    member.idle = false;
    return new Promise((resolve) => {
      member.resolve = resolve;
      member.worker.postMessage({ type: "draw", controls });
    });
  }

  /** @param {number} size */
  resize(size) {
    if (size === this.size) return;
    this.size = size;
    this.seconds = 0;
    this.spread = 0;
    for (const member of this.workers) {
      member.idle = false;
      member.worker.postMessage({ type: "size", size });
    }
  }

  close() {
    for (const { worker } of this.workers) worker.terminate();
    this.workers = [];
  }
}
