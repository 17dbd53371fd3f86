/** The stored operator cases (`test/golden/make/ops.py` says what is in them) and how each is run. */
import { readdirSync, readFileSync } from "node:fs";
import type { Backend, Pair } from "../../src/backend/backend.ts";
import * as F from "../../src/ops/index.ts";
import { tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { openSafetensors, type SafetensorsFile } from "../../src/weights/safetensors.ts";

interface ViewSpec {
  readonly base: string;
  readonly view: readonly (readonly [string, ...(number | null)[]])[];
}

type InputSpec = ViewSpec | number | readonly InputSpec[];

/** One case of `SUBJECT.json`. */
export interface GoldenCase {
  readonly op: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly args: Readonly<Record<string, unknown>>;
  readonly outputs: readonly string[];
  readonly exact?: readonly string[];
  readonly strides?: readonly (readonly number[])[];
}

/** The cases of one file with its arrays. */
export interface GoldenSubject {
  readonly subject: string;
  readonly cases: readonly GoldenCase[];
  readonly arrays: SafetensorsFile;
}

const FOLDER = new URL("../golden/ops/", import.meta.url);

/** Every subject. */
export function loadSubjects(): GoldenSubject[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => {
      const subject = name.replace(".json", "");
      const cases = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"), revive) as GoldenCase[];
      const arrays = openSafetensors(readFileSync(new URL(`${subject}.safetensors`, FOLDER)));
      return { subject, cases, arrays };
    });
}

/** JSON has no infinities: they are written as text. */
function revive(_key: string, value: unknown): unknown {
  return value === "inf" ? Infinity : value === "-inf" ? -Infinity : value;
}

/** A stored array as a tensor. */
export function stored(arrays: SafetensorsFile, name: string, backend?: Backend): Tensor {
  const data = arrays.read(name);
  if (!(data instanceof Float32Array || data instanceof Int32Array || data instanceof BigInt64Array)) {
    throw new Error(`${name}: an unexpected dtype`);
  }
  return tensor(data, arrays.entry(name).shape, { backend });
}

/** Runs a case: its inputs made on `backend`, its outputs as a list. */
export function runCase(golden: GoldenCase, arrays: SafetensorsFile, backend: Backend): Tensor[] {
  const make = (spec: InputSpec): unknown => {
    if (typeof spec === "number") return spec;
    if (Array.isArray(spec)) return spec.map(make);
    const { base, view } = spec as ViewSpec;
    return view.reduce(applyStep, stored(arrays, base, backend));
  };
  const inputs = Object.fromEntries(Object.entries(golden.inputs).map(([k, v]) => [k, make(v)]));
  const run = RUN[golden.op];
  if (!run) throw new Error(`no such operator: ${golden.op}`);
  const out = run(inputs as Record<string, Tensor>, golden.args as unknown as Args);
  return Array.isArray(out) ? out : [out];
}

function applyStep(x: Tensor, [method, ...a]: readonly [string, ...(number | null)[]]): Tensor {
  const numbers = a.map((v) => v ?? undefined) as number[];
  switch (method) {
    case "permute":
      return x.permute(...numbers);
    case "expand":
      return x.expand(...numbers);
    case "slice":
      return x.slice(numbers[0], numbers[1], numbers[2], numbers[3]);
    case "transpose":
      return x.transpose(numbers[0], numbers[1]);
    case "flatten":
      return x.flatten(numbers[0]);
    case "channels_last":
      return x.contiguous("channels_last");
    default:
      throw new Error(`no such view: ${method}`);
  }
}

/** The arguments of any case; which are there depends on the operator. */
type Args = F.Conv2dOptions &
  F.ClampOptions &
  F.ReductionOptions &
  F.TopkOptions &
  F.AvgPool2dOptions &
  F.MaxPool2dOptions &
  Omit<F.InterpolateSizes, "mode" | "size"> &
  Omit<F.GridSampleModes, "mode"> & {
    readonly axis?: number;
    readonly eps?: number;
    readonly shape: number[];
    readonly k: number;
    readonly lengths: number | number[];
    readonly count: number;
    readonly kernel: number | Pair;
    readonly size: number | Pair;
    readonly mode: "nearest" & "bilinear";
    readonly shapes: Pair[];
  };

type Run = (i: Record<string, Tensor>, a: Args) => Tensor | Tensor[];

const reduction =
  (f: typeof F.sum): Run =>
  ({ x }, a) =>
    f(x, a.axis, { keepdim: a.keepdim });
const binary =
  (f: typeof F.add): Run =>
  (i) =>
    f(i.a, i.b);
const list = (v: unknown): Tensor[] => v as Tensor[];

const RUN: Readonly<Record<string, Run>> = {
  relu: ({ x }) => F.relu(x),
  relu6: ({ x }) => F.relu6(x),
  silu: ({ x }) => F.silu(x),
  gelu: ({ x }) => F.gelu(x),
  gelu_tanh: ({ x }) => F.gelu(x, { approximate: "tanh" }),
  sigmoid: ({ x }) => F.sigmoid(x),
  exp: ({ x }) => F.exp(x),
  log: ({ x }) => F.log(x),
  sqrt: ({ x }) => F.sqrt(x),
  neg: ({ x }) => F.neg(x),
  sin: ({ x }) => F.sin(x),
  cos: ({ x }) => F.cos(x),
  clamp: ({ x }, a) => F.clamp(x, a),
  softmax: ({ x }, a) => F.softmax(x, a.axis!),
  add: binary(F.add),
  sub: binary(F.sub),
  mul: binary(F.mul),
  div: binary(F.div),
  minimum: binary(F.minimum),
  maximum: binary(F.maximum),
  matmul: ({ a, b }) => F.matmul(a, b),
  linear: ({ x, weight, bias }) => F.linear(x, weight, bias),
  conv2d: ({ x, weight, bias }, a) => F.conv2d(x, weight, bias, a),
  batchNorm: ({ x, mean, var: variance, weight, bias }, a) =>
    F.batchNorm(x, mean, variance, weight, bias, a.eps),
  layerNorm: ({ x, weight, bias }, a) => F.layerNorm(x, a.shape, weight, bias, a.eps),
  sum: reduction(F.sum),
  mean: reduction(F.mean),
  max: reduction(F.max),
  min: reduction(F.min),
  argmax: ({ x }, a) => F.argmax(x, a.axis, { keepdim: a.keepdim }),
  topk: ({ x }, a) => {
    const { values, indices } = F.topk(x, a.k, a.axis, { largest: a.largest });
    return [values, indices];
  },
  gather: ({ x, index }, a) => F.gather(x, a.axis!, index),
  embedding: ({ indices, weight }) => F.embedding(indices, weight),
  cat: ({ xs }, a) => F.cat(list(xs), a.axis),
  stack: ({ xs }, a) => F.stack(list(xs), a.axis),
  split: ({ x }, a) => x.split(a.lengths, a.axis),
  chunk: ({ x }, a) => x.chunk(a.count, a.axis),
  avgPool2d: ({ x }, a) => F.avgPool2d(x, a.kernel, a),
  maxPool2d: ({ x }, a) => F.maxPool2d(x, a.kernel, a),
  adaptiveAvgPool2d: ({ x }, a) => F.adaptiveAvgPool2d(x, a.size),
  interpolate: ({ x }, a) => F.interpolate(x, a),
  gridSample: ({ x, grid }, a) => F.gridSample(x, grid, a),
  deformableAttention: ({ value, locations, weights }, a) =>
    F.deformableAttention(value, a.shapes, locations, weights),
};
