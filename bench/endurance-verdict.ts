/** Whether many inferences in a row have kept their memory and their pace: what `endurance.ts` decides by. */
import { quantile } from "./statistics.ts";

/** What is allowed. */
export interface Bounds {
  /** Of the resident set over the second half of the run. */
  readonly growthMiB: number;
  /** The last hundred's median over the first's. */
  readonly slowdown: number;
}

/** What was found. */
export interface Verdict {
  readonly growthMiB: number;
  readonly slowdown: number;
  /** What is beyond its bound, in words; none if all is well. */
  readonly faults: readonly string[];
}

const MIB = 2 ** 20;

/**
 * `rssBytes` are samples at even distances over the whole run, two at least; `firstMs` and `lastMs` the times of the first
 * and the last inferences. Growth is from the median of the third quarter's samples to that of the fourth's: single
 * samples go up and down with the collector.
 */
export function judge(
  rssBytes: readonly number[],
  firstMs: readonly number[],
  lastMs: readonly number[],
  bounds: Bounds,
): Verdict {
  const half = rssBytes.slice(Math.floor((rssBytes.length - 1) / 2));
  const middle = Math.ceil(half.length / 2);
  const growthMiB = (quantile(half.slice(middle), 0.5) - quantile(half.slice(0, middle), 0.5)) / MIB;
  const slowdown = quantile(lastMs, 0.5) / quantile(firstMs, 0.5);
  const faults: string[] = [];
  if (!(growthMiB <= bounds.growthMiB)) {
    faults.push(
      `memory grew by ${growthMiB.toFixed(1)} MiB over the second half (allowed: ${bounds.growthMiB})`,
    );
  }
  if (!(slowdown <= bounds.slowdown)) {
    faults.push(
      `the last inferences took ${slowdown.toFixed(2)} times the first (allowed: ${bounds.slowdown})`,
    );
  }
  return { growthMiB, slowdown, faults };
}
