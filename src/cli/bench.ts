/**
 * `mobiledetr bench`: how fast a model is on this machine. Cold times come from processes of their own; the rest is measured with
 * every detector loaded and one picture each in turn, so that what else the machine does meets all of them alike.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { type Detector, loadDetector } from "../detector/detector.ts";
import { countThreads } from "../detector/options.ts";
import type { Speed } from "../detector/pipeline.ts";
import { fail, messageOf } from "../errors.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { BASE_OPTIONS, detectorOptions } from "./detect-options.ts";
import { plural } from "./detection-text.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { jsonLine, printable } from "./printable.ts";
import { exitOnSignals } from "./signals.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";
import { packageVersion } from "./version.ts";

const SAMPLE = fileURLToPath(new URL("../../dist/viewer/sample.jpg", import.meta.url));
const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const DEFAULT_RUNS = 20;

/** `mobiledetr bench` */
export const benchCommand: Command = {
  name: "bench",
  summary: "Measure how fast a model is on this machine, with one thread and with all.",
  description:
    "Finds objects in one picture again and again, from its bytes to its boxes. Process: from the start of a new process to the " +
    "printed boxes. Load and first: loading a detector, and its first picture. Median, quartiles and network: of the runs " +
    "after that, with 1 thread and with all in turn. Memory: what loading and the first picture added to the process.",
  positional: {
    name: "PICTURE",
    help: "The picture to measure with. Default: a photograph that is included, of 720x540 pixels.",
    least: 0,
    most: 1,
  },
  options: [
    ...BASE_OPTIONS.map((option) =>
      option.name === "threads"
        ? { ...option, help: "Measure this number of threads alone.", default: "1, and auto" }
        : option,
    ),
    {
      name: "runs",
      value: "N",
      help: "Runs that are measured, for each number of threads.",
      default: `${DEFAULT_RUNS}`,
    },
    { name: "json", help: "Print one line of JSON, and nothing else." },
  ],
  examples: [
    ["mobiledetr bench", "The model that is included."],
    [
      "mobiledetr bench photo.jpg --imgsz 320 --threads 2 --runs 50",
      "One way to run it, on your own picture.",
    ],
  ],
  run: bench,
};

/** One number of threads; milliseconds. */
interface Row {
  readonly threads: number;
  /** From the start of a new process to its output; null where none could be started. */
  readonly process: number | null;
  readonly load: number;
  readonly first: number;
  /** Bytes. */
  readonly memory: number;
  readonly whole: number[];
  readonly network: number[];
}

async function bench(args: Arguments, terminal: Terminal): Promise<number> {
  const options = detectorOptions(args)();
  const runs = args.count("runs") ?? DEFAULT_RUNS;
  const path = args.words[0] ?? SAMPLE;
  const bytes = readPictureFile(path);
  const asked = args.threads("threads");
  const counts =
    asked === undefined && options.backend !== "reference"
      ? [1, countThreads("auto")]
      : [countThreads(asked ?? 1)];
  exitOnSignals();
  const rows: Row[] = [];
  const detectors: Detector[] = [];
  try {
    for (const threads of new Set(counts)) {
      terminal.progress(`a new process with ${plural(threads, "thread")}`);
      const process = await coldProcess(args, path, threads);
      terminal.progress(`loading with ${plural(threads, "thread")}`);
      const before = memory();
      const start = performance.now();
      const detector = await loadDetector({ ...options, threads });
      detectors.push(detector);
      const loaded = performance.now();
      await detector.detect(bytes);
      const first = performance.now() - loaded;
      rows.push({
        threads,
        process,
        load: loaded - start,
        first,
        memory: memory() - before,
        whole: [],
        network: [],
      });
    }
    for (let run = 0; run < runs; run++) {
      terminal.progress(`run ${run + 1} of ${runs}`);
      // Forth and back, so that neither always comes behind the other.
      for (const i of run % 2 === 0 ? rows.keys() : [...rows.keys()].reverse()) {
        const start = performance.now();
        const { speed } = await detectors[i].detect(bytes);
        rows[i].whole.push(performance.now() - start);
        rows[i].network.push((speed as Speed).inference);
      }
    }
    terminal.progress(undefined);
    report(args, detectors[0], rows, path, terminal);
  } finally {
    for (const detector of detectors) await detector.close();
  }
  return EXIT_DONE;
}

function readPictureFile(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    return fail("file", path, "a picture file", messageOf(error));
  }
}

function memory(): number {
  return process.memoryUsage.rss();
}

/** `detect` in a new process, as a user starts it. */
async function coldProcess(args: Arguments, path: string, threads: number): Promise<number | null> {
  const own = ["model", "weights", "nc", "scale", "imgsz", "backend"].flatMap((name) => {
    const value = args.text(name);
    return value === undefined ? [] : [`--${name}=${value}`];
  });
  const flags = ["half", "no-compile", "no-fuse", "revectorize"]
    .filter((name) => args.has(name))
    .map((name) => `--${name}`);
  const engine = "deno" in process.versions ? ["run", "-A"] : process.execArgv;
  const words = [...engine, MAIN, "detect", "--json", `--threads=${threads}`, ...own, ...flags, "--", path];
  const start = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "ignore"] });
    let first: number | null = null;
    child.stdout.on("data", () => {
      first ??= performance.now() - start;
    });
    child.on("error", () => resolve(null));
    child.on("close", (code) => resolve(code === 0 ? first : null));
  });
}

/** Least, lower quartile, median, upper quartile, greatest. */
function quartiles(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
    return low + (high - low) * (at % 1);
  });
}

function report(
  args: Arguments,
  { info }: Detector,
  rows: readonly Row[],
  path: string,
  terminal: Terminal,
): void {
  const { model, imgsz, backend, engine, compiled, revectorized } = info;
  const versions = process.versions as Record<string, string | undefined>;
  const version = versions[engine] ?? process.version.slice(1);
  const processors = availableParallelism();
  const results = rows.map(({ whole, network, ...row }) => {
    const [least, lower, median, upper, greatest] = quartiles(whole);
    const times = {
      least,
      lower,
      median,
      upper,
      greatest,
      network: quartiles(network)[2],
      per_second: 1000 / median,
    };
    return { ...row, ...times };
  });
  if (args.has("json")) {
    const about = {
      version: packageVersion(),
      model,
      imgsz,
      backend,
      compiled,
      revectorized,
      engine,
      engine_version: version,
    };
    terminal.print(
      jsonLine({
        ...about,
        processors,
        picture: path === SAMPLE ? null : path,
        runs: rows[0].whole.length,
        results,
      }),
    );
    return;
  }
  const what = [
    `${printable(model)} at ${imgsz[0]}x${imgsz[1]}`,
    backend,
    `${engine} ${version}`,
    plural(processors, "processor"),
  ];
  terminal.print(`${what.join(", ")}; ${plural(rows[0].whole.length, "run")} each, in turn; times in ms`);
  const table = results.map((row) => [
    `${row.threads}`,
    row.process === null ? "-" : row.process.toFixed(0),
    ...[row.load, row.first].map((ms) => ms.toFixed(0)),
    row.median.toFixed(1),
    `${row.lower.toFixed(1)} .. ${row.upper.toFixed(1)}`,
    row.network.toFixed(1),
    row.per_second.toFixed(1),
    `${(row.memory / 1e6).toFixed(0)} MB`,
  ]);
  const head = [
    "threads",
    "process",
    "load",
    "first",
    "median",
    "quartiles",
    "network",
    "pictures/s",
    "memory",
  ];
  for (const line of textTable(
    [head, ...table],
    head.map(() => "right"),
  ))
    terminal.print(line);
}
