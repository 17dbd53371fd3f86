/** Reductions over one axis. */
import type { ReduceOp, Strided } from "../backend.ts";
import { dropAxis, f32, forEachRow, without } from "./rows.ts";

/** Reduces `axis`; out has x's shape without it. Of nothing: a sum is 0, a mean NaN, max -inf, min +inf. */
export function reduce(op: ReduceOp, x: Strided, axis: number, out: Strided): void {
  const d = x.shape[axis];
  const a = f32(x);
  const step = x.strides[axis];
  const y = out.storage.data as Float32Array | Int32Array;
  const of = REDUCERS[op];
  forEachRow(without(x.shape, axis), [out, dropAxis(x, axis)], (n, [o, i], [os, is]) => {
    for (let k = 0; k < n; k++) y[o + k * os] = of(a, i + k * is, step, d);
  });
}

type Reducer = (a: Float32Array, at: number, step: number, n: number) => number;

function sum(a: Float32Array, at: number, step: number, n: number): number {
  let total = 0;
  for (let k = 0; k < n; k++) total += a[at + k * step];
  return total;
}

function max(a: Float32Array, at: number, step: number, n: number): number {
  let best = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < n; k++) best = Math.max(best, a[at + k * step]); // Math.max propagates NaN
  return best;
}

function min(a: Float32Array, at: number, step: number, n: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let k = 0; k < n; k++) best = Math.min(best, a[at + k * step]);
  return best;
}

function argmax(a: Float32Array, at: number, step: number, n: number): number {
  let best = 0;
  for (let k = 0; k < n; k++) {
    const v = a[at + k * step];
    if (Number.isNaN(v)) return k;
    if (v > a[at + best * step]) best = k;
  }
  return best;
}

const REDUCERS: Readonly<Record<ReduceOp, Reducer>> = {
  sum,
  mean: (a, at, step, n) => sum(a, at, step, n) / n,
  max,
  min,
  argmax,
};
