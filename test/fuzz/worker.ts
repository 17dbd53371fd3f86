/**
 * A process of its own for one target: runs cases from a number on and tells what became of them. Where it is it writes to a
 * file, so that a case which hangs or takes the process with it is known. Started by run.ts alone.
 *
 * Arguments: a JSON object {@link Job}. Messages: {@link Report}.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { BOMBS, throwBomb } from "./bombs.ts";
import { countWasmMemory, type Finding, judge, type Measured, makeCase } from "./case.ts";
import { minimise } from "./minimise.ts";
import type { Outcome, Target } from "./target.ts";
import { TARGETS } from "./targets/index.ts";

/** What a process is to do. */
export interface Job {
  readonly target: string;
  readonly seed: number;
  /** Cases [begin, end). */
  readonly begin: number;
  readonly end: number;
  /** Where the number of the case at hand is kept. */
  readonly progress: string;
  /** A file that is the only case. */
  readonly file?: string;
  /** Milliseconds that minimising a case may take; 0 for not at all. */
  readonly minimise: number;
}

/** A case that failed. */
export interface Failure extends Finding {
  readonly number: number;
  readonly measured: Measured;
  /** Base64. */
  readonly bytes: string;
  /** Base64, of the smallest that fails in the same way. */
  readonly smallest: string;
}

/** What a process tells: counts since its last message. */
export interface Report {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly next: number;
  readonly worst: {
    readonly seconds: number;
    readonly bytes: number;
    readonly slowest: number;
    readonly largest: number;
  };
  readonly resident: number;
  readonly failures: readonly Failure[];
}

const REPORT_EVERY = 250; // milliseconds
const BOMB_SECONDS = 120; // of the clock
const KINDS = 3; // of one kind of failure so many are told

function find(name: string): Target {
  const target = TARGETS.find((one) => one.name === name);
  if (!target) throw new Error(`no target ${name}`);
  return target;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function work(job: Job): void {
  const target = find(job.target);
  const progress = openSync(job.progress, "w");
  const seen = new Map<string, number>();
  let outcomes: Record<string, number> = {};
  let failures: Failure[] = [];
  const worst = { seconds: 0, bytes: 0, slowest: -1, largest: -1 };
  let told = performance.now();
  const tell = (next: number): void => {
    const resident = process.resourceUsage().maxRSS * 1024;
    const report: Report = { outcomes, next, worst: { ...worst }, resident, failures };
    process.send?.(report);
    outcomes = {};
    failures = [];
    told = performance.now();
  };
  for (let number = job.begin; number < job.end; number++) {
    writeSync(progress, `${number}\n`.padEnd(16), 0);
    const bytes =
      job.file === undefined ? makeCase(target, job.seed, number) : new Uint8Array(readFileSync(job.file));
    const { outcome, finding, measured } = judge(target, bytes);
    const came: Outcome | "finding" = finding ? "finding" : (outcome ?? "finding");
    outcomes[came] = (outcomes[came] ?? 0) + 1;
    if (measured.seconds > worst.seconds)
      Object.assign(worst, { seconds: measured.seconds, slowest: number });
    if (measured.bytes > worst.bytes) Object.assign(worst, { bytes: measured.bytes, largest: number });
    if (finding) {
      const count = (seen.get(finding.kind) ?? 0) + 1;
      seen.set(finding.kind, count);
      if (count <= KINDS) {
        const same = (smaller: Uint8Array): boolean => judge(target, smaller).finding?.kind === finding.kind;
        const until = performance.now() + (count === 1 ? job.minimise : 0);
        writeSync(progress, `${number} minimising`.padEnd(16), 0);
        const smallest = minimise(bytes, same, until);
        failures.push({ ...finding, number, measured, bytes: base64(bytes), smallest: base64(smallest) });
      }
    }
    if (performance.now() - told > REPORT_EVERY) tell(number + 1);
  }
  tell(job.end);
  closeSync(progress);
}

/** Makes a bomb, and has it read in a process that has done nothing else, so that its peak is the reading's. */
function workBomb(job: Job): void {
  const file = `${job.progress}.bomb`;
  writeFileSync(file, BOMBS[job.begin].make());
  const read = JSON.stringify({ ...job, file } satisfies Job);
  const { stdout, status, signal } = spawnSync(
    process.execPath,
    [...process.execArgv, process.argv[1], read],
    {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: BOMB_SECONDS * 1000,
      killSignal: "SIGKILL",
      encoding: "utf8",
    },
  );
  rmSync(file);
  if (status !== 0) throw new Error(`${BOMBS[job.begin].name}: the process ended with ${signal ?? status}`);
  process.send?.(JSON.parse(stdout) as Report);
}

function readBomb(job: Job, file: string): void {
  const { outcome, finding, measured, resident } = throwBomb(
    BOMBS[job.begin],
    new Uint8Array(readFileSync(file)),
  );
  const failures = finding ? [{ ...finding, number: job.begin, measured, bytes: "", smallest: "" }] : [];
  const worst = { ...measured, slowest: job.begin, largest: job.begin };
  const report: Report = {
    outcomes: { [finding ? "finding" : outcome]: 1 },
    next: job.end,
    worst,
    resident,
    failures,
  };
  process.stdout.write(JSON.stringify(report));
}

countWasmMemory();
const job = JSON.parse(process.argv[2]) as Job;
if (job.target !== "bombs") work(job);
else if (job.file === undefined) workBomb(job);
else readBomb(job, job.file);
process.disconnect?.();
