/**
 * Operators one by one, as eager code calls them (checks, allocation, packing and all): the WASM backend of the built package
 * against the reference, the plain loops, at shapes of the ConvSmall detector at 640 x 640. In one process, by tinybench: here
 * nothing has memory or threads of its own that the other could disturb. `operators.ts` measures operators against another
 * library, `kernels.ts` the kernels beneath.
 *
 *   npx tsx bench/eager.ts [--threads 1,2] [--only TEXT]
 *
 * Results are compared before anything is timed. Exit codes: 0 done, 1 some result differs, 2 wrong usage.
 */
import { parseArgs } from "node:util";
import { Bench } from "tinybench";
import type { Backend } from "../src/backend/backend.ts";
import { fail, messageOf } from "../src/errors.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import { wholes } from "./arguments.ts";
import { checkBuild } from "./build.ts";
import { describeMachine } from "./report.ts";

// What was built is what is measured; its types are its source's.
const built = (path: string): Promise<unknown> => import(new URL(`../lib/${path}`, import.meta.url).href);
checkBuild();
const { conv2d, linear, matmul, softmax } = (await built(
  "ops/index.js",
)) as typeof import("../src/ops/index.ts");
const { Tensor: BuiltTensor } = (await built("tensor/tensor.js")) as typeof import("../src/tensor/tensor.ts");
const { randomUniform } = (await built(
  "weights/generator.js",
)) as typeof import("../src/weights/generator.ts");
const { referenceBackend } = (await built(
  "backend/reference/reference.js",
)) as typeof import("../src/backend/reference/reference.ts");
const { createWasmBackend } = (await built(
  "backend/wasm/wasm-backend.js",
)) as typeof import("../src/backend/wasm/wasm-backend.ts");

/** One call: the shapes of its operands (a map of four dimensions lies channels-last), the call, and its work. */
interface Operator {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly run: (operands: readonly Tensor[]) => Tensor;
  /** Multiply-adds; elements for softmax. */
  readonly work: number;
}

function conv(name: string, c: number, o: number, k: number, side: number, stride = 1, groups = 1): Operator {
  const options = { stride, padding: (k - 1) >> 1, groups };
  const shapes = [
    [1, c, side, side],
    [o, c / groups, k, k],
  ];
  const work = (side / stride) ** 2 * o * (c / groups) * k * k;
  return { name, shapes, run: ([x, w]) => conv2d(x, w, undefined, options), work };
}

const OPERATORS: readonly Operator[] = [
  conv("conv 3x3 s2, 3 -> 32 (stem)", 3, 32, 3, 640, 2),
  conv("conv 3x3, 128 -> 128 (RepC3)", 128, 128, 3, 80),
  conv("conv 1x1, 512 -> 128 (RepC3)", 512, 128, 1, 80),
  conv("depthwise 3x3, 192", 192, 192, 3, 40, 1, 192),
  conv("depthwise 5x5 s2, 192", 192, 192, 5, 80, 2, 192),
  {
    name: "linear 256 -> 256, 8400 tokens",
    shapes: [
      [1, 8400, 256],
      [256, 256],
    ],
    run: ([x, w]) => linear(x, w),
    work: 8400 * 256 * 256,
  },
  {
    name: "matmul, 8 heads of attention (AIFI)",
    shapes: [
      [8, 400, 32],
      [8, 32, 400],
    ],
    run: ([q, k]) => matmul(q, k),
    work: 8 * 400 * 400 * 32,
  },
  {
    name: "softmax, 8 x 400 of 400",
    shapes: [[8, 400, 400]],
    run: ([x]) => softmax(x, -1),
    work: 8 * 400 * 400,
  },
];

const WASM_BUDGET = { time: 400, iterations: 5, warmupTime: 200, warmupIterations: 3 }; // ms, and at least so many
const REFERENCE_BUDGET = { time: 0, iterations: 3, warmupTime: 0, warmupIterations: 1 }; // up to seconds each
const TOLERANCE = 1e-5; // of the largest result: rounding, in another order of summation

function operands(operator: Operator, backend: Backend): Tensor[] {
  return operator.shapes.map((shape, i) => {
    const tensor = BuiltTensor.empty(
      backend,
      shape,
      "f32",
      i === 0 && shape.length === 4 ? "channels_last" : "contiguous",
    );
    const values = randomUniform(i, operator.name, tensor.size);
    (tensor.storage.data as Float32Array).set(values.map((v) => v * 2 - 1)); // the same bytes on every backend
    return tensor.keep();
  });
}

/** Median ms of one call, and its result once. */
async function time(
  operator: Operator,
  backend: Backend,
  budget: typeof WASM_BUDGET,
  expected?: Float32Array,
): Promise<{ ms: number; result: Float32Array }> {
  const inputs = operands(operator, backend);
  try {
    const once = operator.run(inputs);
    const result = once.toFloat32Array();
    once.dispose();
    if (expected) compare(operator.name, result, expected);
    const bench = new Bench(budget);
    bench.add(operator.name, () => operator.run(inputs).dispose());
    const [task] = await bench.run();
    const { result: timed } = task;
    if (timed.state !== "completed") fail("state", operator.name, "a completed measurement", timed.state);
    return { ms: timed.latency.p50, result };
  } finally {
    for (const tensor of inputs) tensor.dispose();
  }
}

function compare(name: string, got: Float32Array, expected: Float32Array): void {
  let scale = 0;
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]));
    most = Math.max(most, Math.abs(got[i] - expected[i])); // NaN stays
  }
  if (!(most <= TOLERANCE * scale))
    fail("state", name, `within ${TOLERANCE} of ${scale}`, `${most} apart`, "not timed");
}

async function main(): Promise<number> {
  let threads: number[];
  let only: string;
  try {
    const { values } = parseArgs({
      options: { threads: { type: "string", default: "1,2" }, only: { type: "string", default: "" } },
    });
    only = values.only;
    threads = wholes("--threads", values.threads, 1);
  } catch (error) {
    console.error(messageOf(error));
    return 2;
  }
  const machine = describeMachine();
  const columns = ["operator", "work", ...threads.map((n) => `WASM, threads ${n}`), "reference", "ratio"];
  console.log(
    `${machine.cpu}, ${machine.processors} processors, load ${machine.load.toFixed(2)} before, Node ${process.versions.node};`,
  );
  console.log(
    `median ms of a call (G multiply-adds or elements per second); ratio: reference over threads ${threads[0]}.\n`,
  );
  console.log(`| ${columns.join(" | ")} |\n| --- |${" ---: |".repeat(columns.length - 1)}`);
  let failed = false;
  for (const operator of OPERATORS.filter(({ name }) => name.includes(only))) {
    try {
      const reference = await time(operator, referenceBackend, REFERENCE_BUDGET);
      const cells: string[] = [];
      let first = 0;
      for (const n of threads) {
        const backend = createWasmBackend({ threads: n });
        try {
          const { ms } = await time(operator, backend, WASM_BUDGET, reference.result);
          first ||= ms;
          cells.push(`${ms.toFixed(2)} (${(operator.work / ms / 1e6).toFixed(1)})`);
        } finally {
          await backend.close();
        }
      }
      const work = `${(operator.work / 1e6).toFixed(1)} M`;
      const row = [operator.name, work, ...cells, reference.ms.toFixed(0), (reference.ms / first).toFixed(0)];
      console.log(`| ${row.join(" | ")} |`);
    } catch (error) {
      console.error(messageOf(error));
      failed = true;
    }
  }
  return failed ? 1 : 0;
}

process.exitCode = await main();
