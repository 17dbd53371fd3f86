import { describe, expect, test } from "vitest";
import { classColour, contrast, textColourOn } from "../../src/image/colours.ts";

describe("colours", () => {
  test("of the first 20 classes are all clearly different", () => {
    const distance = (a: readonly number[], b: readonly number[]): number =>
      Math.hypot(...a.map((v, c) => v - b[c]));
    for (let i = 0; i < 20; i++) {
      for (let j = 0; j < i; j++) expect(distance(classColour(i), classColour(j))).toBeGreaterThan(25);
    }
  });
  test("carry text of a contrast of at least 4.4 for 1000 classes", () => {
    for (let i = 0; i < 1000; i++) {
      const colour = classColour(i);
      expect(contrast(colour, textColourOn(colour))).toBeGreaterThan(4.4);
    }
  });
  test("are whole numbers in 0..255 for any class id", () => {
    for (const id of [0, -3, 2.7, 1e9, Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const v of classColour(id)) expect(Number.isInteger(v) && v >= 0 && v <= 255).toBe(true);
    }
  });
});
