import { expect, test } from "vitest";
import type { Job, Running } from "../../bench/contender.ts";
import { OPERATORS, type Operator } from "../../bench/operators/list.ts";
import { callsOf, measureOperator, type OperatorPlan, relative } from "../../bench/operators/measure.ts";

const { permuted } = (await import(new URL("../../bench/contenders/permute.mjs", import.meta.url).href)) as {
  permuted: (values: Float32Array, shape: readonly number[], order: readonly number[]) => Float32Array;
};

const PLAN: OperatorPlan = { threads: 1, node: "", rounds: 3, warmup: 1, pauseMs: 0 };
const RESULT = Float32Array.of(1, -4, 2);

function stage(peer: Float32Array = RESULT): {
  log: string[];
  jobs: Job[];
  start: (name: string, job: Job) => Running;
} {
  const log: string[] = [];
  const jobs: Job[] = [];
  const start = (name: string, job: Job): Running => {
    jobs.push(job);
    const output = name === "tfjs" ? peer : RESULT;
    return {
      name,
      ready: async () => ({
        ...{ name, version: "1", runtime: "none", coldMs: 1, loadMs: 1, firstMs: 1, output },
        detections: [],
      }),
      run: async () => {
        log.push(name);
        return { ms: name === "tfjs" ? 3 : 1, cpuMs: 1, idleCpuMs: 0 };
      },
      output: async () => output,
      peakRssBytes: async () => 1,
      close: async () => void log.push(`close ${name}`),
    };
  };
  return { log, jobs, start };
}

test("both run in turn with the same job, and both are closed", async () => {
  const { log, jobs, start } = stage();
  const found = await measureOperator(OPERATORS[0], PLAN, start);
  expect(log).toEqual([
    ...Array.from({ length: 4 }, () => ["mobiledetr", "tfjs"]).flat(),
    "close mobiledetr",
    "close tfjs",
  ]);
  expect(found.ours.map((run) => run.ms)).toEqual([1, 1, 1]);
  expect(found.peer.map((run) => run.ms)).toEqual([3, 3, 3]);
  expect(jobs[0]).toEqual(jobs[1]);
});

test("with more threads than the peer has in Node, mobiledetr runs alone", async () => {
  const { log, start } = stage();
  const found = await measureOperator(OPERATORS[0], { ...PLAN, threads: 2 }, start);
  expect(found.peer).toEqual([]);
  expect(log).not.toContain("tfjs");
});

test.each([
  ["is off by more than 1e-4 of the largest", Float32Array.of(1, -4, 2.001)],
  ["has another size", Float32Array.of(1, -4)],
  ["holds a NaN", Float32Array.of(1, Number.NaN, 2)],
])("nothing is timed where the peer's result %s", async (_, peer) => {
  const { log, start } = stage(peer);
  await expect(measureOperator(OPERATORS[0], PLAN, start)).rejects.toThrow(
    /expected mobiledetr's result within 0\.0001/,
  );
  expect(log).toEqual(["close mobiledetr", "close tfjs"]);
});

test("differences are relative to the largest number; of zeros there are none", () => {
  expect(relative(Float32Array.of(1, -4, 3), RESULT)).toBe(0.25);
  expect(relative(new Float32Array(2), new Float32Array(2))).toBe(0);
});

test("short operators are called often enough to be timed, long ones once", () => {
  const of = (multiplyAdds: number): Operator => ({ name: "", op: "", operands: [], multiplyAdds });
  expect(callsOf(of(1e9))).toBe(1);
  expect(callsOf(of(1e6))).toBe(40);
});

test("operators have names of their own, and operands that fit", () => {
  expect(new Set(OPERATORS.map(({ name }) => name)).size).toBe(OPERATORS.length);
  for (const { name, op, operands, options } of OPERATORS) {
    if (op !== "conv" || !options) continue;
    const [x, w, bias] = operands.map(({ shape }) => shape);
    expect([w[1] * options.groups, w[0]], name).toEqual([x[1], bias[0]]);
  }
});

test("numbers of dimensions in another order: NCHW to NHWC and back", () => {
  const shape = [2, 3, 2, 2];
  const values = Float32Array.from({ length: 24 }, (_, i) => i);
  const nhwc = permuted(values, shape, [0, 2, 3, 1]);
  expect([...nhwc.subarray(0, 6)]).toEqual([0, 4, 8, 1, 5, 9]);
  expect(permuted(nhwc, [2, 2, 2, 3], [0, 3, 1, 2])).toEqual(values);
});
