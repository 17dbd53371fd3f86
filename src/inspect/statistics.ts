/** What a tensor's numbers are like, in double precision. */
import { fail } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Of the finite elements, but for the counts. */
export interface TensorStatistics {
  /** Number of elements, all of them. */
  readonly count: number;
  /** NaN where there is no finite element, as are `max`, `mean` and `std`. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Of the population (divided by the count), not of a sample. */
  readonly std: number;
  /** Share of all elements that are 0, in [0, 1]. */
  readonly zeros: number;
  readonly nan: number;
  /** Infinite elements of either sign. */
  readonly inf: number;
  /** Finite elements in bins of equal width from `min` to `max`, the last one closed. */
  readonly histogram: Uint32Array;
}

const BINS = 32;

/** Statistics of a tensor of any dtype and strides; `bins` >= 1 of the histogram. */
export function tensorStatistics(x: Tensor, bins = BINS): TensorStatistics {
  if (!Number.isInteger(bins) || bins < 1)
    fail("argument", "tensorStatistics", "bins: a whole number >= 1", String(bins));
  const values = x.toArray();
  const numbers: ArrayLike<number> =
    values instanceof BigInt64Array ? Float64Array.from(values, Number) : values;
  return statisticsOf(numbers, bins);
}

/** {@link tensorStatistics} of numbers by themselves. */
export function statisticsOf(values: ArrayLike<number>, bins = BINS): TensorStatistics {
  const count = values.length;
  let [min, max, sum] = [Infinity, -Infinity, 0];
  let [finite, zeros, nan] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const v = values[i];
    if (v - v !== 0) {
      if (Number.isNaN(v)) nan++;
      continue; // NaN or infinite
    }
    finite++;
    sum += v;
    if (v === 0) zeros++;
    if (v < min) min = v;
    if (v > max) max = v;
  }
  const histogram = new Uint32Array(bins);
  const share = count > 0 ? zeros / count : 0;
  const counts = { count, zeros: share, nan, inf: count - finite - nan, histogram };
  if (finite === 0) return { ...counts, min: Number.NaN, max: Number.NaN, mean: Number.NaN, std: Number.NaN };
  const mean = sum / finite;
  const scale = max > min ? bins / (max - min) : 0;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const v = values[i];
    if (v - v !== 0) continue;
    squares += (v - mean) * (v - mean);
    histogram[Math.min(Math.floor((v - min) * scale), bins - 1)]++;
  }
  return { ...counts, min, max, mean, std: Math.sqrt(squares / finite) };
}
