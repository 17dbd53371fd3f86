/** Comparing arrays of numbers under a tolerance, with a message that says where and by how much they differ. */
import type { Tolerance } from "./tolerances.ts";

/** Numbers of any dtype. */
export type Numbers = ArrayLike<number> | ArrayLike<bigint>;

/** The largest deviations of two arrays, and the first element that fails the tolerance. */
export interface Deviation {
  readonly maxAbs: number;
  readonly maxRel: number;
  /** Empty where all is well; else which element fails, both values and the bound. */
  readonly failure: string;
}

/** Compares element by element; NaN equals NaN, infinities must be the same ones, 0 and -0 are equal. */
export function deviation(actual: Numbers, expected: Numbers, tolerance: Tolerance): Deviation {
  if (actual.length !== expected.length) {
    return {
      maxAbs: Infinity,
      maxRel: Infinity,
      failure: `${actual.length} elements for ${expected.length}`,
    };
  }
  let [maxAbs, maxRel, worst] = [0, 0, 0];
  let failure = "";
  let failures = 0;
  for (let i = 0; i < actual.length; i++) {
    const a = Number(actual[i]);
    const e = Number(expected[i]);
    if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const abs = Number.isFinite(a) && Number.isFinite(e) ? Math.abs(a - e) : Infinity;
    maxAbs = Math.max(maxAbs, abs);
    maxRel = Math.max(maxRel, abs / Math.abs(e));
    const bound = tolerance.abs + tolerance.rel * Math.abs(e);
    if (abs <= bound) continue;
    failures++;
    if (abs / bound > worst || failure === "") {
      worst = abs / bound;
      failure = `element ${i}: ${a} for ${e}, off by ${abs}, bound ${bound}`;
    }
  }
  if (failures > 0) failure = `${failures} of ${actual.length} elements fail, worst ${failure}`;
  return { maxAbs, maxRel, failure };
}
