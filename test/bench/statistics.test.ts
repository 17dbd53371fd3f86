import { expect, test } from "vitest";
import { quantile, ratios, spreadOf } from "../../bench/statistics.ts";

test("quantiles equal NumPy's default, whatever the order", () => {
  const sample = [7, 1, 3, 10]; // numpy.quantile([7, 1, 3, 10], [0, .25, .5, .75, 1])
  expect([0, 0.25, 0.5, 0.75, 1].map((q) => quantile(sample, q))).toEqual([1, 2.5, 5, 7.75, 10]);
  expect(sample).toEqual([7, 1, 3, 10]);
});

test("numbers are ordered as numbers: 9 before 10", () => {
  expect(spreadOf([10, 9, 100])).toEqual({ min: 9, lower: 9.5, median: 10, upper: 55 });
});

test("one value is its own spread, none is an error", () => {
  expect(spreadOf([4])).toEqual({ min: 4, lower: 4, median: 4, upper: 4 });
  expect(() => spreadOf([])).toThrow(/a sample that is not empty/);
});

test("ratios go round by round and want as many rounds on both sides", () => {
  expect(ratios([30, 10], [10, 20])).toEqual([3, 0.5]);
  expect(() => ratios([1], [1, 2])).toThrow(/1 and 2/);
});
