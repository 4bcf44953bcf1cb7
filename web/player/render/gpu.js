// Styles to pictures by WebGPU: the same network as kernels.c, one pass for each step.

import { BLOCKS } from "./network.js";
import { CODES, foldedHead, headBias, planBlocks, firstConv } from "./plan.js";

/** @typedef {import("./network.js").Network} Network */

const THREADS = 256; // of a group that takes channels one after the other
const TILE = 32; // pixels and channels of a group that makes products

const PARAMETERS = `
struct Parameters { side: u32, channels: u32, outputs: u32, depth: u32, finish: u32, pixels: u32 }
@group(0) @binding(0) var<uniform> p: Parameters;
@group(0) @binding(1) var<storage, read> from_map: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> to_map: array<vec4f>;
`;

/** @type {Record<string, string>} */
const SHADERS = {
  // 3x3 pixels of all channels side by side, times a style
  gather: `${PARAMETERS}
@group(0) @binding(3) var<storage, read> style: array<vec4f>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = p.channels / 4;
  let at = id.x;
  if (at >= p.pixels * 9 * n) { return; }
  let c = at % n;
  let tap = (at / n) % 9;
  let pixel = at / (9 * n);
  let x = i32(pixel % p.side) + i32(tap % 3) - 1;
  let y = i32(pixel / p.side) + i32(tap / 3) - 1;
  var v = vec4f();
  if (x >= 0 && y >= 0 && x < i32(p.side) && y < i32(p.side)) { v = from_map[u32(y * i32(p.side) + x) * n + c] * style[c]; }
  to_map[at] = v;
}`,
  // gain and inverse Haar transform
  haar: `${PARAMETERS}
@group(0) @binding(3) var<storage, read> up: array<vec4f>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = p.channels / 4;
  let half = p.side / 2;
  let at = id.x;
  if (at >= half * half * n) { return; }
  let c = at % n;
  let x = (at / n) % half;
  let y = at / (n * half);
  let base = (y * half + x) * 4 * n + c;
  let ll = from_map[base] * up[c];
  let lh = from_map[base + n] * up[n + c];
  let hl = from_map[base + 2 * n] * up[2 * n + c];
  let hh = from_map[base + 3 * n] * up[3 * n + c];
  let to = (2 * y * p.side + 2 * x) * n + c;
  to_map[to] = ll + lh + (hl + hh);
  to_map[to + n] = ll + lh - (hl + hh);
  to_map[to + p.side * n] = ll - lh + (hl - hh);
  to_map[to + p.side * n + n] = ll - lh - (hl - hh);
}`,
  // of a low block: gain alone, of the first channels
  low: `${PARAMETERS}
@group(0) @binding(3) var<storage, read> up: array<vec4f>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = p.channels / 4;
  if (id.x >= p.pixels * n) { return; }
  to_map[id.x] = from_map[(id.x / n) * (p.depth / 4) + id.x % n] * up[id.x % n];
}`,
  depthwise: `${PARAMETERS}
@group(0) @binding(3) var<storage, read> taps: array<vec4f>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = p.channels / 4;
  if (id.x >= p.pixels * n) { return; }
  let c = id.x % n;
  let x = i32((id.x / n) % p.side);
  let y = i32(id.x / (n * p.side));
  var sum = vec4f();
  for (var i = 0; i < 9; i++) {
    let fx = x + i % 3 - 1;
    let fy = y + i / 3 - 1;
    if (fx >= 0 && fy >= 0 && fx < i32(p.side) && fy < i32(p.side)) {
      sum += taps[u32(i) * n + c] * from_map[u32(fy * i32(p.side) + fx) * n + c];
    }
  }
  to_map[id.x] = sum;
}`,
  // pixels [pixels][channels] by weights [channels][outputs], and what follows a convolution
  product: `${PARAMETERS}
@group(0) @binding(3) var<storage, read> weights: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> noise: array<f32>;
var<workgroup> left: array<vec4f, ${TILE * 4}>; // [pixel][4 vectors of 16 channels]
var<workgroup> right: array<vec4f, ${16 * 8}>; // [channel][8 vectors of 32 outputs]
@compute @workgroup_size(8, 8) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let n = p.channels / 4;
  let m = p.outputs / 4;
  let thread = id.y * 8 + id.x;
  let first = group.x * ${TILE};
  let column = group.y * 8;
  var sums: array<vec4f, 4>;
  for (var k = 0u; k < n; k += 4) {
    for (var i = thread; i < ${TILE * 4}; i += 64) {
      let pixel = first + i / 4;
      let at = k + i % 4;
      left[i] = select(vec4f(), from_map[min(pixel, p.pixels - 1) * n + min(at, n - 1)], pixel < p.pixels && at < n);
    }
    for (var i = thread; i < 128; i += 64) {
      let row = 4 * k + i / 8;
      let at = column + i % 8;
      right[i] = select(vec4f(), weights[min(row, p.channels - 1) * m + min(at, m - 1)], row < p.channels && at < m);
    }
    workgroupBarrier();
    for (var j = 0u; j < 4; j++) {
      let a = right[(4 * j) * 8 + id.x];
      let b = right[(4 * j + 1) * 8 + id.x];
      let c = right[(4 * j + 2) * 8 + id.x];
      let d = right[(4 * j + 3) * 8 + id.x];
      for (var q = 0u; q < 4; q++) {
        let v = left[(4 * id.y + q) * 4 + j];
        sums[q] += v.x * a + v.y * b + v.z * c + v.w * d;
      }
    }
    workgroupBarrier();
  }
  let at = column + id.x;
  for (var q = 0u; q < 4; q++) {
    let pixel = first + 4 * id.y + q;
    if (pixel < p.pixels && at < m) {
      var v = sums[q] + bias[at];
      if (p.finish == 1) {
        v += noise[pixel];
        v = max(v, 0.2 * v);
      }
      to_map[pixel * m + at] = v;
    }
  }
}`,
  // codes [pixels][16] as colours, four bands to four pixels where `finish`
  paint: `
struct Parameters { side: u32, channels: u32, outputs: u32, depth: u32, finish: u32, pixels: u32 }
@group(0) @binding(0) var<uniform> p: Parameters;
@group(0) @binding(1) var<storage, read> codes: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> picture: array<u32>;
fn packed(v: vec4f) -> u32 {
  let levels = vec4u(clamp(round(v * 127.5 + 127.5), vec4f(), vec4f(255)));
  return levels.x | (levels.y << 8) | (levels.z << 16) | (levels.w << 24);
}
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= p.pixels) { return; }
  let ll = codes[4 * id.x];
  if (p.finish == 0) {
    picture[id.x] = packed(ll);
    return;
  }
  let lh = codes[4 * id.x + 1];
  let hl = codes[4 * id.x + 2];
  let hh = codes[4 * id.x + 3];
  let to = 4 * (id.x / p.side) * p.side + 2 * (id.x % p.side);
  picture[to] = packed(ll + lh + (hl + hh));
  picture[to + 1] = packed(ll + lh - (hl + hh));
  picture[to + 2 * p.side] = packed(ll - lh + (hl - hh));
  picture[to + 2 * p.side + 1] = packed(ll - lh - (hl - hh));
}`,
};

