/**
 * The protocol that every contender speaks: one runtime, loaded with one case, in a process of its own. Not a measurement by
 * itself: `contender.ts` starts the process and says when to run. Plain JavaScript, so that any Node runs it as it is.
 *
 * Started as `node NAME.mjs JOB`, JOB being JSON `{ threads, folder?, picture?, operator?, calls? }`. It loads, runs once and
 * answers on standard output, one line of JSON each:
 *   { kind: "ready", name, version, runtime, loadMs, firstMs, output, detections }
 *       output: base64 of little-endian f32; where the job has a picture's path it is empty, and detections are its boxes
 * and then one line for each line `{ "do": ... }` of standard input:
 *   "run"    -> { kind: "ran", ms, cpuMs, idleCpuMs }    wall time, CPU time of all threads, CPU time since the last run;
 *                                                        of one call, where the job says that a run is several `calls`
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
 * Loads with `load({ ...job, case, shape, input })` and serves until told to close. For a job with a folder, `case` is its
 * case.json, `shape` is [1, 3, H, W] and `input` the picture of that shape, NCHW, Float32Array, which is not read for a job
 * with a picture of its own. `load` gives `{ name, version, run, output, detect, close }`: `run` gives output0 unless there
 * is an `output` that does; `detect(path)` gives the boxes of a picture's file and is wanted for jobs with a picture alone.
 */
export async function serve(load) {
  const job = JSON.parse(process.argv[2]);
  const { folder, picture, calls = 1 } = job;
  const files = folder === undefined ? {} : readFiles(folder, picture === undefined);
  const start = performance.now();
  const contender = await load({ ...job, ...files });
  const loaded = performance.now();
  const first = await (picture === undefined ? contender.run() : contender.detect(picture));
  const { name, version } = contender;
  const times = { loadMs: loaded - start, firstMs: performance.now() - loaded };
  const result = async () => encode(await (contender.output ?? contender.run)());
  await say({
    kind: "ready",
    name,
    version,
    runtime: `Node ${process.versions.node}`,
    ...times,
    output: picture !== undefined ? "" : contender.output ? await result() : encode(first),
    detections: picture === undefined ? [] : first,
  });

  let atRest = process.cpuUsage();
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line).do;
    if (request === "run") {
      const idle = process.cpuUsage(atRest);
      const before = process.cpuUsage();
      const from = performance.now();
      for (let i = 0; i < calls; i++) await contender.run();
      const ms = (performance.now() - from) / calls;
      await say({
        kind: "ran",
        ms,
        cpuMs: milliseconds(process.cpuUsage(before)) / calls,
        idleCpuMs: milliseconds(idle),
      });
      atRest = process.cpuUsage();
    } else if (request === "output") await say({ kind: "output", output: await result() });
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

/** What a case's folder holds for a contender; read here alike for all of them. */
function readFiles(folder, withInput) {
  const facts = JSON.parse(readFileSync(join(folder, "case.json"), "utf8"));
  return {
    case: facts,
    ...(withInput ? readImages(join(folder, "input.safetensors")) : { shape: [1, 3, ...facts.size] }),
  };
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
