import { describe, expect, test } from "vitest";
import { overlap, placeLabel, type Rect } from "../../src/image/labels.ts";

describe("placeLabel", () => {
  const inner = { x0: 52, y0: 52, x1: 148, y1: 148 };
  const outer = { x0: 50, y0: 50, x1: 150, y1: 150 };
  const place = (taken: Rect[] = [], o = outer, i = inner): Rect => placeLabel(40, 14, o, i, 200, 200, taken);
  test("prefers the place above the box's left", () => {
    expect(place()).toEqual({ x0: 50, y0: 36, x1: 90, y1: 50 });
  });
  test("goes inside where there is no room above, and below where the box is too small for that", () => {
    const top = { x0: 50, y0: 5, x1: 150, y1: 150 };
    expect(place([], top, { x0: 52, y0: 7, x1: 148, y1: 148 })).toEqual({ x0: 50, y0: 5, x1: 90, y1: 19 });
    const small = { x0: 50, y0: 5, x1: 70, y1: 25 };
    expect(place([], small, { x0: 52, y0: 7, x1: 68, y1: 23 })).toEqual({ x0: 50, y0: 25, x1: 90, y1: 39 });
  });
  test("keeps the same box's next labels apart", () => {
    const taken: Rect[] = [];
    for (let n = 0; n < 6; n++) taken.push(place(taken));
    taken.forEach((a, i) => {
      for (const b of taken.slice(0, i)) expect(overlap(a, b)).toBe(0);
    });
  });
  test("starts a tag larger than the picture at its border", () => {
    expect(placeLabel(300, 14, outer, inner, 200, 200, [])).toMatchObject({ x0: 0 });
  });
});
