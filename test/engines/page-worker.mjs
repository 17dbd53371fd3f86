/** Runs the cases in a browser's worker, where a thread may wait for others; posts one message a result, and one at the end. */
import * as backend from "../../dist/browser/backend.js";
import * as compile from "../../dist/browser/compile.js";
import * as image from "../../dist/browser/image.js";
import * as main from "../../dist/browser/index.js";
import * as models from "../../dist/browser/models.js";
import * as nn from "../../dist/browser/nn.js";
import * as ops from "../../dist/browser/ops.js";
import * as tensor from "../../dist/browser/tensor.js";
import * as weights from "../../dist/browser/weights.js";
import { runCases } from "./cases.mjs";
import { FILES } from "./files.mjs";

self.onmessage = async ({ data: threads }) => {
  try {
    const read = async (path) => new Uint8Array(await (await fetch(`/${path}`)).arrayBuffer());
    const entries = Object.entries(FILES).map(async ([name, path]) => [name, await read(path)]);
    const files = Object.fromEntries(await Promise.all(entries));
    const library = { main, backend, compile, image, models, nn, ops, tensor, weights };
    await runCases(library, files, threads, (result) => postMessage(result));
    postMessage({ done: true });
  } catch (error) {
    postMessage({ failed: `${error.stack ?? error}` });
  }
};
