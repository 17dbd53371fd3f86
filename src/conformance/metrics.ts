/**
 * How far a tensor is from its golden: one pass over both, nothing allocated but for dtypes that must be widened. What is
 * allowed is in `tolerances.ts`, what follows from it in `compare.ts`.
 *
 * NaN equals NaN and an infinity the same infinity; 0 and -0 are equal. A NaN or an infinity for anything else is out of every
 * tolerance, and keeps out of the sums of cosine and signal-to-noise ratio, which speak of the finite elements.
 */
import { fail } from "../errors.ts";
import type { HostTensor } from "./host-tensor.ts";
import { numbersOf } from "./numbers.ts";
import type { Metrics } from "./verdict.ts";

/** What an element may be off: |got - expected| <= abs + rel * |expected|. */
export interface Bound {
  /** In the tensor's own unit. */
  readonly abs: number;
  /** A share of |expected|. */
  readonly rel: number;
}

/** What {@link measure} can be told besides. */
export interface MeasureOptions {
  /** Sampled goldens: the flat position in `got` of each element of `expected`. Default: element i is at i. */
  readonly positions?: ArrayLike<number>;
  /** Expected elements below this in magnitude are left out of `maxRel`. Default: `bound.abs`, so that noise about 0 is no news. */
  readonly floor?: number;
}

const bits = new DataView(new ArrayBuffer(8));

/** The place of x, rounded to f32, among all f32 numbers in their order: neighbours differ by 1, both zeros are 0. */
function ordinal(x: number): number {
  bits.setFloat32(0, x);
  const pattern = bits.getInt32(0);
  return pattern < 0 ? -(pattern & 0x7fffffff) : pattern;
}

/** Distance in units in the last place of f32; Infinity where only one is NaN, or the infinities differ. 0 and -0: 0. */
export function ulpDistance(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  if (!Number.isFinite(a) || !Number.isFinite(b)) return Number.POSITIVE_INFINITY;
  return Math.abs(ordinal(a) - ordinal(b));
}

/**
 * Measures `got` against `expected`, which holds as many elements, or those at `positions`. Throws `argument` where the numbers
 * of elements do not fit. Of nothing at all: distances 0, cosine NaN, ratio Infinity.
 */
export function measure(
  expected: HostTensor,
  got: HostTensor,
  bound: Bound,
  options: MeasureOptions = {},
): Metrics {
  const e = numbersOf(expected);
  const g = numbersOf(got);
  const { positions, floor = bound.abs } = options;
  const count = e.length;
  if (positions === undefined ? g.length !== count : positions.length !== count) {
    const wanted = `${positions === undefined ? count : positions.length} elements`;
    fail("argument", "measure", wanted, `${positions === undefined ? g.length : count}`);
  }
  let maxAbs = 0;
  let maxAbsAt = count === 0 ? -1 : 0;
  let worst = 0; // |got - expected| in multiples of what is allowed
  let worstAt = maxAbsAt;
  let maxRel = 0;
  let maxUlp = 0;
  let outside = 0;
  let nonFinite = 0;
  let dot = 0;
  let expectedSquares = 0;
  let gotSquares = 0;
  let errorSquares = 0;
  for (let i = 0; i < count; i++) {
    const at = positions === undefined ? i : positions[i];
    const x = e[i];
    const y = g[at];
    if (x === y) {
      if (Number.isFinite(x)) {
        const square = x * x;
        dot += square;
        expectedSquares += square;
        gotSquares += square;
      }
      continue;
    }
    const finiteX = Number.isFinite(x);
    const finiteY = Number.isFinite(y);
    if (!finiteX || !finiteY) {
      if (Number.isNaN(x) && Number.isNaN(y)) continue;
      if (!finiteY) nonFinite++;
      outside++;
      if (maxAbs !== Number.POSITIVE_INFINITY) maxAbsAt = worstAt = at;
      worst = Number.POSITIVE_INFINITY;
      maxAbs = maxRel = maxUlp = Number.POSITIVE_INFINITY;
      continue;
    }
    const difference = Math.abs(y - x);
    const size = Math.abs(x);
    if (difference > maxAbs) {
      maxAbs = difference;
      maxAbsAt = at;
    }
    if (size > floor) maxRel = Math.max(maxRel, difference / size);
    maxUlp = Math.max(maxUlp, ulpDistance(x, y));
    const allowed = bound.abs + bound.rel * size;
    if (difference > allowed) outside++;
    if (difference / allowed > worst) {
      worst = difference / allowed;
      worstAt = at;
    }
    dot += x * y;
    expectedSquares += x * x;
    gotSquares += y * y;
    errorSquares += difference * difference;
  }
  return {
    count,
    maxAbs,
    maxAbsAt,
    worstAt,
    maxRel,
    maxUlp,
    // One of the two is zero: no direction. Rounding may carry the quotient past 1.
    cosine:
      expectedSquares === 0 || gotSquares === 0
        ? Number.NaN
        : Math.max(-1, Math.min(1, dot / Math.sqrt(expectedSquares) / Math.sqrt(gotSquares))),
    snr: errorSquares === 0 ? finiteRatio(nonFinite) : 10 * Math.log10(expectedSquares / errorSquares),
    outside: count === 0 ? 0 : outside / count,
    nonFinite,
  };
}

/** No finite element differs: nothing to hear, unless non-finite ones are all the difference there is. */
function finiteRatio(nonFinite: number): number {
  return nonFinite > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Mean and population standard deviation of the finite elements; zeros where there are none. */
export function spreadOf(tensor: HostTensor): { readonly mean: number; readonly std: number } {
  const x = numbersOf(tensor);
  let n = 0;
  let mean = 0;
  let squares = 0;
  for (let i = 0; i < x.length; i++) {
    if (!Number.isFinite(x[i])) continue;
    const off = x[i] - mean;
    n++;
    mean += off / n; // Welford: no cancellation for a small spread about a large mean
    squares += off * (x[i] - mean);
  }
  return { mean, std: n === 0 ? 0 : Math.sqrt(squares / n) };
}
