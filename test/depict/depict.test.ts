/** Pictures of tensors: colours, sheets, overlays, pixel by pixel where it matters. */
import { describe, expect, it } from "vitest";
import { featureMaps, matrixImage } from "../../src/depict/feature-maps.ts";
import { attentionSheet, heatOverlay, samplingImage } from "../../src/depict/overlays.ts";
import { enlarge, layPanels } from "../../src/depict/panels.ts";
import { NOT_FINITE, rampColour, rangeOf, shareOf } from "../../src/depict/ramp.ts";
import type { ImageData8 } from "../../src/image/image.ts";
import { tensor, zeros } from "../../src/tensor/create.ts";

const grey = (width: number, height: number, level: number): ImageData8 => ({
  data: new Uint8Array(width * height * 3).fill(level),
  width,
  height,
  channels: 3,
});
const pixel = ({ data, width }: ImageData8, x: number, y: number): number[] => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

describe("the ramp", () => {
  it("rises in lightness from end to end; what is not finite is red", () => {
    const lightness = Array.from({ length: 21 }, (_, i) => {
      const [r, g, b] = rampColour(i / 20);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    });
    expect(lightness).toEqual([...lightness].sort((a, b) => a - b));
    expect(rampColour(-1)).toEqual(rampColour(0));
    expect(rampColour(Number.NaN)).toEqual(NOT_FINITE);
    expect(rangeOf([Number.NaN, 3, -1, Infinity])).toEqual({ min: -1, max: 3 });
    expect(shareOf(5, { min: 5, max: 5 })).toBe(0);
  });
});

describe("feature maps", () => {
  it("order channels by variance, mean or number; fewer than there are", () => {
    const x = tensor([0, 0, 0, 0, /* */ 5, 5, 5, 6, /* */ -9, 9, -9, 9], [1, 3, 2, 2]);
    const sheets = (["variance", "mean", "index"] as const).map((order) =>
      featureMaps(x, { order, most: 1 }),
    );
    const all = featureMaps(x, { order: "index" });
    expect(sheets[0].width).toBeLessThan(all.width);
    // The panel is a map of 2 x 2, each cell 48 pixels: its cells are the colours of the channel that is first.
    const corner = (sheet: ImageData8): number[] => pixel(sheet, 8 + 10, 36 + 10);
    const opposite = (sheet: ImageData8): number[] => pixel(sheet, 8 + 58, 36 + 58);
    expect([corner(sheets[0]), opposite(sheets[0])]).toEqual([[...rampColour(0)], [...rampColour(1)]]);
    expect([corner(sheets[1]), opposite(sheets[1])]).toEqual([[...rampColour(0)], [...rampColour(1)]]);
    expect([corner(sheets[2]), opposite(sheets[2])]).toEqual([[...rampColour(0)], [...rampColour(0)]]);
    const together = featureMaps(x, { order: "mean", together: true });
    expect(corner(together)).toEqual([...rampColour((5 + 9) / 18)]);
  });

  it("refuses what is no map", () => {
    expect(() => featureMaps(zeros([2, 3, 4, 4]))).toThrow(
      /expected \[1, C, H, W\] or \[C, H, W\], got \[2, 3, 4, 4\]/,
    );
    expect(() => featureMaps(zeros([4, 4]))).toThrow(/got \[4, 4\]/);
  });

  it("a matrix in its own range, enlarged by whole squares", () => {
    const image = enlarge(matrixImage([1, 2, 3, 5], 2, 2), 3);
    expect([image.width, image.height]).toEqual([6, 6]);
    expect([pixel(image, 0, 0), pixel(image, 5, 5), pixel(image, 3, 2)]).toEqual([
      [...rampColour(0)],
      [...rampColour(1)],
      [...rampColour(0.25)],
    ]);
  });

  it("a sheet is as wide as its title wants", () => {
    const panels = [{ image: grey(4, 4, 9), caption: "a" }];
    expect(layPanels(panels, 4, "a title that is much wider than the panel").width).toBeGreaterThan(200);
    expect(pixel(layPanels(panels, 4, ""), 8, 36)).toEqual([9, 9, 9]);
  });
});

describe("overlays", () => {
  it("darken the picture where there is no weight, colour it where there is most", () => {
    const image = heatOverlay(grey(4, 4, 200), [0, 0, 0, 1], 2, 2);
    expect(pixel(image, 0, 0)).toEqual([70, 70, 70]);
    expect(pixel(image, 3, 3)).toEqual([...rampColour(1)]);
    expect(pixel(heatOverlay(grey(2, 2, 200), [0, 0, 0, 0], 2, 2), 1, 1)).toEqual([70, 70, 70]);
  });

  it("attention: a panel a head and their mean; refuses other shapes and tokens", () => {
    const attention = zeros([1, 2, 4, 4]);
    const data = attention.storage.data as Float32Array;
    data[2 * 4 + 3] = 1; // head 0, query 2, key 3
    data[16 + 2 * 4] = 1; // head 1, query 2, key 0
    const sheet = attentionSheet(grey(40, 40, 100), attention, { token: 2 });
    const cell = (panel: number, x: number, y: number): number[] => {
      const width = (sheet.width - 8) / 3; // three panels with a gap before each
      return pixel(sheet, Math.round(8 + panel * width + x), 36 + y);
    };
    expect(cell(1, 35, 35)).toEqual([...rampColour(1)]);
    expect(cell(1, 5, 5)).toEqual([35, 35, 35]);
    expect(cell(2, 5, 5)).toEqual([...rampColour(1)]);
    expect(cell(0, 5, 5)).toEqual([...rampColour(1)]);
    expect(() => attentionSheet(grey(4, 4, 0), attention, { token: 4 })).toThrow(
      /a token in 0 \.\. 3, got 4/,
    );
    expect(() => attentionSheet(grey(4, 4, 0), zeros([1, 2, 4, 5]), { token: 0 })).toThrow(
      /a square map, got 5/,
    );
    expect(() => attentionSheet(grey(4, 4, 0), zeros([2, 4, 4]), { token: 0 })).toThrow(/got \[2, 4, 4\]/);
  });

  it("sampling: discs where the points are, as large as their weight, in the colour of their level; points outside do no harm", () => {
    const locations = tensor([0.25, 0.25, 0.75, 0.75, /* level 1 */ 2, 2, 0.25, 0.75], [1, 2, 2, 2]);
    const weights = tensor([0.6, 0, 0.1, 0.3], [1, 2, 2]);
    const box = [0.5, 0.5, 0.2, 0.2];
    const before = grey(200, 200, 100);
    const image = samplingImage(before, { locations, weights, before: box, after: box });
    const [near, weak, other] = [pixel(image, 50, 50), pixel(image, 152, 150), pixel(image, 50, 150)];
    expect(near[2]).toBeGreaterThan(150); // blue: level 0
    expect(weak).toEqual([100, 100, 100]); // no weight: a dot of a pixel
    expect(other[0]).toBeGreaterThan(150); // yellow: level 1
    expect(pixel(before, 50, 50)).toEqual([100, 100, 100]); // a copy was drawn on
  });
});
