/** Pictures of tensors: colours, sheets, overlays, pixel by pixel where it matters. */
import { describe, expect, it } from "vitest";
import { featureMaps, matrixImage } from "../../src/depict/feature-maps.ts";
import { attentionSheet, heatOverlay, samplingImage } from "../../src/depict/overlays.ts";
import { enlarge, layPanels, type Panel } from "../../src/depict/panels.ts";
import { LEVEL_COLOURS, NOT_FINITE, rampColour, rangeOf, shareOf } from "../../src/depict/ramp.ts";
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
    expect(rampColour(2)).toEqual(rampColour(1));
    expect(rangeOf([Number.NaN])).toEqual({ min: 0, max: 0 });
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
    const alone = featureMaps(x, { order: "mean", together: true, most: 1 }); // the range of those that are shown
    expect([corner(alone), opposite(alone)]).toEqual([[...rampColour(0)], [...rampColour(1)]]);
  });

  it("a sheet: eight panels to a row, each with number and range; above it title, size and how many", () => {
    const values = Float32Array.from(
      { length: 9 * 2 * 16 },
      (_, i) => Math.sin(i) * (1 + Math.floor(i / 32)),
    );
    const x = tensor(values, [9, 2, 16]);
    const panel = (c: number): Panel => {
      const map = values.subarray(c * 32, c * 32 + 32);
      const [least, greatest] = [Math.min(...map), Math.max(...map)].map((v) => Number(v.toPrecision(3)));
      return { image: enlarge(matrixImage(map, 2, 16), 6), caption: `${c}: ${least} to ${greatest}` };
    };
    const all = Array.from({ length: 9 }, (_, c) => panel(c));
    expect(featureMaps(x, { order: "index", title: "here" })).toEqual(
      layPanels(all, 8, "here, 2 x 16, 9 channels"),
    );
    expect(featureMaps(x, { most: 2 })).toEqual(
      layPanels([panel(8), panel(7)], 8, "2 x 16, 2 of 9 channels, variance first"),
    );
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

  it("enlarges what is oblong; values in their rows", () => {
    const image = enlarge(matrixImage([0, 1, 2, 3, 4, 5], 2, 3), 2);
    expect([image.width, image.height]).toEqual([6, 4]);
    expect([pixel(image, 5, 0), pixel(image, 0, 3)]).toEqual([
      [...rampColour(2 / 5)],
      [...rampColour(3 / 5)],
    ]);
  });

  it("panels stand in rows, 8 pixels apart, with captions below them and the title above", () => {
    const [wide, high] = [grey(100, 30, 9), grey(90, 50, 99)];
    const [first, second, third] = [wide, high, wide].map((image, i) => ({ image, caption: `panel ${i}` }));
    const sheet = layPanels([first, second, third], 2, "title");
    const [left, right, top, below] = [8, 8 + 100 + 8, 36, 36 + 50 + 20 + 8];
    expect([sheet.width, sheet.height]).toEqual([right + 108, below + 78]);
    expect(pixel(sheet, left, top)).toEqual([9, 9, 9]);
    expect(pixel(sheet, right, top + 49)).toEqual([99, 99, 99]);
    expect(pixel(sheet, left + 99, below + 29)).toEqual([9, 9, 9]);
    const [paper] = [pixel(sheet, 0, 0)];
    expect([pixel(sheet, left - 1, top), pixel(sheet, left, top - 1), pixel(sheet, left + 100, top)]).toEqual(
      [paper, paper, paper],
    );
    /** Whether there is ink in a line of text of 60 pixels. */
    const written = (x: number, y: number): boolean =>
      Array.from({ length: 60 * 18 }, (_, i) => pixel(sheet, x + (i % 60), y + Math.floor(i / 60))).some(
        ([red]) => red > 150,
      );
    expect([
      written(left, 8),
      written(left, top + 31),
      written(right, top + 51),
      written(left, below + 31),
    ]).toEqual([true, true, true, true]);
    expect(written(right, below + 31)).toBe(false);
  });

  it("a sheet is as wide as its title wants", () => {
    const panels = [{ image: grey(4, 4, 9), caption: "a" }];
    expect(layPanels(panels, 4, "a title that is much wider than the panel").width).toBeGreaterThan(200);
    expect(pixel(layPanels(panels, 4, ""), 8, 36)).toEqual([9, 9, 9]);
  });
});

