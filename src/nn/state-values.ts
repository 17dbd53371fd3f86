/** Numbers that no weights have: NaN, infinities, negative variances. */
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What is wrong with a dense tensor's values, with the first index and the count; undefined where nothing is. */
export function badValues(name: string, tensor: Tensor): string | undefined {
  if (tensor.dtype !== "f32") return undefined;
  const data = tensor.storage.data as Float32Array;
  // A variance of -0 is 0; one below it has no square root.
  const least = name.split(".").at(-1) === "running_var" ? 0 : Number.NEGATIVE_INFINITY;
  let first = -1;
  let count = 0;
  for (let i = 0; i < tensor.size; i++) {
    const value = data[i];
    if (value - value === 0 && value >= least) continue; // x - x is NaN for NaN and infinities
    if (first < 0) first = i;
    count++;
  }
  if (first < 0) return undefined;
  const value = data[first];
  const kind = Number.isFinite(value) ? "negative variance " : "";
  const others = count > 1 ? ` and ${count - 1} more` : "";
  return `${name}: ${kind}${value} at ${formatShape(indexOf(first, tensor.shape))}${others}`;
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
