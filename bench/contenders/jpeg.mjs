/**
 * A JPEG decoder in a process of its own, for ../jpeg.ts: `node jpeg.mjs mobiledetr|jpeg-js FILE`. For each line on standard
 * input it decodes once and answers with a line of JSON: the time in ms, and of the first also that of loading the decoder,
 * and the sha256 of the RGB bytes. It ends with its input.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [name, file] = process.argv.slice(2);
const bytes = new Uint8Array(readFileSync(file));

async function load() {
  if (name === "mobiledetr") {
    const { decodeImage } = await import("../../dist/image/index.js");
    return () => decodeImage(bytes).data;
  }
  const { decode } = (await import("jpeg-js")).default;
  const options = { useTArray: true, formatAsRGBA: false, maxResolutionInMP: 1e4, maxMemoryUsageInMB: 1e5 };
  return () => decode(bytes, options).data;
}

const start = performance.now();
const decode = await load();
let loadMs = performance.now() - start;
let sha256;
for await (const _ of createInterface({ input: process.stdin })) {
  const begin = performance.now();
  const data = decode();
  const ms = performance.now() - begin;
  sha256 ??= createHash("sha256").update(data).digest("hex");
  console.log(JSON.stringify({ ms, loadMs, sha256 }));
  loadMs = 0;
}
