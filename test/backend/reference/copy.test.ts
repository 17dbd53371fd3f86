/** Copies and fills: every pair of dtypes, any strides. */
import { describe, expect, it } from "vitest";
import type { DType } from "../../../src/backend/backend.ts";
import { referenceBackend } from "../../../src/backend/reference/reference.ts";
import { arange, full, tensor } from "../../../src/tensor/create.ts";

const DTYPES: readonly DType[] = ["f32", "i32", "i64", "u8"];

describe("copy", () => {
  for (const from of DTYPES) {
    for (const to of DTYPES) {
      it(`${from} to ${to} keeps small whole numbers`, () => {
        const x = tensor(
          [
            [0, 1, 2],
            [100, 200, 255],
          ],
          undefined,
          { dtype: from },
        );
        const out = full([3, 2], 9, { dtype: to });
        out.transpose(0, 1).copyFrom(x);
        expect(out.toNested()).toEqual([
          [0, 100],
          [1, 200],
          [2, 255],
        ]);
      });
    }
  }

  it("truncates floats towards 0, as PyTorch", () => {
    const x = tensor([1.9, -1.9, 0.5, -0.5, 16777216]);
    const whole = [1, -1, 0, 0, 16777216];
    expect(full([5], 0, { dtype: "i32" }).copyFrom(x).toNested().toString()).toBe(whole.toString());
    expect(full([5], 0, { dtype: "i64" }).copyFrom(x).toNested()).toEqual(whole);
  });

  it("makes the least i64 of what no integer stands for", () => {
    const out = full([2], 0, { dtype: "i64" })
      .copyFrom(tensor([NaN, Infinity]))
      .toArray();
    expect(out).toEqual(BigInt64Array.of(-(2n ** 63n), -(2n ** 63n)));
  });

  it("wraps to the narrower integer", () => {
    const wide = tensor([2 ** 32 + 5, -1, 300], undefined, { dtype: "i64" });
    expect(full([3], 0, { dtype: "i32" }).copyFrom(wide).toNested()).toEqual([5, -1, 300]);
    expect(full([3], 0, { dtype: "u8" }).copyFrom(wide).toNested()).toEqual([5, 255, 44]);
  });

  it("wraps exactly where a double could not hold the integer", () => {
    const big = tensor(BigInt64Array.of(2n ** 60n + 3n, -(2n ** 60n) - 3n));
    expect(full([2], 0, { dtype: "i32" }).copyFrom(big).toNested()).toEqual([3, -3]);
  });

  it("keeps 64-bit integers that a double cannot hold", () => {
    const big = BigInt64Array.of(2n ** 62n + 1n);
    expect(full([1], 0, { dtype: "i64" }).copyFrom(tensor(big)).toArray()).toEqual(big);
  });
});

describe("fill", () => {
  it.each(DTYPES)("%s: every element of a view, and no other", (dtype) => {
    const base = full([4, 5], 1, { dtype });
    const view = base.slice(1, 0, 5, 2).slice(0, 1, 3).transpose(0, 1);
    referenceBackend.fill(view, 7);
    const expected = arange(20).toNested() as number[];
    const nested = (base.toNested() as number[][]).flat();
    expected.forEach((_, i) => {
      const [row, column] = [Math.floor(i / 5), i % 5];
      expect(nested[i]).toBe((row === 1 || row === 2) && column % 2 === 0 ? 7 : 1);
    });
  });
});
