/**
 * The protocol that every contender speaks: one runtime, loaded with one case, in a process of its own. Not a measurement by
 * itself: `contender.ts` starts the process and says when to run. Plain JavaScript, so that any Node runs it as it is.
 *
 * Started as `node NAME.mjs JOB`, JOB being JSON `{ folder, threads }`. It loads, runs once and answers on standard output, one
 * line of JSON each:
 *   { kind: "ready", name, version, runtime, loadMs, firstMs, output }    output: base64 of little-endian f32
 * and then one line for each line `{ "do": ... }` of standard input:
 *   "run"    -> { kind: "ran", ms, cpuMs, idleCpuMs }    wall time, CPU time of all threads, CPU time since the last run
 *   "output" -> { kind: "output", output }               of one more, untimed run
 *   "memory" -> { kind: "memory", peakRssBytes }
 *   "close"  -> the process ends; so it does when standard input ends
 * Whatever a runtime prints goes to standard error.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

console.log = console.info = console.debug = console.error;

/**
 * Loads with `load({ case, folder, threads, shape, input })` and serves until told to close. `input` is the picture [1, 3, H, W],
 * NCHW, Float32Array; `case` is the folder's case.json. `load` gives `{ name, version, run, close }`, `run` the output0.
 */
export async function serve(load) {
  const job = JSON.parse(process.argv[2]);
  const { shape, input } = readImages(join(job.folder, "input.safetensors"));
  const start = performance.now();
  const contender = await load({
    ...job,
    case: JSON.parse(readFileSync(join(job.folder, "case.json"), "utf8")),
    shape,
    input,
  });
  const loaded = performance.now();
  const first = await contender.run();
  const { name, version } = contender;
  const times = { loadMs: loaded - start, firstMs: performance.now() - loaded };
  await say({
    kind: "ready",
    name,
    version,
    runtime: `Node ${process.versions.node}`,
    ...times,
    output: encode(first),
  });

  let atRest = process.cpuUsage();
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line).do;
    if (request === "run") {
      const idle = process.cpuUsage(atRest);
      const before = process.cpuUsage();
      const from = performance.now();
      await contender.run();
      const ms = performance.now() - from;
      await say({
        kind: "ran",
        ms,
        cpuMs: milliseconds(process.cpuUsage(before)),
        idleCpuMs: milliseconds(idle),
      });
      atRest = process.cpuUsage();
    } else if (request === "output") await say({ kind: "output", output: encode(await contender.run()) });
    else if (request === "memory") await say({ kind: "memory", peakRssBytes: peakRssBytes() });
    else break;
  }
  await contender.close();
  process.exit(0);
}

/** Resolves when the line has left: process.exit() would cut off what is still to be written to a pipe. */
function say(reply) {
  return new Promise((resolve) => process.stdout.write(`${JSON.stringify(reply)}\n`, () => resolve()));
}

function milliseconds({ user, system }) {
  return (user + system) / 1000;
}

function encode(numbers) {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).toString("base64");
}

/**
 * The most memory this process ever held. QUIRK: on Linux from /proc, because the maxRSS of getrusage() starts, in a child, at
 * what its parent held when it started it.
 */
function peakRssBytes() {
  if (process.platform === "linux") {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    if (kib) return Number(kib[1]) * 1024;
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** Shape and values of "images" [1, 3, H, W], f32, of a case's input file; read here alike for every contender. */
function readImages(path) {
  const bytes = readFileSync(path);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  const { shape, data_offsets } = JSON.parse(bytes.toString("utf8", 8, begin)).images;
  const input = new Float32Array(shape.reduce((product, size) => product * size, 1));
  new Uint8Array(input.buffer).set(bytes.subarray(begin + data_offsets[0], begin + data_offsets[1]));
  return { shape, input };
}
