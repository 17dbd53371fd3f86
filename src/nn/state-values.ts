/** Numbers that no weights have: NaN, infinities, negative variances. */
import type { TypedArray } from "../backend/backend.ts";
import { formatShape } from "../tensor/shape.ts";

/** What is wrong with a tensor's values, row-major, with the first index and the count; undefined where nothing is. */
export function badValues(name: string, data: TypedArray, shape: readonly number[]): string | undefined {
  if (!(data instanceof Float32Array)) return undefined;
  const isVariance = name.split(".").at(-1) === "running_var";
  if (!isVariance && allFinite(data)) return undefined;
  // A variance of -0 is 0; one below it has no square root.
  const least = isVariance ? 0 : Number.NEGATIVE_INFINITY;
  let first = -1;
  let count = 0;
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (Number.isFinite(value) && value >= least) continue;
    if (first < 0) first = i;
    count++;
  }
  if (first < 0) return undefined;
  const value = data[first];
  const kind = Number.isFinite(value) ? "negative variance " : "";
  const others = count > 1 ? ` and ${count - 1} more` : "";
  return `${name}: ${kind}${value} at ${formatShape(indexOf(first, shape))}${others}`;
}

/** In one sum, because weights have millions: x * 0 is NaN for NaN and infinities, and 0 or -0 for all else. */
function allFinite(data: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] * 0;
  return sum === 0;
}

/** The index in every dimension of a row-major position. */
function indexOf(position: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = position;
  for (let i = shape.length - 1; i >= 0; i--) {
    index.unshift(rest % shape[i]);
    rest = Math.floor(rest / shape[i]);
  }
  return index;
}
