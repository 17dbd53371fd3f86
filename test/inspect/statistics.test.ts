/** Statistics of a tensor with a histogram: which bin a number falls into, what is left out. */
import { describe, expect, it } from "vitest";
import { statisticsOf, tensorStatistics } from "../../src/inspect/index.ts";
import { tensor } from "../../src/tensor/create.ts";

describe("tensorStatistics", () => {
  it("bins are of equal width from the least to the greatest, the last one closed", () => {
    expect([...tensorStatistics(tensor([0, 1, 2, 3, 4], [5]), 4).histogram]).toEqual([1, 1, 1, 2]);
    expect([...statisticsOf(Float64Array.of(-1, -0.51, -0.49, 1), 4).histogram]).toEqual([2, 1, 0, 1]);
  });

  it("one value is in the first bin; what is not finite in none; none at all is no error", () => {
    expect([...statisticsOf(Float32Array.of(7, 7), 3).histogram]).toEqual([2, 0, 0]);
    const odd = statisticsOf(Float32Array.of(Number.NaN, 1, Infinity, 2), 2);
    expect([[...odd.histogram], odd.count, odd.nan, odd.inf]).toEqual([[1, 1], 4, 1, 1]);
    const empty = tensorStatistics(tensor([], [0]), 2);
    expect([[...empty.histogram], empty.count, empty.mean]).toEqual([[0, 0], 0, Number.NaN]);
  });

  it("takes whole numbers and views; refuses a number of bins that is none", () => {
    const x = tensor([5, 1, 2, 9], [2, 2], { dtype: "i32" });
    expect(tensorStatistics(x.select(1, 0))).toMatchObject({ min: 2, max: 5, mean: 3.5, count: 2 });
    for (const bins of [0, 1.5, -1])
      expect(() => tensorStatistics(x, bins)).toThrow(/bins: a whole number >= 1/);
  });
});
