// Draws frames of a stream as the player does, into a file: RGBA, one picture after the other.
//
//     node draw.mjs FOLDER STREAM SIZE KERNELS PRODUCTS OUT FRAME...
//
// FOLDER: an exported folder. KERNELS: a .wasm file of the player. PRODUCTS: of integers or floats.

import { readFileSync, writeFileSync } from "node:fs";

import { parseIdentity } from "../player/format/person.js";
import { Stream } from "../player/format/stream.js";
import { Network } from "../player/render/network.js";
import { Person } from "../player/render/person.js";
import { Renderer } from "../player/render/renderer.js";

const [, , folder, path, size, kernels, products, out, ...frames] = process.argv;
const bytes = (/** @type {string} */ name) => new Uint8Array(readFileSync(name));
const json = (/** @type {string} */ name) => JSON.parse(readFileSync(name, "utf8"));

const network = new Network(json(`${folder}/generator/generator.json`), bytes(`${folder}/generator/generator.bin`).buffer);
const stream = new Stream(bytes(path));
const { rows, width } = stream.header;
const latent = parseIdentity(/** @type {Uint8Array} */ (stream.identity), rows, width, network.tensor("w_mean"));
const person = await Person.of(network, json(`${folder}/generator/rig.json`), latent, stream.tuning);
const renderer = new Renderer(new WebAssembly.Module(bytes(kernels)), person.network, Number(size), products === "integers");
const begin = performance.now();
const pictures = frames.map((frame) => new Uint8Array(renderer.draw(person.at(stream.frames[Number(frame)].controls)).buffer));
console.log(JSON.stringify({ ms: (performance.now() - begin) / frames.length }));
writeFileSync(out, Buffer.concat(pictures));
