/** What `profile.ts` makes of a plan's steps: sums by kernel and the slowest steps, against the machine's peak. */
import type { StepProfile } from "../src/compile/plan.ts";

/** Steps of one kernel together. */
export interface KernelGroup {
  readonly kernel: string;
  readonly steps: number;
  readonly milliseconds: number;
  /** Of the time of all steps, in [0, 1]. */
  readonly share: number;
  readonly multiplyAdds: number;
  /** Two operations a multiply-add; 0 where it has none. */
  readonly gflops: number;
  /** Of the peak, 1 being all of it. */
  readonly ofPeak: number;
}

/** Sums by kernel, most time first; `peak` in GFLOP/s of all threads. */
export function byKernel(steps: readonly StepProfile[], peak: number): KernelGroup[] {
  const whole = steps.reduce((sum, step) => sum + step.milliseconds, 0);
  const sums = new Map<string, { steps: number; milliseconds: number; multiplyAdds: number }>();
  for (const { kernel, milliseconds, multiplyAdds } of steps) {
    const sum = sums.get(kernel) ?? { steps: 0, milliseconds: 0, multiplyAdds: 0 };
    sum.steps++;
    sum.milliseconds += milliseconds;
    sum.multiplyAdds += multiplyAdds;
    sums.set(kernel, sum);
  }
  return [...sums]
    .map(([kernel, sum]) => {
      const gflops = rate(sum.multiplyAdds, sum.milliseconds);
      return {
        kernel,
        ...sum,
        share: whole > 0 ? sum.milliseconds / whole : 0,
        gflops,
        ofPeak: gflops / peak,
      };
    })
    .sort((a, b) => b.milliseconds - a.milliseconds);
}

/** The `count` steps that take longest, longest first. */
export function slowest(steps: readonly StepProfile[], count: number): StepProfile[] {
  return [...steps].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, count);
}

/** GFLOP/s; 0 of no time, which a clock may tell of a short step. */
export function rate(multiplyAdds: number, milliseconds: number): number {
  return milliseconds > 0 ? (2 * multiplyAdds) / (milliseconds * 1e6) : 0;
}
