/** What a tensor's numbers are like, with a histogram. */
import type { TypedArray } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { statsOf, type TensorStats } from "../tensor/statistics.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Of the finite elements, but for the counts and `zeros`, which are of all. */
export interface TensorStatistics extends TensorStats {
  /** Number of elements. */
  readonly count: number;
  /** Finite elements in bins of equal width from `min` to `max`, the last one closed. */
  readonly histogram: Uint32Array;
}

const BINS = 32;

/** Statistics of a tensor of any dtype and strides; `bins` >= 1 of the histogram. */
export function tensorStatistics(x: Tensor, bins = BINS): TensorStatistics {
  return statisticsOf(x.toArray(), bins);
}

/** {@link tensorStatistics} of numbers by themselves. */
export function statisticsOf(values: TypedArray | Float64Array, bins = BINS): TensorStatistics {
  if (!Number.isInteger(bins) || bins < 1)
    fail("argument", "statistics", "bins: a whole number >= 1", String(bins));
  const stats = statsOf(values);
  const { min, max } = stats;
  const histogram = new Uint32Array(bins);
  const scale = max > min ? bins / (max - min) : 0;
  for (const value of values) {
    const v = Number(value);
    if (Number.isFinite(v)) histogram[Math.min(Math.floor((v - min) * scale), bins - 1)]++;
  }
  return { ...stats, count: values.length, histogram };
}