describe("overlays", () => {
  it("darken the picture where there is no weight, colour it where there is most", () => {
    const upper = heatOverlay(grey(6, 4, 200), [0, 0, 1, 0, 0, 0], 2, 3); // of the first row the last
    expect([pixel(upper, 5, 0), pixel(upper, 5, 3)]).toEqual([[...rampColour(1)], [70, 70, 70]]);
    expect([pixel(upper, 3, 1), pixel(upper, 0, 3)]).toEqual([
      [70, 70, 70],
      [70, 70, 70],
    ]);
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
    const overlay = (weights: number[], caption: string): Panel => ({
      image: heatOverlay(grey(40, 40, 100), weights, 2, 2),
      caption,
    });
    const panels = [
      overlay([0.5, 0, 0, 0.5], "mean of heads: at most 0.5"),
      overlay([0, 0, 0, 1], "head 0: at most 1"),
      overlay([1, 0, 0, 0], "head 1: at most 1"),
    ];
    expect(sheet).toEqual(layPanels(panels, 4, ""));
    const mark = { x: 10, y: 4, width: 20, height: 12 };
    const marked = attentionSheet(grey(40, 40, 100), attention, { token: 2, mark, title: "t" });
    const white = (x: number, y: number): boolean => pixel(marked, 8 + x, 36 + y).every((c) => c === 255);
    expect([white(10, 4), white(11, 10), white(29, 15), white(28, 10), white(20, 5)]).toEqual(
      new Array(5).fill(true),
    );
    expect([white(12, 6), white(9, 10), white(30, 10), white(20, 16), white(27, 13)]).toEqual(
      new Array(5).fill(false),
    );
    const heights = [3, 4].map(
      (heads) => attentionSheet(grey(40, 40, 100), zeros([1, heads, 4, 4]), { token: 0 }).height,
    );
    expect(heights).toEqual([36 + (40 + 20 + 8), 36 + 2 * (40 + 20 + 8)]); // four panels to a row
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

  it("sampling: the box before the layer in grey, the one after it in its colour, with the label", () => {
    const nothing = { locations: zeros([1, 1, 1, 2]), weights: zeros([1, 1, 1]) };
    const [before, after] = [
      [0.25, 0.3, 0.2, 0.4],
      [0.7, 0.75, 0.3, 0.1],
    ];
    const plain = grey(200, 100, 100);
    const draw = (label: string): ImageData8 => samplingImage(plain, { ...nothing, before, after, label });
    const image = draw("");
    // x 30 to 70, y 10 to 50; x 110 to 170, y 70 to 80
    for (const [x, y] of [
      [30, 10],
      [31, 30],
      [69, 49],
      [50, 11],
    ])
      expect(pixel(image, x, y)).toEqual([200, 200, 200]);
    for (const [x, y] of [
      [29, 30],
      [32, 12],
      [70, 30],
      [50, 50],
      [67, 47],
    ])
      expect(pixel(image, x, y)).toEqual([100, 100, 100]);
    for (const [x, y] of [
      [110, 75],
      [169, 75],
      [140, 70],
    ])
      expect(pixel(image, x, y)).not.toEqual([100, 100, 100]);
    expect(pixel(image, 140, 75)).toEqual([100, 100, 100]);
    expect(draw("query 3").data).not.toEqual(image.data);
  });

  it("sampling: the radius is the root of the weight, the disc lets through what is below; levels by their number", () => {
    const box = [0.9, 0.9, 0.1, 0.1];
    const locations = tensor(
      [0.5, 0.25, 0.25, 0.25, 0, 0, /* level 1 */ 0.5, 0.75, 0, 0, 0, 0],
      [1, 2, 3, 2],
    );
    const weights = tensor([0.25, 0.25, 0, 0.25, 0, 0], [1, 2, 3]);
    const image = samplingImage(grey(400, 200, 100), { locations, weights, before: box, after: box });
    // A fortieth of 400 is 10, of a quarter half: 5 pixels, around (200, 50) and (200, 150).
    const mixed = (colour: readonly number[]): number[] =>
      colour.map((c) => Math.round(100 + 0.55 * (c - 100)));
    for (const dx of [-5, 4]) expect(pixel(image, 200 + dx, 50)).toEqual(mixed(LEVEL_COLOURS[0]));
    for (const dx of [-6, 5]) expect(pixel(image, 200 + dx, 50)).toEqual([100, 100, 100]);
    expect(pixel(image, 100, 50)).toEqual(mixed(LEVEL_COLOURS[0])); // the second point of level 0
    expect(pixel(image, 200, 150)).toEqual(mixed(LEVEL_COLOURS[1]));
  });
});
