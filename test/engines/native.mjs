/** Runs the cases in Node, Deno or Bun, on the built package; one JSON line a result. Arguments: numbers of threads. */
import { readFileSync } from "node:fs";
import * as backend from "../../dist/backend/index.js";
import * as compile from "../../dist/compile/index.js";
import * as image from "../../dist/image/index.js";
import * as main from "../../dist/index.js";
import * as models from "../../dist/models/index.js";
import * as nn from "../../dist/nn/index.js";
import * as ops from "../../dist/ops/index.js";
import * as tensor from "../../dist/tensor/index.js";
import * as weights from "../../dist/weights/index.js";
import { runCases } from "./cases.mjs";
import { FILES } from "./files.mjs";

const read = (path) => new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url)));
const files = Object.fromEntries(Object.entries(FILES).map(([name, path]) => [name, read(path)]));
const library = { main, backend, compile, image, models, nn, ops, tensor, weights };
const threads = JSON.parse(process.argv[2]);
await runCases(library, files, threads, (result) => console.log(JSON.stringify(result)));
