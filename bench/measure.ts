/**
 * One measurement: contenders on one case with one number of threads. All of them are loaded and at rest, each in its own
 * process, and run in turn, so that whatever else the machine does meets all of them alike.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fail } from "../src/errors.ts";
import { apart, apartBoxes, type BenchCase } from "./cases.ts";
import {
  type ContenderName,
  type Job,
  type Ready,
  type Run,
  type Running,
  startContender,
} from "./contender.ts";

/** What is measured, and how often. */
export interface Plan {
  readonly peers: readonly ContenderName[];
  readonly threads: number;
  /** Path of the Node that runs the contenders. */
  readonly node: string;
  readonly rounds: number;
  /** Rounds before the timed ones: engines compile hot code again while it runs. */
  readonly warmup: number;
  /** Fresh processes per contender, for the time from start to first output, and as many for that to first boxes. */
  readonly cold: number;
  /** Path of the picture whose boxes those find; without one, first boxes are not measured. */
  readonly picture?: string;
  /** Rest before each run, in ms: pools spin for a while after their work is done. */
  readonly pauseMs: number;
  /** mobiledetr's option; the peers have none like it. */
  readonly revectorize?: boolean;
}

/** What was found of one contender. */
export interface Measured {
  readonly contender: ContenderName;
  readonly name: string;
  readonly version: string;
  readonly runtime: string;
  /** In the order of the rounds: item i of every contender belongs to one round. */
  readonly runs: readonly Run[];
  /** From process start to first output, in ms; one per fresh process. */
  readonly coldMs: readonly number[];
  /** From process start to the first boxes, decoding the picture included, in ms; likewise. */
  readonly boxesMs: readonly number[];
  readonly peakRssBytes: number;
  /** Largest difference over matched rows: to PyTorch's output, and to mobiledetr's. */
  readonly fromPyTorch: number;
  readonly fromOurs: number;
}

/** Over matched rows; what PyTorch's own fused and unfused runs may differ by. */
export const TOLERANCE = 1e-3;
const BOX_TOLERANCE_PIXELS = 0.5; // the same box to the eye; 1e-3 of a picture's side is of that order

/**
 * Measures mobiledetr and its peers. Error "state" if their results are not the same: then there is nothing to compare.
 * Tests give a `start` of their own.
 */
export async function measure(benchCase: BenchCase, plan: Plan, start = startContender): Promise<Measured[]> {
  const names: ContenderName[] = ["mobiledetr", ...plan.peers];
  const job = { folder: benchCase.folder, threads: plan.threads, revectorize: plan.revectorize };
  const contenders = names.map((name) => ({ name, process: start(name, job, plan.node) }));
  const found: { ready: Ready; runs: Run[]; fromPyTorch: number; fromOurs: number; peakRssBytes: number }[] =
    [];
  try {
    for (const { process } of contenders) {
      const ready = await process.ready();
      const ours = found[0]?.ready.output ?? ready.output;
      const fromPyTorch = apart(ready.output, benchCase.expected, benchCase);
      const fromOurs = apart(ready.output, ours, benchCase);
      if (!(fromPyTorch <= TOLERANCE && fromOurs <= TOLERANCE)) {
        const got = `${fromPyTorch} from PyTorch's and ${fromOurs} from mobiledetr's`;
        fail("state", `${process.name} on ${benchCase.model}`, `rows within ${TOLERANCE}`, got, "not timed");
      }
      found.push({ ready, runs: [], fromPyTorch, fromOurs, peakRssBytes: 0 });
    }
    const runs = await takeTurns(
      contenders.map(({ process }) => process),
      plan,
    );
    for (const [i, { process }] of contenders.entries()) {
      found[i].runs = runs[i];
      found[i].peakRssBytes = await process.peakRssBytes();
      const drift = apart(await process.output(), found[i].ready.output, benchCase);
      if (!(drift <= TOLERANCE)) {
        fail("state", process.name, "the first run's rows after the last", `rows ${drift} apart`);
      }
    }
  } finally {
    for (const { process } of contenders) await process.close();
  }
  const coldMs = await coldStarts(names, job, plan, start);
  const { picture } = plan;
  const boxesMs = picture === undefined ? [] : await coldStarts(names, { ...job, picture }, plan, start);
  return names.map((contender, i) => {
    const { ready, ...rest } = found[i];
    const { name, version, runtime } = ready;
    return { contender, name, version, runtime, ...rest, coldMs: coldMs[i], boxesMs: boxesMs[i] ?? [] };
  });
}

/** One run each in turn, `rounds` times after `warmup` rounds that are not kept; item i is of contender i. */
export async function takeTurns(
  contenders: readonly Running[],
  { warmup, rounds, pauseMs }: Pick<Plan, "warmup" | "rounds" | "pauseMs">,
): Promise<Run[][]> {
  const runs: Run[][] = contenders.map(() => []);
  for (let round = -warmup; round < rounds; round++) {
    // Each runs after each of the others in turn, and none after itself: it would find its own data in the caches.
    const shift = contenders.length > 2 ? round + warmup : 0;
    for (let turn = 0; turn < contenders.length; turn++) {
      const i = (turn + shift) % contenders.length;
      await sleep(pauseMs);
      const run = await contenders[i].run();
      if (round >= 0) runs[i].push(run);
    }
  }
  return runs;
}

/**
 * Times from start to first output (to first boxes, for a job with a picture), of fresh processes that have the machine to
 * themselves, in turn. Error "state" where their boxes are not mobiledetr's.
 */
async function coldStarts(
  names: readonly ContenderName[],
  job: Job,
  plan: Plan,
  start: typeof startContender,
): Promise<number[][]> {
  const times: number[][] = names.map(() => []);
  let ours: Ready["detections"] | undefined;
  for (let round = 0; round < plan.cold; round++) {
    for (const [i, name] of names.entries()) {
      await sleep(plan.pauseMs);
      const process = start(name, job, plan.node);
      try {
        const { coldMs, detections } = await process.ready();
        times[i].push(coldMs);
        ours ??= detections;
        const off = apartBoxes(detections, ours);
        if (!(off <= BOX_TOLERANCE_PIXELS)) {
          const expected = `mobiledetr's boxes within ${BOX_TOLERANCE_PIXELS} pixels`;
          fail("state", `${name} on ${job.picture}`, expected, `some ${off} apart`);
        }
      } finally {
        await process.close();
      }
    }
  }
  return times;
}
