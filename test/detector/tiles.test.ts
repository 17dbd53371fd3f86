/** Tiles: where they lie, how boxes become one, and codes that tile borders cut. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mergeDetections, tilesOf } from "../../src/detector/tiles.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { type Detection, type Detector, loadDetector, Pipeline, type TiledOptions } from "../../src/index.ts";
import { rejection } from "./rejection.ts";

function one(box: Detection["box"], score: number, number = 0): Detection {
  return { box, score, class: number, name: String(number) };
}

describe("tiles", () => {
  it("lie as SAHI's get_slice_bboxes lays them", () => {
    // get_slice_bboxes(1000, 1500, slice 640 x 640, overlap ratios 0.2) of sahi 0.11
    expect(tilesOf(1000, 1500, 640, 0.2)).toEqual([
      [0, 0, 640, 640],
      [512, 0, 1152, 640],
      [860, 0, 1500, 640],
      [0, 360, 640, 1000],
      [512, 360, 1152, 1000],
      [860, 360, 1500, 1000],
    ]);
    expect(tilesOf(300, 900, [400, 500], [0, 0.5])).toEqual([
      [0, 0, 500, 300],
      [250, 0, 750, 300],
      [400, 0, 900, 300],
    ]);
    expect(tilesOf(640, 640, 640, 0.2)).toEqual([[0, 0, 640, 640]]);
    expect(tilesOf(5, 7, 640, 0.2)).toEqual([[0, 0, 7, 5]]);
  });

  it("cover every pixel and stay within the picture, at any size", () => {
    for (const [length, tile, overlap] of [
      [1, 1, 0],
      [100, 7, 0.3],
      [641, 640, 0.9],
      [1279, 640, 0],
      [2049, 100, 0.25],
      [9, 10, 0.5],
    ]) {
      const columns = tilesOf(1, length, [1, tile], [0, overlap]).map(([x0, , x1]) => [x0, x1]);
      expect([columns[0][0], columns.at(-1)?.[1]]).toEqual([0, length]);
      for (const [i, [x0, x1]] of columns.entries()) {
        expect(x1 - x0).toBe(Math.min(length, tile));
        if (i > 0) expect(x0).toBeGreaterThan(columns[i - 1][0]);
        if (i > 0) expect(x0).toBeLessThanOrEqual(columns[i - 1][1]);
      }
    }
    expect(() => tilesOf(1 << 15, 1 << 15, 1, 0)).toThrow(/tile: expected at most 1000000 tiles/);
  });
});

describe("merging", () => {
  const [a, b, c] = [one([0, 0, 10, 10], 0.9), one([4, 0, 14, 10], 0.8), one([8, 0, 18, 10], 0.7)];

  it("nms keeps the best of those that match it", () => {
    const options = { merge: "nms", metric: "iou", threshold: 0.4 } as const; // a and b: 60 of 140
    expect(mergeDetections([c, b, a], options)).toEqual([c, a]);
    expect(mergeDetections([c, b, a], { ...options, threshold: 0.43 })).toEqual([c, b, a]);
  });

  it("greedy_nmm grows the best over those that match it, nmm also over those that match these", () => {
    const options = { metric: "ios", threshold: 0.6 } as const; // a and b: 0.6; a and c: 0.2
    expect(mergeDetections([a, b, c], { ...options, merge: "greedy_nmm" })).toEqual([
      one([0, 0, 14, 10], 0.9),
      c,
    ]);
    expect(mergeDetections([a, b, c], { ...options, merge: "nmm" })).toEqual([one([0, 0, 18, 10], 0.9)]);
    // b and c: 60 of 140; c and what a and b have grown to: 60 of 180. It is dropped without growing that.
    expect(mergeDetections([a, b, c], { metric: "iou", threshold: 0.4, merge: "nmm" })).toEqual([
      one([0, 0, 14, 10], 0.9),
    ]);
  });

  it("goes by class, unless agnostic; none keeps all; boxes without area match nothing", () => {
    const other = { ...b, class: 1 };
    const options = { metric: "ios", threshold: 0.5, merge: "nms" } as const;
    expect(mergeDetections([a, other], options)).toEqual([a, other]);
    expect(mergeDetections([a, other], { ...options, agnostic_nms: true })).toEqual([a]);
    expect(mergeDetections([a, b], { merge: "none" })).toEqual([a, b]);
    const flat = one([3, 3, 3, 8], 0.5);
    expect(mergeDetections([a, flat], options)).toEqual([a, flat]);
    expect(mergeDetections([], {})).toEqual([]);
  });

  it("equal scores go by their order", () => {
    const twins = [one([0, 0, 10, 10], 0.5, 0), one([1, 0, 11, 10], 0.5, 0)];
    expect(mergeDetections(twins, { merge: "nms" })).toEqual([twins[0]]);
  });
});

describe("a large picture", () => {
  const [width, height, left, top] = [1500, 1100, 100, 100];
  const wall = decodeImage(readFileSync(new URL("../../examples/pictures/wall.jpg", import.meta.url)));
  const data = new Uint8Array(width * height * 3).fill(128);
  for (let y = 0; y < wall.height; y++) {
    const row = wall.data.subarray(y * wall.width * 3, (y + 1) * wall.width * 3);
    data.set(row, ((y + top) * width + left) * 3);
  }
  const picture = { data, width, height, channels: 3 } as const;
  /** Where the bar code is in wall.jpg; tiles of 640 cut it at x = 512 and 640. */
  const CODE = [296.5 + left, 605.3 + top, 844.8 + left, 758.6 + top];

  let detector: Detector;
  beforeAll(async () => {
    detector = await loadDetector({ threads: 2 });
  });
  afterAll(() => detector.close());

  const codes = async (options: TiledOptions): Promise<readonly Detection[]> => {
    const { detections } = await detector.detectTiled(picture, {
      tile: 640,
      classes: ["barcode"],
      ...options,
    });
    const [x1, y1, x2, y2] = CODE;
    return detections.filter(({ box }) => {
      const [cx, cy] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      return cx > x1 && cx < x2 && cy > y1 && cy < y2;
    });
  };

  it("a code that borders cut is several boxes in the tiles, and one when merged", async () => {
    const parts = await codes({ merge: "none" });
    expect(parts.length).toBeGreaterThan(1);
    const [merged, ...others] = await codes({ metric: "ios" });
    expect(others).toEqual([]);
    for (const [i, side] of merged.box.entries()) expect(Math.abs(side - CODE[i])).toBeLessThan(20);
    expect(merged.score).toBe(Math.max(...parts.map(({ score }) => score)));
  }, 60_000);

  it("is the tiles' own detections, moved, and the full picture's", async () => {
    const pipeline = new Pipeline({ threads: 1 });
    const options = { tile: [700, 800], overlap: 0.1, merge: "none", conf: 0.3 } as const;
    const all = pipeline.detectTiled(picture, options);
    const tiles = [...tilesOf(height, width, options.tile, options.overlap), [0, 0, width, height] as const];
    const expected = tiles.flatMap(([x0, y0, x1, y1]) => {
      const part = new Uint8Array((x1 - x0) * (y1 - y0) * 3);
      for (let y = y0; y < y1; y++) {
        part.set(data.subarray((y * width + x0) * 3, (y * width + x1) * 3), (y - y0) * (x1 - x0) * 3);
      }
      const found = pipeline.detect(
        { data: part, width: x1 - x0, height: y1 - y0, channels: 3 },
        { conf: 0.3 },
      );
      const f = Math.fround;
      return found.detections.map((each) => ({
        ...each,
        box: each.box.map((side, i) => f(side + (i % 2 === 0 ? x0 : y0))),
      }));
    });
    expect(all.detections).toEqual(expected);
    expect([all.width, all.height]).toEqual([width, height]);
    const best = pipeline.detectTiled(picture, { ...options, max_det: 2, sort: true }).detections;
    expect(best.map(({ score }) => score)).toEqual(
      expected
        .map(({ score }) => score)
        .sort((x, y) => y - x)
        .slice(0, 2),
    );
    await pipeline.close();
  }, 60_000);

  it("one tile is detect's own, and progress goes over all tiles", async () => {
    const plain = await detector.detect(picture);
    const tiled = await detector.detectTiled(picture, { tile: 2000, merge: "none" });
    expect(tiled.detections).toEqual(plain.detections);
    const loaded: number[] = [];
    let total = 0;
    await detector.detectTiled(picture, {
      tile: 1100,
      full: false,
      onProgress: (progress) => {
        loaded.push(progress.loaded);
        total = progress.total ?? 0;
      },
    });
    expect(loaded).toEqual([...loaded].sort((x, y) => x - y));
    expect(loaded.at(-1)).toBe(total);
  }, 60_000);

  it.each([
    [{ tile: 0 }, /tile: expected a whole number of pixels >= 1, or \[height, width\], got 0/],
    [{ tile: [1, 2, 3] }, /tiles: expected one number or two, got \[1,2,3\]/],
    [{ tile: () => 1 }, /tile: .* got a function/],
    [{ overlap: 1 }, /overlap: expected a number in \[0, 0\.9\], or two, got 1/],
    [{ overlap: null }, /overlap/],
    [{ full: "yes" }, /full: expected true or false/],
    [{ merge: "wbf" }, /merge: expected "greedy_nmm", "nmm", "nms", "none", got "wbf"/],
    [{ metric: "giou" }, /metric: expected "ios", "iou"/],
    [{ threshold: 2 }, /threshold: expected a number in \[0, 1\]/],
    [{ agnostic_nms: 1 }, /agnostic_nms: expected true or false/],
    [{ conf: 2 }, /conf/],
  ])("refuses %j", async (options, message) => {
    const error = await rejection(detector.detectTiled(picture, options as never));
    expect([error.code, error.message]).toEqual(["argument", expect.stringMatching(message)]);
  });
});
