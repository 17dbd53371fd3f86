/** Views that follow their elements to other places. */
import { describe, expect, it } from "vitest";
import { Graph, type View } from "../../src/compile/graph.ts";
import { isWhole, moveView } from "../../src/compile/views.ts";
import { contiguousStrides, sizeOf } from "../../src/tensor/shape.ts";

function places(view: View): number[] {
  let list = [view.offset];
  view.shape.forEach((n, axis) => {
    list = list.flatMap((at) => Array.from({ length: n }, (_, i) => at + i * view.strides[axis]));
  });
  return list;
}

const graph = new Graph();
const dense = (shape: number[], order = shape.map((_, i) => i)): View => {
  const packed = contiguousStrides(order.map((i) => shape[i]));
  const strides = shape.map((_, i) => packed[order.indexOf(i)]);
  return { value: graph.value("f32", sizeOf(shape)), shape, strides, offset: 0 };
};

describe("moveView", () => {
  const from = dense([2, 3, 4, 5]);
  const targets: [string, View][] = [
    ["a slice of a wider value", { ...dense([2, 7, 4, 5]), shape: [2, 3, 4, 5], offset: 20 }],
    ["channels last", dense([2, 3, 4, 5], [0, 2, 3, 1])],
    ["rows apart", { ...dense([2, 3, 4, 8]), shape: [2, 3, 4, 5], offset: 2 }],
    ["one value, broadcast", { ...dense([1]), shape: [2, 3, 4, 5], strides: [0, 0, 0, 0] }],
  ];
  const views: [string, View][] = [
    ["itself", from],
    ["flattened", { ...from, shape: [6, 20], strides: [20, 1] }],
    ["permuted", { ...from, shape: [5, 4, 3, 2], strides: [1, 5, 20, 60] }],
    ["a slice", { ...from, shape: [2, 1, 2, 3], offset: 26 }],
    ["every second", { ...from, shape: [2, 3, 2, 2], strides: [60, 20, 10, 2], offset: 1 }],
    ["flat", { ...from, shape: [120], strides: [1] }],
    ["a run across rows", { ...from, shape: [8], strides: [1], offset: 3 }],
  ];
  for (const [target, to] of targets) {
    it.each(views)(`to ${target}: %s shows the same elements, or nothing`, (_, view) => {
      const moved = moveView(view, from, to);
      const home = new Map(places(from).map((at, i) => [at, places(to)[i]]));
      const expected = places(view).map((at) => home.get(at));
      if (moved) expect(places(moved)).toEqual(expected);
      else {
        const steps = new Set(expected.slice(1).map((at, i) => (at ?? 0) - (expected[i] ?? 0)));
        expect(steps.size).toBeGreaterThan(1);
      }
    });
  }

  it("shows a flattened map in a slice of channels-last memory, and refuses what has no strides there", () => {
    const map = dense([1, 8, 4, 4], [0, 2, 3, 1]);
    const slice: View = { ...dense([1, 20, 8]), shape: [1, 16, 8], offset: 32 };
    const tokens: View = { ...map, shape: [1, 16, 8], strides: [128, 8, 1] };
    expect(moveView(map, tokens, slice)?.strides.slice(1)).toEqual([1, 32, 8]);
    expect(moveView({ ...from, shape: [120], strides: [1] }, from, targets[1][1])).toBeUndefined();
  });

  it("moves nothing from a view that is not whole", () => {
    const part: View = { ...from, shape: [2, 3, 4, 4] };
    expect(isWhole(part)).toBe(false);
    expect(moveView(part, part, dense([2, 3, 4, 4]))).toBeUndefined();
  });
});
