/** Ties and NaN of topk, which PyTorch leaves open or are not in its goldens; the same on every backend. */
import { afterAll, describe, expect, it } from "vitest";
import * as F from "../../src/ops/index.ts";
import { tensor } from "../../src/tensor/create.ts";
import { openBackends } from "../backends.ts";

const backends = openBackends();
afterAll(async () => {
  for (const { close } of backends) await close();
});

describe.each(backends)("topk on $name", ({ backend }) => {
  const list = (x: number[], k: number, largest = true): [unknown, unknown] => {
    const { values, indices } = F.topk(tensor(x, undefined, { backend }), k, -1, { largest });
    return [values.toNested(), indices.toNested()];
  };

  it("ties go to the lowest index, both ways", () => {
    expect(list([1, 3, 2, 3, 1, 3], 4)).toEqual([
      [3, 3, 3, 2],
      [1, 3, 5, 2],
    ]);
    expect(list([1, 3, 2, 3, 1, 3], 4, false)).toEqual([
      [1, 1, 2, 3],
      [0, 4, 2, 1],
    ]);
    expect(list([5, 5, 5, 5], 2)).toEqual([
      [5, 5],
      [0, 1],
    ]);
    expect(list([-0, 0, -0], 3)[1]).toEqual([0, 1, 2]);
  });

  it("NaN is greatest, equal to itself, above +inf", () => {
    expect(list([1, NaN, Infinity, NaN], 3)).toEqual([
      [NaN, NaN, Infinity],
      [1, 3, 2],
    ]);
    expect(list([1, NaN, -Infinity, NaN], 4, false)).toEqual([
      [-Infinity, 1, NaN, NaN],
      [2, 0, 1, 3],
    ]);
  });

  it("infinities tie among themselves", () => {
    expect(list([-Infinity, Infinity, -Infinity, Infinity], 4)[1]).toEqual([1, 3, 0, 2]);
  });

  it("argmax agrees: the lowest index of the greatest, NaN first of all", () => {
    const argmax = (x: number[]): number => F.argmax(tensor(x, undefined, { backend })).item();
    expect(argmax([1, 3, 3])).toBe(1);
    expect(argmax([1, NaN, 3, NaN])).toBe(1);
    expect(argmax([-Infinity, -Infinity])).toBe(0);
  });
});
