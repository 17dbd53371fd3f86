/** Why, for what takes one number at a time: activations, and norms, which move and scale it. */

import { erfc } from "../backend/reference/erf.ts";
import {
  type AnyModule,
  type BatchNorm2d,
  GELU,
  type LayerNorm,
  ReLU,
  ReLU6,
  Sigmoid,
  SiLU,
} from "../nn/index.ts";
import { exp, tanh } from "../portable-math.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Arithmetic } from "./why.ts";

const FUNCTIONS: readonly [
  kind: new (...args: never[]) => AnyModule,
  formula: string,
  f: (x: number, module: AnyModule) => number,
][] = [
  [ReLU6 as never, "min(max(x, 0), 6)", (x) => Math.min(Math.max(x, 0), 6)],
  [ReLU as never, "max(x, 0)", (x) => Math.max(x, 0)],
  [SiLU as never, "x / (1 + exp(-x))", (x) => x / (1 + exp(-x))],
  [Sigmoid as never, "1 / (1 + exp(-x))", (x) => 1 / (1 + exp(-x))],
  [
    GELU as never,
    "x * (1 + erf(x / sqrt(2))) / 2",
    (x, module) =>
      (module as unknown as GELU).approximate === "tanh"
        ? 0.5 * x * (1 + tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)))
        : 0.5 * x * erfc(-x * Math.SQRT1_2),
  ],
];

/** y = f(x); undefined for a module that is no activation. */
export function explainActivation(
  module: AnyModule,
  x: Tensor,
  index: readonly number[],
): Arithmetic | undefined {
  const found = FUNCTIONS.find(([kind]) => module instanceof kind);
  if (!found) return undefined;
  const [, formula, f] = found;
  const value = Number(x.at(...index));
  const factor = { name: "input", index, value };
  return {
    formula: `${formula}, x = ${short(value)}`,
    value: f(value, module),
    bias: 0,
    terms: [{ factors: [factor], contribution: value }],
  };
}

/** y = (x - mean) / sqrt(var + eps) * weight + bias, all of the channel. */
export function explainBatchNorm(module: BatchNorm2d, x: Tensor, index: readonly number[]): Arithmetic {
  const c = index[1];
  const of = (tensor: Tensor | undefined, none: number): number => (tensor ? Number(tensor.at(c)) : none);
  const [mean, variance] = [of(module.running_mean, Number.NaN), of(module.running_var, Number.NaN)];
  return normalised(x, index, {
    mean,
    variance,
    eps: module.eps,
    weight: of(module.weight, 1),
    bias: of(module.bias, 0),
    at: [c],
    ofRow: false,
  });
}

/** The same with mean and variance of the element's own row. */
export function explainLayerNorm(module: LayerNorm, x: Tensor, index: readonly number[]): Arithmetic {
  const axes = module.normalizedShape.length;
  const at = index.slice(index.length - axes);
  let row = x;
  for (const i of index.slice(0, index.length - axes)) row = row.select(0, i);
  const values = Float64Array.from(row.toArray() as Float32Array);
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  const of = (tensor: Tensor | undefined, none: number): number => (tensor ? Number(tensor.at(...at)) : none);
  return normalised(x, index, {
    mean,
    variance,
    eps: module.eps,
    weight: of(module.weight, 1),
    bias: of(module.bias, 0),
    at,
    ofRow: true,
  });
}

interface Norm {
  readonly mean: number;
  readonly variance: number;
  readonly eps: number;
  readonly weight: number;
  readonly bias: number;
  /** Index of weight and bias. */
  readonly at: readonly number[];
  /** Whether mean and variance are the row's, and no parameters. */
  readonly ofRow: boolean;
}

/** As two summands: what the element gives, and what is the same for all of its channel or row. */
function normalised(
  x: Tensor,
  index: readonly number[],
  { mean, variance, eps, weight, bias, at, ofRow }: Norm,
): Arithmetic {
  const input = Number(x.at(...index));
  const scale = weight / Math.sqrt(variance + eps);
  const by = { name: "weight / sqrt(variance + eps)", index: at, value: scale };
  const taken = { name: ofRow ? "-the row's mean" : "-running_mean", index: ofRow ? [] : at, value: -mean };
  return {
    formula: `(x - ${short(mean)}) / sqrt(${short(variance)} + ${eps}) * ${short(weight)} + ${short(bias)}, x = ${short(input)}`,
    value: (input - mean) * scale + bias,
    bias,
    terms: [
      { factors: [{ name: "input", index, value: input }, by], contribution: input * scale },
      { factors: [taken, by], contribution: -mean * scale },
    ],
  };
}

function short(x: number): string {
  return String(Number(x.toPrecision(5)));
}
