/** What a tensor's numbers are like. */
import type { TypedArray } from "../backend/backend.ts";
import type { Tensor } from "./tensor.ts";

/** Minimum, maximum, mean, standard deviation (unbiased, as PyTorch's) and counts over all elements. */
export interface TensorStats {
  /** Of the finite elements, as `max`, `mean` and `std`. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Over n - 1, as PyTorch's; NaN of one element. */
  readonly std: number;
  /** Share of elements that are exactly 0. */
  readonly zeros: number;
  /** How many elements. */
  readonly nan: number;
  /** How many elements, of either sign. */
  readonly inf: number;
}

/** Statistics of the finite elements, in double precision; all NaN where there are none. */
export function tensorStats(x: Tensor): TensorStats {
  return statsOf(x.toArray());
}

/** {@link tensorStats} of numbers by themselves. */
export function statsOf(data: TypedArray | Float64Array): TensorStats {
  let [min, max, sum, zeros, nan, inf] = [Infinity, -Infinity, 0, 0, 0, 0];
  let count = 0;
  for (const element of data) {
    const v = Number(element);
    if (Number.isNaN(v)) nan++;
    else if (!Number.isFinite(v)) inf++;
    else {
      if (v < min) min = v;
      if (v > max) max = v;
      if (v === 0) zeros++;
      sum += v;
      count++;
    }
  }
  if (count === 0) return { min: NaN, max: NaN, mean: NaN, std: NaN, zeros: 0, nan, inf };
  const mean = sum / count;
  let squares = 0;
  for (const element of data) {
    const v = Number(element);
    if (Number.isFinite(v)) squares += (v - mean) * (v - mean);
  }
  return { min, max, mean, std: Math.sqrt(squares / (count - 1)), zeros: zeros / data.length, nan, inf };
}
