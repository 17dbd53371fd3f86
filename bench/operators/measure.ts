/** One operator by mobiledetr and by tfjs-backend-wasm: results compared, then timed in turn, each in its own process. */
import { fileURLToPath } from "node:url";
import { fail } from "../../src/errors.ts";
import { Contender, type Job, type Run, type Running } from "../contender.ts";
import { takeTurns } from "../measure.ts";
import type { Operator } from "./list.ts";

/** File names in `contenders/`, behind "operator-". */
export type OperatorContender = "mobiledetr" | "tfjs";

/** How often and where an operator is measured. */
export interface OperatorPlan {
  readonly threads: number;
  readonly node: string;
  readonly rounds: number;
  readonly warmup: number;
  readonly pauseMs: number;
}

/** What was found of one operator: runs in the order of the rounds. */
export interface OperatorFinding {
  readonly operator: Operator;
  readonly threads: number;
  readonly runtime: string;
  readonly ours: readonly Run[];
  /** None where the peer has not as many threads. */
  readonly peer: readonly Run[];
  /** Largest difference of the results over the largest of ours. */
  readonly difference: number;
}

/** Of the largest result. Sums in another order; Winograd's rounding; exponentials by other polynomials. */
export const OPERATOR_TOLERANCE = 1e-4;
const RUN_MS = 4; // of calls that are timed together: one may take some microseconds
const PEER_THREADS = 1; // in Node: see contenders/operator-tfjs.mjs

/** Starts a contender's process. */
export function startOperator(name: OperatorContender, job: Job, node: string): Running {
  const script = fileURLToPath(new URL(`../contenders/operator-${name}.mjs`, import.meta.url));
  return new Contender(name, script, job, node);
}

/** Measures one operator. Error "state" where the results differ: then nothing is timed. Tests give a `start` of their own. */
export async function measureOperator(
  operator: Operator,
  plan: OperatorPlan,
  start = startOperator,
): Promise<OperatorFinding> {
  const { threads, node } = plan;
  const names: OperatorContender[] = threads === PEER_THREADS ? ["mobiledetr", "tfjs"] : ["mobiledetr"];
  const job: Job = { operator, threads, calls: callsOf(operator) };
  const contenders = names.map((name) => start(name, job, node));
  try {
    const ready = [];
    for (const contender of contenders) ready.push(await contender.ready());
    const difference = relative(ready[ready.length - 1].output, ready[0].output);
    if (!(difference <= OPERATOR_TOLERANCE)) {
      const expected = `mobiledetr's result within ${OPERATOR_TOLERANCE} of its largest number`;
      fail(
        "state",
        `${ready[ready.length - 1].name}, ${operator.name}`,
        expected,
        `${difference}`,
        "not timed",
      );
    }
    const [ours, peer = []] = await takeTurns(contenders, plan);
    return { operator, threads, runtime: ready[0].runtime, ours, peer, difference };
  } finally {
    for (const contender of contenders) await contender.close();
  }
}

/** Calls that take some milliseconds at 10 G multiply-adds or 1 G elements a second. */
export function callsOf({ multiplyAdds, elements = 0 }: Operator): number {
  const ms = multiplyAdds === undefined ? elements / 1e6 : multiplyAdds / 1e7;
  return Math.max(1, Math.round(RUN_MS / ms));
}

/** The largest difference over the largest expected number; Infinity where sizes differ, NaN where one has NaN. */
export function relative(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [scale, most] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]));
    most = Math.max(most, Math.abs(got[i] - expected[i]));
  }
  return most === 0 ? 0 : most / scale;
}
