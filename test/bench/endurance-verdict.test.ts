import { expect, test } from "vitest";
import { judge } from "../../bench/endurance-verdict.ts";

const BOUNDS = { growthMiB: 16, slowdown: 1.1 };
const mib = (...values: readonly number[]): number[] => values.map((v) => v * 2 ** 20);

test("memory that rises at first and then goes up and down is flat", () => {
  const rss = mib(150, 180, 200, 210, 214, 205, 212, 204, 213, 206);
  const { growthMiB, faults } = judge(rss, [100, 101], [102, 100], BOUNDS);
  expect(Math.abs(growthMiB)).toBeLessThan(9);
  expect(faults).toEqual([]);
});

test("memory that grows by 7 MiB a sample is a fault: 21 MiB between the halves of the second half", () => {
  const rss = mib(...Array.from({ length: 10 }, (_, i) => 200 + 7 * i));
  const { growthMiB, faults } = judge(rss, [100], [100], BOUNDS);
  expect(growthMiB).toBeCloseTo(21, 9);
  expect(faults).toEqual([expect.stringMatching(/memory grew by 21\.0 MiB/)]);
});

test("medians decide about the pace: one slow inference does not", () => {
  const rss = mib(1, 1);
  expect(judge(rss, [100, 100, 100], [100, 100, 900], BOUNDS).faults).toEqual([]);
  expect(judge(rss, [100, 100, 100], [120, 111, 100], BOUNDS).faults).toEqual([
    expect.stringMatching(/took 1\.11 times/),
  ]);
  expect(judge(rss, [100], [Number.NaN], BOUNDS).faults.length).toBe(1);
});
