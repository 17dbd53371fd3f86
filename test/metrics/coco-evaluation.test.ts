/** Average precision: pycocotools' bits on goldens, and what it does not tell. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  type BoxEvaluation,
  type CocoAnnotation,
  type CocoDataset,
  type CocoResult,
  evaluateBoxes,
  readCocoDataset,
  readCocoResults,
} from "../../src/metrics/index.ts";
import { type CocoCase, GOLDEN } from "./coco-golden.ts";

const evaluated = ({ dataset, results }: CocoCase, useCats: boolean): BoxEvaluation =>
  evaluateBoxes(readCocoDataset(dataset), readCocoResults(results), { useCats });

/** Little-endian on every machine. */
function sha256(values: Float64Array): string {
  const bytes = new DataView(new ArrayBuffer(values.length * 8));
  for (const [i, value] of values.entries()) bytes.setFloat64(i * 8, value, true);
  return createHash("sha256").update(new Uint8Array(bytes.buffer)).digest("hex");
}

const refused = ({ useCats }: CocoCase): boolean => useCats[1].refused !== undefined;

describe("pycocotools' numbers, bit for bit", () => {
  const pairs = GOLDEN.cases.filter((one) => !refused(one));
  it.each(
    pairs.flatMap((one) => [
      { ...one, cats: 1 as const },
      { ...one, cats: 0 as const },
    ]),
  )("$name: $about, useCats $cats", (one) => {
    const want = one.useCats[one.cats];
    const got = evaluated(one, one.cats === 1);
    // Samples first: they say where it differs.
    const samples = want.precision.samples.map((_, i) => got.precision[i * GOLDEN.stride]);
    expect(samples).toEqual(want.precision.samples);
    expect([...got.recall]).toEqual(want.recall);
    expect(got.precision.length).toBe(want.precision.shape.reduce((a, b) => a * b, 1));
    expect(sha256(got.precision)).toBe(want.precision.sha256);
    expect(Object.values(got.summary)).toEqual(want.stats);
    const lines = got.classes.map((line) => {
      const { id, AP, AP50, AR100, ground_truths, crowds, detections } = line;
      return [id, AP, AP50, AR100, ground_truths, crowds, detections];
    });
    expect(lines).toEqual(want.classes);
  });

  it("are many and unlike: the goldens would show a wrong reading", () => {
    const found = pairs.map(({ useCats }) => useCats[1].stats[0]);
    expect(new Set(found).size).toBeGreaterThan(50);
    expect(found.filter((ap) => ap === -1).length).toBeGreaterThan(3);
  });
});

const data = (annotations: readonly CocoAnnotation[], images = [1]): CocoDataset => ({
  images: images.map((id) => ({ id })),
  categories: [{ id: 1, name: "thing" }],
  annotations,
});

const truth = (id: number, x: number, more: Partial<CocoAnnotation> = {}): CocoAnnotation => ({
  id,
  image_id: 1,
  category_id: 1,
  bbox: [x, 0, 100, 100],
  area: 10_000,
  iscrowd: 0,
  ...more,
});

const hit = (x: number, score: number, more: Partial<CocoResult> = {}): CocoResult => ({
  image_id: 1,
  category_id: 1,
  bbox: [x, 0, 100, 100],
  score,
  ...more,
});

describe("by hand", () => {
  it("perfect detections are 1, but for pycocotools' spacing", () => {
    const { summary } = evaluateBoxes(data([truth(1, 0), truth(2, 500)]), [hit(0, 0.9), hit(500, 0.8)]);
    expect(summary.AP).toBeCloseTo(1, 12);
    expect([summary.AR1, summary.AR10, summary.APs, summary.APm]).toEqual([0.5, 1, -1, -1]);
    expect(summary.APl).toBe(summary.AP);
  });

  it("right, wrong, right: precision 1 up to recall 1/2, 2/3 beyond", () => {
    const all = [hit(0, 0.9), hit(2000, 0.8), hit(500, 0.7)];
    const { summary } = evaluateBoxes(data([truth(1, 0), truth(2, 500)]), all);
    expect(summary.AP50).toBeCloseTo((51 * 1 + 50 * (2 / 3)) / 101, 12);
  });

  it("the order of equal scores is the order of the pictures' ids, then the given one", () => {
    const truths = data([truth(1, 0, { image_id: 2 })], [7, 2]);
    const [right, wrong] = [hit(0, 0.5, { image_id: 2 }), hit(0, 0.5, { image_id: 7 })];
    expect(evaluateBoxes(truths, [wrong, right]).summary.AP).toBeCloseTo(1, 12);
    const other = hit(900, 0.5, { image_id: 2 });
    expect(evaluateBoxes(truths, [right, other]).summary.AP).toBeCloseTo(1, 12);
    expect(evaluateBoxes(truths, [other, right]).summary.AP).toBeCloseTo(0.5, 12);
  });

  it("inputs are left as they are", () => {
    const truths = data([truth(2, 500), truth(1, 0)], [3, 1]);
    const all = [hit(500, 0.1), hit(0, 0.9)];
    const before = structuredClone([truths, all]);
    evaluateBoxes(truths, all);
    expect([truths, all]).toEqual(before);
  });
});

describe("notes", () => {
  const noted = (name: string): readonly string[] =>
    evaluated(GOLDEN.cases.find((one) => one.name === name) as CocoCase, true).notes;

  it("tell what was left out", () => {
    expect(noted("strangers")).toEqual([
      "2 detections are of classes that the dataset lacks (ids 77, 78): left out",
      "1 ground truths are of classes that the dataset lacks (ids 77): left out",
      "1 ground truths are of pictures that the dataset lacks: left out",
    ]);
  });

  it("tell of id 0", () => expect(noted("id-zero")[0]).toMatch(/id 0: .*count ids from 1/));
  it("are none where all is well", () => expect(noted("mixed")).toEqual([]));
});

describe("refusals", () => {
  it("detections of pictures that the dataset lacks, as pycocotools refuses them", () => {
    const cases = GOLDEN.cases.filter(refused);
    expect(cases.map(({ useCats }) => useCats[1].refused)).toEqual([
      "Results do not correspond to current coco set",
    ]);
    expect(() => evaluated(cases[0], true)).toThrow(
      /^detections\[\d+\]\.image_id: expected the id of a picture of the dataset, got 99999 \(are these/,
    );
  });

  it("numbers that are not finite and ids that stand twice, all of them at once", () => {
    const truths = data([truth(1, 0), truth(1, Number.NaN, { area: Number.POSITIVE_INFINITY })]);
    expect(() => evaluateBoxes(truths, [hit(0, Number.NaN)])).toThrow(
      [
        "dataset: annotations[1].id: expected an id that annotations[0] has not, got 1",
        "annotations[1].bbox: expected finite numbers, got [null,0,100,100]",
        "annotations[1].area: expected a finite number, got Infinity",
        "detections[0].score: expected a finite number, got NaN",
      ].join("\n"),
    );
  });
});
