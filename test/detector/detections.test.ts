/** Post-processing: which queries become detections, and what their numbers are. */
import { describe, expect, it } from "vitest";
import { classNumbers, selectDetections } from "../../src/detector/detections.ts";

const NAMES = ["cat", "dog"];

/** Rows of cx, cy, w, h, and two scores. */
const OUTPUT = Float32Array.of(
  ...[0.5, 0.5, 0.2, 0.4, 0.3, 0.9],
  ...[0.1, 0.1, 0.4, 0.1, 0.25, 0.1],
  ...[0.9, 0.9, 0.4, 0.4, 0.6, 0.6],
  ...[0.2, 0.8, 0.1, 0.1, 0.26, 0.1],
);

describe("selectDetections", () => {
  it("keeps scores strictly above conf, in query order, in pixels of the picture, without clipping", () => {
    const found = selectDetections(OUTPUT, NAMES, 200, 100, { conf: 0.25 });
    expect(found.map((d) => [d.class, d.name, Math.fround(d.score)])).toEqual([
      [1, "dog", Math.fround(0.9)],
      [0, "cat", Math.fround(0.6)], // equal scores: the first class
      [0, "cat", Math.fround(0.26)],
    ]);
    const boxes = found.map((d) => d.box.map((v) => Math.round(v * 1000) / 1000));
    expect(boxes[0]).toEqual([80, 30, 120, 70]);
    expect(boxes[1]).toEqual([140, 70, 220, 110]);
  });

  it("computes boxes in single precision, as PyTorch does", () => {
    const f = Math.fround;
    const [{ box }] = selectDetections(OUTPUT, NAMES, 1082, 720, { conf: 0.5 });
    expect(box[0]).toBe(f(f(f(0.5) - f(f(0.2) / 2)) * 1082));
    expect(box[3]).toBe(f(f(f(0.5) + f(f(0.4) / 2)) * 720));
  });

  it("keeps the wanted classes only", () => {
    expect(selectDetections(OUTPUT, NAMES, 1, 1, { conf: 0.25, classes: [1] }).map((d) => d.class)).toEqual([
      1,
    ]);
    expect(selectDetections(OUTPUT, NAMES, 1, 1, { conf: 0.25, classes: [] })).toEqual([]);
  });

  it("max_det keeps the best by score and leaves the order; sort puts the best first", () => {
    const scores = (options: object): number[] => {
      const found = selectDetections(OUTPUT, NAMES, 1, 1, { conf: 0.1, ...options });
      return found.map((d) => Math.round(d.score * 100) / 100);
    };
    expect(scores({})).toEqual([0.9, 0.25, 0.6, 0.26]);
    expect(scores({ max_det: 3 })).toEqual([0.9, 0.6, 0.26]);
    expect(scores({ sort: true })).toEqual([0.9, 0.6, 0.26, 0.25]);
    expect(scores({ sort: true, max_det: 2 })).toEqual([0.9, 0.6]);
  });

  it("never shows a NaN as a detection", () => {
    expect(selectDetections(Float32Array.of(0.5, 0.5, 0.1, 0.1, NaN, NaN), NAMES, 1, 1, { conf: 0 })).toEqual(
      [],
    );
  });
});

describe("classNumbers", () => {
  it("takes numbers and names", () => {
    expect(classNumbers(["dog", 0, "1"], NAMES)).toEqual([1, 0, 1]);
  });

  it("a number is never a name; digits in a string are a name first", () => {
    const digits = ["1", "2", "0"];
    expect(classNumbers([0, 1, 2], digits)).toEqual([0, 1, 2]);
    expect(classNumbers(["0", "1", "2"], digits)).toEqual([2, 0, 1]);
  });

  it.each(["bird", "", " ", "0x1", "1e0", "-0", 2, -1, 0.5, null, true, [1]])(
    "refuses %j and lists the names",
    (wanted) => {
      expect(() => classNumbers([wanted as never], NAMES)).toThrow(
        /numbers in \[0, 2\) or names \(cat, dog\), got/,
      );
    },
  );
});
