/** Python's index notation on tensors: what numbers, ranges and dots take, and what is refused with which words. */
import { describe, expect, it } from "vitest";
import { sliceTensor } from "../../src/inspect/index.ts";
import { arange } from "../../src/tensor/create.ts";

const x = arange(24).viewAs(2, 3, 4);
const take = (index: string): [readonly number[], number[]] => {
  const view = sliceTensor(x, index);
  return [view.shape, [...(view.toArray() as Float32Array)]];
};

describe("sliceTensor", () => {
  it("numbers take axes away, also from the end; ranges keep them; brackets may be left out", () => {
    expect(take("[1, -1, 2]")).toEqual([[], [22]]);
    expect(take("[+1, 0, +3]")).toEqual([[], [15]]);
    expect(take("1,0")).toEqual([[4], [12, 13, 14, 15]]);
    expect(take("[0, 1:, ::2]")).toEqual([
      [2, 2],
      [4, 6, 8, 10],
    ]);
    expect(take("[:, 0, -2:]")).toEqual([
      [2, 2],
      [2, 3, 14, 15],
    ]);
    expect(take("[..., 3]")).toEqual([
      [2, 3],
      [3, 7, 11, 15, 19, 23],
    ]);
    expect(take("[1, ...]")[0]).toEqual([3, 4]);
    expect(take("[]")[0]).toEqual([2, 3, 4]);
    expect(take("[0, 1, 2:2]")).toEqual([[0], []]);
  });

  it("is a view: nothing is copied", () => {
    expect(sliceTensor(x, "[1]").storage).toBe(x.storage);
  });

  it("refuses what does not fit", () => {
    expect(() => take("[2]")).toThrow(/expected one for \[2, 3, 4\], .* got 2 for axis 0 of 2/);
    expect(() => take("[0, 0, 0, 0]")).toThrow(/got 4 of them/);
    expect(() => take("[a]")).toThrow(/got "a"/);
    expect(() => take("[0:1:2:3]")).toThrow(/got "0:1:2:3"/);
    expect(() => take("[::-1]")).toThrow(/a step of -1/);
    expect(() => take("[::0]")).toThrow(/a step of 0/);
    expect(() => take("[..., ...]")).toThrow(/one \.\.\. is enough/);
    expect(() => take("[[0]]")).toThrow(/got "\[\[0\]\]"/);
    expect(() => take("[0, 1")).toThrow(/got "\[0, 1"/);
    expect(() => take("0]")).toThrow(/got "0\]"/);
    expect(() => take("[1.5]")).toThrow(/got "1.5"/);
  });
});
