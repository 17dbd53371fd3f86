/**
 * `npm run fuzz`: hostile input by the hundred thousand. Each target runs in a process of its own, two at a time; one that
 * hangs, crashes or runs out of memory is ended and the case named. Exit code 1 where anything was found.
 *
 *     npm run fuzz -- --cases 200000 --seed 7        other cases, all of them reproducible
 *     npm run fuzz -- --target png --time 60         one target (or several, with commas), a minute of it
 *     npm run fuzz -- --target png --seed 7 --case 5 one case again
 *     npm run fuzz -- --target png --file case.bin   a file that was kept
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BOMBS } from "./bombs.ts";
import { CASE_SECONDS } from "./case.ts";
import { TARGETS } from "./targets/index.ts";
import type { Failure, Job, Report } from "./worker.ts";

const OPTIONS = {
  cases: { type: "string", default: "120000" },
  seed: { type: "string" },
  target: { type: "string" },
  time: { type: "string" },
  case: { type: "string" },
  file: { type: "string" },
  out: { type: "string" },
  jobs: { type: "string", default: "2" },
  json: { type: "string" },
} as const;

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
const HEAP_MB = 512;
const BOMB_HEAP_MB = 2048;
/** A case that is not done in this time, whatever the machine's load, hangs. */
const HANG_SECONDS = 60;
const LOOK_EVERY = 500; // milliseconds
const MINIMISE = 15_000; // milliseconds a kind of failure

/** What is known of a target's cases. */
interface Total {
  readonly name: string;
  readonly outcomes: Map<string, number>;
  seconds: number;
  slowest: number;
  bytes: number;
  largest: number;
  resident: number;
  readonly failures: Failure[];
}

interface Work {
  readonly total: Total;
  readonly end: number;
  next: number;
  heapMb: number;
  ended?: boolean;
}

function number(value: string, name: string): number {
  const parsed = Number(value);
  if (!Number.isInteger(parsed) || parsed < 0)
    throw new Error(`--${name}: expected a whole number, got ${value}`);
  return parsed;
}

const { values } = parseArgs({ options: OPTIONS });
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : number(values.seed, "seed");
const until =
  values.time === undefined
    ? Number.POSITIVE_INFINITY
    : performance.now() + number(values.time, "time") * 1000;
const begun = performance.now();

function totalOf(name: string): Total {
  return {
    name,
    outcomes: new Map(),
    seconds: 0,
    slowest: -1,
    bytes: 0,
    largest: -1,
    resident: 0,
    failures: [],
  };
}

/** What is to be done, the cases divided by weight. */
function plan(): Work[] {
  const wanted = values.target?.split(",");
  const known = [...TARGETS.map(({ name }) => name), "bombs"];
  const odd = wanted?.find((name) => !known.includes(name));
  if (odd !== undefined) throw new Error(`--target: expected some of ${known.join(", ")}, got ${odd}`);
  const chosen = TARGETS.filter(({ name }) => !wanted || wanted.includes(name));
  const weights = chosen.reduce((sum, { weight }) => sum + weight, 0);
  const cases = number(values.cases, "cases");
  const one = values.file === undefined ? values.case : "0";
  const work = chosen.map(({ name, weight }): Work => {
    const begin = one === undefined ? 0 : number(one, "case");
    const end = one === undefined ? Math.ceil((cases * weight) / weights) : begin + 1;
    return { total: totalOf(name), next: begin, end, heapMb: HEAP_MB };
  });
  if (wanted && !wanted.includes("bombs")) return work;
  const bombs = totalOf("bombs");
  const numbers = one === undefined ? BOMBS.map((_, i) => i) : wanted ? [number(one, "case")] : [];
  return [
    ...work,
    ...numbers.map((next): Work => ({ total: bombs, next, end: next + 1, heapMb: BOMB_HEAP_MB })),
  ];
}

