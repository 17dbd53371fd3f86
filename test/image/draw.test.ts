import { describe, expect, test } from "vitest";
import { classColour, textColourOn } from "../../src/image/colours.ts";
import { type DrawnDetection, drawDetections } from "../../src/image/draw.ts";
import type { ImageData8 } from "../../src/image/image.ts";
import type { Rect } from "../../src/image/labels.ts";
import { TextPen } from "../../src/image/text.ts";
import { firstDifference } from "./goldens.ts";

function blank(width: number, height: number, value = 128): ImageData8 {
  return { data: new Uint8Array(width * height * 3).fill(value), width, height, channels: 3 };
}

function pixel(image: ImageData8, x: number, y: number): number[] {
  return Array.from(image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3));
}

/** The rectangle around all pixels of a colour, or null. */
function extent(image: ImageData8, colour: readonly number[]): Rect | null {
  let found: { x0: number; y0: number; x1: number; y1: number } | null = null;
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      if (pixel(image, x, y).some((v, c) => v !== colour[c])) continue;
      found ??= { x0: x, y0: y, x1: x + 1, y1: y + 1 };
      found.x0 = Math.min(found.x0, x);
      found.x1 = Math.max(found.x1, x + 1);
      found.y1 = y + 1;
    }
  }
  return found;
}

describe("drawDetections: boxes", () => {
  const one: DrawnDetection = { box: [20, 30, 60, 70], label: "", classId: 0 };
  const colour = [...classColour(0)];
  test("have their line on the box's edges, of the asked width, and nothing inside or outside it", () => {
    const out = drawDetections(blank(100, 100), [one], { lineWidth: 4 });
    expect(extent(out, colour)).toEqual({ x0: 18, y0: 28, x1: 62, y1: 72 });
    for (const x of [18, 21, 58, 61]) expect(pixel(out, x, 50)).toEqual(colour);
    for (const x of [16, 23, 40, 56, 63]) expect(pixel(out, x, 50)).toEqual([128, 128, 128]);
    for (const x of [17, 22, 57, 62]) expect(pixel(out, x, 50)).toEqual([83, 83, 83]); // the rim: 128 * 0.65
  });
  test("are drawn on a copy", () => {
    const image = blank(100, 100);
    drawDetections(image, [{ ...one, label: "qr" }]);
    expect(firstDifference(image.data, blank(100, 100).data)).toBe(-1);
  });
  test("keep a rim where the picture has their colour", () => {
    const image = blank(100, 100);
    for (let i = 0; i < image.data.length; i++) image.data[i] = colour[i % 3];
    expect(pixel(drawDetections(image, [one], { lineWidth: 2 }), 18, 50)).not.toEqual(colour);
  });
  test("that reach past the picture are clipped, their hidden edges not drawn", () => {
    const box = [-50, -50, 40, 1000] as const;
    const out = drawDetections(blank(100, 100), [{ ...one, box }], { lineWidth: 2 });
    expect(extent(out, colour)).toEqual({ x0: 39, y0: 0, x1: 41, y1: 100 });
  });
  test("wholly outside leave the picture as it was, label and all", () => {
    const boxes = [
      [-90, -90, -50, -50],
      [500, 10, 600, 20],
      [1e300, 0, 1e301, 9],
    ] as const;
    const list = boxes.map((box) => ({ box, label: "qr 0.5", classId: 1 }));
    const out = drawDetections(blank(100, 100), list);
    expect(firstDifference(out.data, blank(100, 100).data)).toBe(-1);
  });
  test("of no size or with swapped corners are drawn", () => {
    expect(
      extent(drawDetections(blank(100, 100), [{ ...one, box: [50, 50, 50, 50] }], { lineWidth: 2 }), colour),
    ).toEqual({
      x0: 49,
      y0: 49,
      x1: 51,
      y1: 51,
    });
    const swapped = drawDetections(blank(100, 100), [{ ...one, box: [60, 70, 20, 30] }]);
    expect(firstDifference(swapped.data, drawDetections(blank(100, 100), [one]).data)).toBe(-1);
  });
  test("take grey and RGBA pictures and give RGB", () => {
    for (const channels of [1, 4] as const) {
      const image = {
        data: new Uint8Array(100 * 100 * channels).fill(128),
        width: 100,
        height: 100,
        channels,
      };
      const out = drawDetections(image, [one]);
      expect(out.channels).toBe(3);
      expect(firstDifference(out.data, drawDetections(blank(100, 100), [one]).data)).toBe(-1);
    }
  });
  test("grow with the picture", () => {
    const widthAt = (side: number): number => {
      const out = drawDetections(blank(side, side), [{ ...one, box: [10.5, 10, side, side] }], {
        showLabels: false,
      });
      let count = 0;
      for (let x = 0; x < 40; x++) if (pixel(out, x, side >> 1).join() === colour.join()) count++;
      return count;
    };
    expect([300, 1000, 2000].map(widthAt)).toEqual([2, 3, 6]);
  });
  test("of coordinates that are no numbers, and options out of range, are refused", () => {
    const draw = (d: object, options = {}): unknown =>
      drawDetections(blank(9, 9), [{ ...one, ...d }], options);
    expect(() => draw({ box: [1, 2, Number.NaN, 4] })).toThrow(
      /detections\[0\]\.box: expected four finite numbers/,
    );
    expect(() => draw({ box: [1, 2, 3] })).toThrow(/got \[1, 2, 3\]/);
    expect(() => draw({}, { lineWidth: 0 })).toThrow(/lineWidth: expected a number in 1\.\.1000, got 0/);
    expect(() => draw({}, { fontSize: Number.NaN })).toThrow(/fontSize/);
  });
});

