/** Order statistics of measured times. Means are not among them: one interrupted run would move them. */
import { fail } from "../src/errors.ts";

/** Where the middle of a sample lies and how far it spreads. */
export interface Spread {
  readonly min: number;
  /** A quarter of the sample lies below. */
  readonly lower: number;
  readonly median: number;
  /** A quarter of the sample lies above. */
  readonly upper: number;
}

/** The value below which a share `q` in [0, 1] of the sample lies, between neighbours by linear interpolation (NumPy's default). */
export function quantile(sample: readonly number[], q: number): number {
  if (sample.length === 0 || !(q >= 0 && q <= 1)) {
    fail(
      "argument",
      "quantile",
      "a sample that is not empty and a share in [0, 1]",
      `${sample.length} values, ${q}`,
    );
  }
  const sorted = [...sample].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

/** Minimum, quartiles and median of a sample of at least one value. */
export function spreadOf(sample: readonly number[]): Spread {
  const [min, lower, median, upper] = [0, 0.25, 0.5, 0.75].map((q) => quantile(sample, q));
  return { min, lower, median, upper };
}

/** `peer[i] / ours[i]` of two samples that were taken in turn: above 1 where ours is the faster. */
export function ratios(peer: readonly number[], ours: readonly number[]): number[] {
  if (peer.length !== ours.length) {
    fail("argument", "ratios", "two samples of one length", `${peer.length} and ${ours.length}`);
  }
  return peer.map((value, i) => value / ours[i]);
}