const scratch = mkdtempSync(join(tmpdir(), "mobiledetr-fuzz-run-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
let processes = 0;

/** Runs a work to its end, one process after the other. */
async function run(work: Work): Promise<void> {
  while (work.next < work.end && performance.now() < until) await runProcess(work);
}

function take(work: Work, { outcomes, next, worst, resident, failures }: Report): void {
  const { total } = work;
  work.next = next;
  for (const [code, count] of Object.entries(outcomes))
    total.outcomes.set(code, (total.outcomes.get(code) ?? 0) + count);
  if (worst.seconds > total.seconds) Object.assign(total, { seconds: worst.seconds, slowest: worst.slowest });
  if (worst.bytes > total.bytes) Object.assign(total, { bytes: worst.bytes, largest: worst.largest });
  total.resident = Math.max(total.resident, resident);
  total.failures.push(...failures);
}

function runProcess(work: Work): Promise<void> {
  const progress = join(scratch, String(processes++));
  writeFileSync(progress, `${work.next}\n`);
  const { name } = work.total;
  const job: Job = {
    target: name,
    seed,
    begin: work.next,
    end: work.end,
    progress,
    file: values.file,
    minimise: MINIMISE,
  };
  const child = fork(WORKER, [JSON.stringify(job)], {
    execArgv: ["--import", "tsx", `--max-old-space-size=${work.heapMb}`],
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-2000);
  });
  child.on("message", (report: Report) => take(work, report));
  return new Promise((done) => {
    const watch = watchProcess(child, progress, work);
    child.once("exit", (code, signal) => {
      clearInterval(watch.timer);
      const at = Number.parseInt(readFileSync(progress, "utf8"), 10);
      if (watch.hung || code !== 0) {
        if (watch.stopped) work.next = work.end;
        else lose(work, at, watch.hung ? "hangs" : `crashes: ${signal ?? code}`, errors);
      }
      done();
    });
  });
}

/** Ends a process whose case does not change for too long, or whose time is over. */
function watchProcess(
  child: ChildProcess,
  progress: string,
  work: Work,
): { timer: NodeJS.Timeout; hung: boolean; stopped: boolean } {
  let last = "";
  let since = performance.now();
  const watch = {
    hung: false,
    stopped: false,
    timer: setInterval(() => {
      const now = performance.now();
      const at = readFileSync(progress, "utf8");
      if (at !== last) [last, since] = [at, now];
      const minimising = at.includes("minimising") ? MINIMISE / 1000 : 0;
      watch.hung = now - since > (HANG_SECONDS + minimising) * 1000;
      watch.stopped = now > until && work.total.name !== "bombs";
      if (watch.hung || watch.stopped) child.kill("SIGKILL");
    }, LOOK_EVERY),
  };
  return watch;
}

/** Notes a case that took its process with it, and goes on behind it. */
function lose(work: Work, at: number, kind: string, errors: string): void {
  const { total } = work;
  total.outcomes.set("finding", (total.outcomes.get("finding") ?? 0) + 1);
  const measured = { seconds: Number.NaN, bytes: Number.NaN };
  total.failures.push({ kind, detail: errors, number: at, measured, bytes: "", smallest: "" });
  work.next = at + 1;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

function print(totals: readonly Total[]): void {
  const codes = [...new Set(totals.flatMap(({ outcomes }) => [...outcomes.keys()]))].sort();
  const rows = [["target", "cases", ...codes, "worst time", "(case)", "worst memory", "(case)", "resident"]];
  for (const { name, outcomes, seconds, slowest, bytes, largest, resident } of totals) {
    const cases = [...outcomes.values()].reduce((sum, count) => sum + count, 0);
    const counts = codes.map((code) => String(outcomes.get(code) ?? 0));
    rows.push([
      name,
      String(cases),
      ...counts,
      `${seconds.toFixed(2)} s`,
      `${slowest}`,
      megabytes(bytes),
      `${largest}`,
      megabytes(resident),
    ]);
  }
  const sums = codes.map((code) => totals.reduce((sum, { outcomes }) => sum + (outcomes.get(code) ?? 0), 0));
  rows.push(["all", String(sums.reduce((sum, count) => sum + count, 0)), ...sums.map(String)]);
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  for (const row of rows)
    console.log(
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "),
    );
}

/** Keeps the cases that failed, outside the repository, and says how each is run again. */
function printFailures(totals: readonly Total[]): number {
  const folder = resolve(values.out ?? join(tmpdir(), `mobiledetr-fuzz-findings-${seed}`));
  let count = 0;
  for (const { name, failures } of totals) {
    for (const { kind, detail, number: at, bytes, smallest } of failures) {
      count++;
      console.log(`\n${name}, case ${at}: ${kind}\n${detail.slice(0, 1500)}`);
      if (name === "bombs") console.log(`that is: ${BOMBS[at].name}`);
      console.log(`again: npm run fuzz -- --target ${name} --seed ${seed} --case ${at}`);
      if (bytes === "") continue;
      mkdirSync(folder, { recursive: true });
      for (const [ending, text] of [
        ["bin", bytes],
        ["small.bin", smallest],
      ]) {
        const path = join(folder, `${name}-${at}.${ending}`);
        writeFileSync(path, Buffer.from(text, "base64"));
        console.log(
          `${Buffer.from(text, "base64").length} bytes: npm run fuzz -- --target ${name} --file ${path}`,
        );
      }
    }
  }
  return count;
}

const works = plan();
console.log(`seed ${seed}; at most ${CASE_SECONDS} s of processor time and ${HEAP_MB} MB of heap a case`);
const queue = [...works];
await Promise.all(
  Array.from({ length: Math.max(1, number(values.jobs, "jobs")) }, async () => {
    for (let work = queue.shift(); work; work = queue.shift()) await run(work);
  }),
);
const totals = [...new Set(works.map(({ total }) => total))];
print(totals);
const found = printFailures(totals);
console.log(
  `\n${found === 0 ? "nothing found" : `${found} findings`} in ${((performance.now() - begun) / 1000).toFixed(0)} s`,
);
if (values.json !== undefined) {
  const plain = totals.map((total) => ({ ...total, outcomes: Object.fromEntries(total.outcomes) }));
  writeFileSync(values.json, `${JSON.stringify({ seed, totals: plain }, null, 2)}\n`);
}
process.exitCode = found === 0 ? 0 : 1;