describe("drawDetections: labels", () => {
  const label = "barcode 0.87";
  const boxes: [string, DrawnDetection["box"]][] = [
    ["in the middle", [80, 80, 160, 140]],
    ["at the upper left", [0, 0, 60, 60]],
    ["at the upper right", [270, 2, 299, 30]],
    ["at the lower right", [280, 180, 299, 199]],
    ["larger than the picture", [-20, -20, 400, 300]],
    ["at the whole right border, too low for text inside", [290, 0, 300, 200]],
  ];
  for (const [where, box] of boxes) {
    test(`are whole inside the picture for a box ${where}`, () => {
      const image = blank(300, 200);
      const pen = new TextPen(12);
      const without = drawDetections(image, [{ box, label: "", classId: 4 }]);
      const out = drawDetections(image, [{ box, label, classId: 4 }]);
      let ink = 0; // pixels of full text colour, which only the label can have
      const text = textColourOn(classColour(4)).join();
      for (let i = 0; i < out.data.length; i += 3) if (out.data.subarray(i, i + 3).join() === text) ink++;
      const free = blank(300, 200);
      pen.write(free, label, 10, 100, [1, 2, 3]);
      let wanted = 0;
      for (let i = 0; i < free.data.length; i += 3)
        if (free.data.subarray(i, i + 3).join() === "1,2,3") wanted++;
      expect(firstDifference(without.data, out.data)).not.toBe(-1);
      expect(Math.abs(ink - wanted) / wanted).toBeLessThan(0.25); // letters stand at other quarters of a pixel
    });
  }
  test("fit into the height of a strip", () => {
    const wide = drawDetections(blank(4000, 60), [{ box: [900, 10, 2000, 50], label, classId: 0 }]);
    expect(extent(wide, textColourOn(classColour(0)))).not.toBeNull();
    let rows = 0; // painted rows of the tag's left end, of 60
    for (let y = 0; y < 60; y++) if (pixel(wide, 903, y)[0] !== 128) rows++;
    expect(rows).toBeLessThan(40);
  });
  test("are left out on demand", () => {
    const list = [{ box: [80, 80, 160, 140], label, classId: 4 }] as const;
    const bare = drawDetections(blank(300, 200), [{ ...list[0], label: "" }]);
    const out = drawDetections(blank(300, 200), list, { showLabels: false });
    expect(firstDifference(out.data, bare.data)).toBe(-1);
  });
  test("wider than the picture are shortened, in pictures of any size", () => {
    for (const [w, h] of [
      [1, 1],
      [3, 40],
      [30, 20],
      [60, 8],
    ]) {
      const out = drawDetections(blank(w, h), [
        { box: [0, 0, w, h], label: "a long label of some class 0.99", classId: 2 },
      ]);
      expect([out.width, out.height]).toEqual([w, h]);
    }
  });
});
