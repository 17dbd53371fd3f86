/** What a benchmark says: the machine that it ran on, and its findings as a Markdown table. */
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import { fail } from "../src/errors.ts";
import type { Measured, Plan } from "./measure.ts";
import { ratios, type Spread, spreadOf } from "./statistics.ts";

/** Where and when it ran. */
export interface Machine {
  readonly cpu: string;
  /** Processors that this process may use. */
  readonly processors: number;
  readonly memoryBytes: number;
  readonly system: string;
  /** Processes that wanted a processor over the last minute, before the benchmark began: near 0 on an idle machine. */
  readonly load: number;
  readonly date: string;
  /** Of the project, with "+" where the tree has changes; "unknown" outside a clone. */
  readonly commit: string;
}

/** What all measurements have in common. */
export type Setup = Omit<Plan, "threads" | "node" | "revectorize">;

/** One measurement with what it was of. */
export interface Finding {
  readonly model: string;
  readonly size: readonly [number, number];
  readonly threads: number;
  /** What ran the contenders: "v24.1.0", with "+revectorize" where mobiledetr was asked for 256-bit vectors. */
  readonly engine: string;
  readonly measured: readonly Measured[];
}

/** This machine, now. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${platform()} ${release()}`,
    load: loadavg()[0],
    date: new Date().toISOString(),
    commit: commit(),
  };
}

/** The lines over the table. */
export function heading(machine: Machine, { rounds, warmup, cold, pauseMs }: Setup): string {
  const memory = `${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB`;
  return [
    `${machine.cpu}, ${machine.processors} processors, ${memory}, ${machine.system}; load ${machine.load.toFixed(2)} before;`,
    `commit ${machine.commit}, ${machine.date}. ${rounds} rounds in turn after ${warmup} of warm-up, ${pauseMs} ms of rest`,
    `before each run; ${cold} cold starts. Times in ms, median [quartiles]. Ratio: the peer's time over mobiledetr's in the`,
    "same round, above 1 where mobiledetr is faster. Busy: processors kept busy, CPU time over time. Cold start: from the",
    "start of the process to the first output; first boxes: to those of a picture's file, decoding it included.",
  ].join("\n");
}

const COLUMNS = [
  "model",
  "size",
  "threads",
  "contender",
  "runtime",
  "time",
  "fastest",
  "ratio",
  "busy",
  "CPU time",
  "cold start",
  "first boxes",
  "peak RSS",
  "from PyTorch",
];

/** All findings, a row per contender. */
export function table(findings: readonly Finding[]): string {
  const rows = findings.flatMap((finding) => finding.measured.map((one) => row(finding, one)));
  return [COLUMNS, COLUMNS.map((_, i) => (i < 5 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

function row({ model, size, threads, measured }: Finding, one: Measured): string[] {
  const times = one.runs.map((run) => run.ms);
  const cpu = spreadOf(one.runs.map((run) => run.cpuMs)).median;
  const time = spreadOf(times);
  const ours = measured[0].runs.map((run) => run.ms);
  return [
    model,
    size[0] === size[1] ? String(size[0]) : size.join("x"),
    String(threads),
    `${one.name} ${one.version}`,
    one.runtime,
    show(time, 0),
    time.min.toFixed(0),
    one === measured[0] ? "" : show(spreadOf(ratios(times, ours)), 2),
    spreadOf(one.runs.map((run) => run.cpuMs / run.ms)).median.toFixed(2),
    cpu.toFixed(0),
    ...[one.coldMs, one.boxesMs].map((ms) => (ms.length > 0 ? spreadOf(ms).median.toFixed(0) : "")),
    `${(one.peakRssBytes / 2 ** 20).toFixed(0)} MiB`,
    one.fromPyTorch.toExponential(1),
  ];
}

/** What spoils a measurement, in words; none if all is well. */
export function doubts(machine: Machine, { pauseMs }: Setup, findings: readonly Finding[]): string[] {
  const found: string[] = [];
  if (machine.load > IDLE_LOAD) found.push(`the machine was busy (load ${machine.load.toFixed(2)})`);
  for (const { model, size, threads, engine, measured } of findings) {
    for (const { name, runs } of measured) {
      const where = `${name.replace(/,$/, "")}, ${model} at ${size[0]}, threads ${threads}, ${engine}`;
      const busy = spreadOf(runs.map((run) => run.cpuMs / run.ms)).median;
      if (busy < threads * HELD_UP) found.push(`${where}: kept only ${busy.toFixed(2)} processors busy`);
      const { min, median } = spreadOf(runs.map((run) => run.ms));
      if (median > min * UNSTEADY) {
        found.push(
          `${where}: median ${median.toFixed(0)} ms, fastest ${min.toFixed(0)} ms: unsteady, repeat`,
        );
      }
      const idle = spreadOf(runs.map((run) => run.idleCpuMs)).median;
      if (idle > pauseMs)
        found.push(`${where}: took ${idle.toFixed(0)} ms of CPU time from the others' runs`);
    }
  }
  return found;
}

const IDLE_LOAD = 0.5;
const UNSTEADY = 1.2; // an idle machine's medians lie within a few per cent of the fastest run
const HELD_UP = 0.7; // of its threads: no runtime here keeps fewer busy on an idle machine

/** "median [lower, upper]" */
export function show({ lower, median, upper }: Spread, digits: number): string {
  return `${median.toFixed(digits)} [${lower.toFixed(digits)}, ${upper.toFixed(digits)}]`;
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { encoding: "utf8", stdio: "pipe" }).trim();
    return (
      git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--untracked-files=no") ? "+" : "")
    );
  } catch {
    return "unknown";
  }
}

/** Everything, for `--json`. */
export function asJson(machine: Machine, plan: Setup, findings: readonly Finding[]): string {
  return `${JSON.stringify({ machine, plan, findings }, null, 1)}\n`;
}

/** What {@link asJson} wrote; `name` is the file's, for the error (code "format") that anything else is. */
export function fromJson(text: string, name: string): { machine: Machine; plan: Setup; findings: Finding[] } {
  try {
    const found = JSON.parse(text) as { machine: Machine; plan: Setup; findings: Finding[] };
    if (typeof found.machine.commit === "string" && Array.isArray(found.findings)) return found;
  } catch {
    // Said below.
  }
  return fail("format", name, "what --json wrote", "something else");
}