const USES = { STORAGE: 0x80, COPY_DST: 0x08, COPY_SRC: 0x04, UNIFORM: 0x40, MAP_READ: 0x01 }; // GPUBufferUsage
const READ = 1; // GPUMapMode

/** Draws with one network at one size on a GPU. */
export class GpuRenderer {
  /**
   * @param {any} device a GPUDevice
   * @param {Network} network
   * @param {number} size side of the pictures in pixels
   */
  constructor(device, network, size) {
    this.device = device;
    this.network = network;
    this.size = size;
    /** @type {{ pipeline: any, bind: any, groups: number[] }[]} */
    this.passes = [];
    /** @type {Record<string, any>} */
    this.pipelines = {};
    /** @type {any[]} */
    this.buffers = [];
    /** @type {((styles: Float32Array) => void)[]} */
    this.writes = []; // what is written for every frame
    this.build();
  }

  /**
   * A device; null where there is none.
   * @param {boolean} software whether one that computes on the processor will do, for tests
   * @returns {Promise<any>}
   */
  static async device(software = false) {
    const gpu = /** @type {any} */ (globalThis.navigator)?.gpu;
    const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return null;
    const slow = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
    return slow && !software ? null : adapter.requestDevice();
  }

  /**
   * Draw one picture.
   * @param {Float32Array} styles
   * @returns {Promise<Uint8ClampedArray<ArrayBuffer>>} RGBA [size][size][4]
   */
  async draw(styles) {
    const { device } = this;
    for (const write of this.writes) write(styles);
    const encoder = device.createCommandEncoder();
    for (const { pipeline, bind, groups } of this.passes) {
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bind);
      pass.dispatchWorkgroups(...groups);
      pass.end();
    }
    encoder.copyBufferToBuffer(this.picture, 0, this.staging, 0, 4 * this.size ** 2);
    device.queue.submit([encoder.finish()]);
    await this.staging.mapAsync(READ);
    const pixels = new Uint8ClampedArray(this.staging.getMappedRange().slice(0));
    this.staging.unmap();
    return pixels;
  }

  /** Give the memory back; the device stays. */
  close() {
    for (const buffer of this.buffers) buffer.destroy();
  }

  /**
   * @param {number} size bytes
   * @param {number} usage
   */
  buffer(size, usage) {
    const made = this.device.createBuffer({ size, usage });
    this.buffers.push(made);
    return made;
  }

  /** @param {number} floats */
  room(floats) {
    const { STORAGE, COPY_DST, COPY_SRC } = USES;
    return this.buffer(Math.max(16, 4 * floats), STORAGE | COPY_DST | COPY_SRC);
  }

  /** @param {Float32Array} values */
  put(values) {
    const buffer = this.room(values.length);
    this.device.queue.writeBuffer(buffer, 0, values);
    return buffer;
  }

  /**
   * Add a pass.
   * @param {string} name of its shader
   * @param {{ side: number, channels?: number, outputs?: number, depth?: number, active?: number }} given
   * @param {any[]} buffers from, to, and the constants
   * @param {number} items that its threads take; 0 for a product
   */
  pass(name, given, buffers, items) {
    const { device } = this;
    const { side, channels = 0, outputs = 0, depth = 0, active = 0 } = given;
    const pixels = side * side;
    const uniform = this.buffer(32, USES.UNIFORM | USES.COPY_DST);
    device.queue.writeBuffer(uniform, 0, Uint32Array.of(side, channels, outputs, depth, active, pixels));
    this.pipelines[name] ??= device.createComputePipeline({
      layout: "auto",
      compute: { module: device.createShaderModule({ code: SHADERS[name] }), entryPoint: "main" },
    });
    const pipeline = this.pipelines[name];
    const entries = [uniform, ...buffers].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const bind = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const groups = items ? [Math.ceil(items / THREADS), 1] : [Math.ceil(pixels / TILE), Math.ceil(outputs / TILE)];
    this.passes.push({ pipeline, bind, groups });
  }

  build() {
    const { network, size } = this;
    const layers = new Map(network.layers.map((layer) => [layer.name, layer]));
    /**
     * A buffer that is written for every frame, from the styles of a layer.
     * @param {string} layer
     * @param {number} count
     * @param {(style: Float32Array) => Float32Array} made
     */
    const styled = (layer, count, made) => {
      const buffer = this.room(count);
      const { offset, size: length } = /** @type {import("./network.js").Layer} */ (layers.get(layer));
      this.writes.push((styles) => {
        this.device.queue.writeBuffer(buffer, 0, made(styles.subarray(offset, offset + length)));
      });
      return buffer;
    };
    const plans = planBlocks(network, size);
    const most = (/** @type {(plan: (typeof plans)[0]) => number} */ of) => this.room(Math.max(...plans.map(of)));
    const source = most(({ side, channels }) => side * side * channels);
    const first = firstConv(network);
    const panel = this.room(Math.max(
      16 * 9 * first.inputs, ...plans.map(({ side, convs }) => side * side * Math.max(...convs.map((conv) => conv.inputs))),
    ));
    const between = most(({ side, convs }) => side * side * convs[0].order.length);
    const maps = [0, 1].map((k) => this.room(Math.max(
      16 * first.order.length, ...plans.filter((_, i) => i % 2 === k).map(({ side, convs }) => side * side * convs[1].order.length),
    )));
    const product = (
      /** @type {any} */ from, /** @type {any} */ to, /** @type {number} */ side, /** @type {number} */ channels,
      /** @type {Float32Array} */ weights, /** @type {Float32Array} */ bias, /** @type {Float32Array} */ noise,
    ) => this.pass(
      "product", { side, channels, outputs: bias.length, active: 1 }, [from, to, this.put(weights), this.put(bias), this.put(noise)], 0,
    );
    const style = styled("conv1", first.inputs, (values) => values);
    this.pass("gather", { side: 4, channels: first.inputs }, [this.put(first.map), panel, style], 16 * 9 * first.inputs / 4);
    product(panel, maps[1], 4, 9 * first.inputs, first.weights, first.bias, first.noise);
    plans.forEach((plan, k) => {
      const { side, channels, order, low } = plan;
      const up = styled(`${k}.up`, order.length, (values) => Float32Array.from(order, (from) => 0.5 * values[from]));
      const items = (low ? side * side : (side / 2) ** 2) * (channels / 4);
      this.pass(low ? "low" : "haar", { side, channels, depth: plan.depth }, [maps[1 - (k % 2)], source, up], items);
      plan.convs.forEach((conv, i) => {
        const { inputs, taps } = conv;
        const scaled = styled(conv.name, taps.length, (values) => taps.map((tap, at) => tap * values[at % inputs]));
        this.pass("depthwise", { side, channels: inputs }, [i ? between : source, panel, scaled], side * side * (inputs / 4));
        product(panel, i ? maps[k % 2] : between, side, inputs, conv.weights, conv.bias, conv.noise);
      });
    });
    const last = plans[BLOCKS - 1];
    const [depth, haar] = [last.convs[1].order.length, size === network.manifest.resolution];
    const given = network.tensor("to_img.weight");
    const weights = styled("to_img", CODES * depth, (values) => foldedHead(given, values, depth, haar));
    const codes = this.room(last.side ** 2 * CODES);
    const [from, bias] = [maps[(BLOCKS - 1) % 2], this.put(headBias(network, haar))];
    this.pass("product", { side: last.side, channels: depth, outputs: CODES, active: 0 }, [from, codes, weights, bias, this.put(new Float32Array(4))], 0);
    this.picture = this.room(size * size);
    this.pass("paint", { side: last.side, active: Number(haar) }, [codes, this.picture], last.side ** 2);
    this.staging = this.buffer(4 * size * size, USES.MAP_READ | USES.COPY_DST);
  }
}
