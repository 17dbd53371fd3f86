/**
 * Operators one by one: mobiledetr against tfjs-backend-wasm, the same numbers in, results compared before anything is
 * timed, in turn, each in a process of its own. Operators with weights run as a plan runs them, since the peer packs its
 * weights once too. `eager.ts` measures eager operators, `kernels.ts` the kernels beneath.
 *
 *   npx tsx bench/operators.ts [--threads 1,2] [--only TEXT] [--rounds 15] [--warmup 5] [--pause 0] [--node PATH] [--quick]
 *                              [--json FILE]
 *
 * tfjs-backend-wasm has one thread in Node, so that with more there are only our own times. Prints a Markdown table. Exit
 * codes: 0 done, 1 some result differs (the others are still measured), 2 wrong usage.
 */
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fail, messageOf } from "../src/errors.ts";
import { attempt, whole, wholes } from "./arguments.ts";
import { checkBuild } from "./build.ts";
import type { Run } from "./contender.ts";
import { OPERATORS, type Operator } from "./operators/list.ts";
import { measureOperator, type OperatorFinding, type OperatorPlan } from "./operators/measure.ts";
import { describeMachine, show } from "./report.ts";
import { ratios, spreadOf } from "./statistics.ts";

const PEER = fileURLToPath(new URL("node_modules/@tensorflow/tfjs-backend-wasm", import.meta.url));

interface Options extends Omit<OperatorPlan, "threads"> {
  readonly threads: readonly number[];
  readonly operators: readonly Operator[];
  readonly json?: string;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      threads: { type: "string", default: "1,2" },
      only: { type: "string", default: "" },
      rounds: { type: "string" },
      warmup: { type: "string" },
      pause: { type: "string", default: "0" },
      node: { type: "string", default: process.execPath },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const {
    threads,
    only,
    quick,
    rounds = quick ? "5" : "15",
    warmup = quick ? "2" : "5",
    pause,
    node,
    json,
  } = values;
  return {
    threads: wholes("--threads", threads, 1),
    operators: OPERATORS.filter(({ name }) => name.includes(only)),
    rounds: whole("--rounds", rounds, 1),
    warmup: whole("--warmup", warmup, 0),
    pauseMs: whole("--pause", pause, 0),
    node,
    json,
  };
}

async function main(): Promise<number> {
  const options = attempt(() => {
    const read = readOptions();
    if (!existsSync(PEER))
      fail("file", "bench/node_modules", "tfjs-backend-wasm", "none", "run `npm ci --prefix bench`");
    checkBuild();
    return read;
  });
  if (!options) return 2;
  const { threads, operators, json, ...plan } = options;
  const machine = describeMachine();
  const findings: OperatorFinding[] = [];
  let failed = false;
  console.log(
    `${machine.cpu}, ${machine.processors} processors, load ${machine.load.toFixed(2)} before; commit ${machine.commit},\n` +
      `${plan.rounds} rounds in turn after ${plan.warmup} of warm-up. ms of a call, median [quartiles] (G multiply-adds or elements\n` +
      "a second). Ratio: the peer's time over mobiledetr's in the same round, above 1 where mobiledetr is faster.\n",
  );
  const columns = [
    "operator",
    "threads",
    "runtime",
    "mobiledetr",
    "tfjs-backend-wasm",
    "ratio",
    "difference",
  ];
  console.log(`| ${columns.join(" | ")} |\n|${" --- |".repeat(3)}${" ---: |".repeat(columns.length - 3)}`);
  for (const operator of operators) {
    for (const n of threads) {
      try {
        const finding = await measureOperator(operator, { ...plan, threads: n });
        findings.push(finding);
        console.log(`| ${row(finding).join(" | ")} |`);
      } catch (error) {
        console.error(messageOf(error));
        failed = true;
      }
    }
  }
  if (json) writeFileSync(json, `${JSON.stringify({ machine, plan, findings }, null, 1)}\n`);
  return failed ? 1 : 0;
}

function row({ operator, threads, runtime, ours, peer, difference }: OperatorFinding): string[] {
  const work = operator.multiplyAdds ?? operator.elements ?? 0;
  const cell = (runs: readonly Run[]): string => {
    const spread = spreadOf(runs.map((run) => run.ms));
    return `${show(spread, spread.median < 1 ? 3 : 2)} (${(work / spread.median / 1e6).toFixed(1)})`;
  };
  const times = [peer, ours].map((runs) => runs.map((run) => run.ms));
  const against =
    peer.length === 0
      ? ["", "", ""]
      : [cell(peer), show(spreadOf(ratios(times[0], times[1])), 2), difference.toExponential(0)];
  return [operator.name, String(threads), runtime, cell(ours), ...against];
}

process.exitCode = await main();
