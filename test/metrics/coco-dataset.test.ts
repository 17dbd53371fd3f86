/** Reading COCO's JSON: what is kept, and every mistake with its place. */
import { describe, expect, it } from "vitest";
import { MobileDetrError } from "../../src/errors.ts";
import { readCocoDataset, readCocoResults } from "../../src/metrics/index.ts";

const annotation = { id: 1, image_id: 1, category_id: 1, bbox: [0, 1, 2, 3], area: 6, iscrowd: 0 };
const dataset = (annotations: unknown[] = [annotation], more: object = {}): Record<string, unknown> => ({
  images: [{ id: 1, file_name: "a.jpg" }],
  categories: [{ id: 1, name: "cat" }],
  annotations,
  ...more,
});

/** The message of what is thrown, and that it is `format`. */
function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect((error as MobileDetrError).code).toBe("format");
    expect(error).toBeInstanceOf(MobileDetrError);
    return (error as Error).message;
  }
  return expect.fail("nothing was refused");
}

describe("a dataset", () => {
  it("is read from text or from what was parsed, and keeps what boxes need", () => {
    const json = dataset([{ ...annotation, segmentation: [[1, 2]], iscrowd: true }], {
      info: {},
      licenses: [],
    });
    const read = readCocoDataset(json);
    expect(readCocoDataset(JSON.stringify(json))).toEqual(read);
    expect(read).toEqual(dataset([{ ...annotation, iscrowd: 1 }]));
  });

  it("may lack iscrowd and names", () => {
    const { iscrowd: _, ...bare } = annotation;
    const read = readCocoDataset(dataset([bare], { categories: [{ id: 4 }], images: [{ id: 1 }] }));
    expect(read.annotations[0].iscrowd).toBe(0);
    expect(read.categories).toEqual([{ id: 4, name: "4" }]);
    expect(read.images).toEqual([{ id: 1 }]);
  });

  it("is refused with every mistake, a line each", () => {
    const { area: _, ...bare } = annotation;
    const json = dataset(
      [
        bare,
        { ...annotation, id: "7", bbox: [0, 1, 2] },
        5,
        { ...annotation, iscrowd: 2, bbox: [0, 1, 2, null] },
      ],
      { categories: [{ id: 1.5, name: 3 }], images: [{ file_name: "a" }] },
    );
    expect(refusal(() => readCocoDataset(json, { source: "val.json" })).split("\n")).toEqual([
      "val.json: images[0].id: expected a whole number, got nothing",
      "val.json: categories[0].id: expected a whole number, got 1.5",
      "val.json: categories[0].name: expected a text, got 3",
      "val.json: annotations[0].area: expected a finite number, got nothing (width times height of the box, where there is no segmentation)",
      'val.json: annotations[1].id: expected a whole number, got "7"',
      "val.json: annotations[1].bbox: expected [x, y, width, height], four finite numbers, got [0,1,2]",
      "val.json: annotations[2]: expected an object, got 5",
      "val.json: annotations[3].bbox: expected [x, y, width, height], four finite numbers, got [0,1,2,null]",
      "val.json: annotations[3].iscrowd: expected 0 or 1, got 2",
    ]);
  });

  it("is refused where ids stand twice, in each list", () => {
    const json = dataset([annotation, annotation], { images: [{ id: 1 }, { id: 2 }, { id: 1 }] });
    expect(refusal(() => readCocoDataset(json)).split("\n")).toEqual([
      "dataset: images[2].id: expected an id that images[0] has not, got 1",
      "dataset: annotations[1].id: expected an id that annotations[0] has not, got 1",
    ]);
  });

  it("tells of 20 mistakes, or as many as are asked for, and counts the rest", () => {
    const json = dataset(Array.from({ length: 30 }, () => ({ ...annotation, bbox: "x" })));
    expect(refusal(() => readCocoDataset(json)).split("\n")).toHaveLength(21);
    const few = refusal(() => readCocoDataset(json, { limit: 2 })).split("\n");
    expect([few.length, few[2]]).toEqual([3, "and 28 more"]);
  });

  it.each([
    ["[", /^dataset: expected JSON, got /],
    [[], /^dataset: expected an object with images, annotations and categories, got a list/],
    [null, /got null/],
    [{ images: [], annotations: {} }, /annotations: expected a list, got {}/],
    [{ images: [], annotations: {} }, /categories: expected a list, got nothing/],
  ])("is refused where it is none: %j", (json, message) => {
    expect(refusal(() => readCocoDataset(json))).toMatch(message);
  });
});

describe("results", () => {
  const result = { image_id: 1, category_id: 2, bbox: [0, 0, 1.5, 1], score: 0.5 };

  it("are read from text or from what was parsed", () => {
    expect(readCocoResults([{ ...result, segmentation: [] }])).toEqual([result]);
    expect(readCocoResults(JSON.stringify([result]))).toEqual([result]);
    expect(readCocoResults([])).toEqual([]);
  });

  it("are refused with every mistake", () => {
    const json = [result, { ...result, score: "0.5", image_id: null }, { ...result, category_id: undefined }];
    expect(refusal(() => readCocoResults(json, { source: "r.json" })).split("\n")).toEqual([
      "r.json[1].image_id: expected a whole number, got null",
      'r.json[1].score: expected a finite number, got "0.5"',
      "r.json[2].category_id: expected a whole number, got nothing",
    ]);
    // JSON can write a number that is none.
    expect(
      refusal(() => readCocoResults('[{"image_id":1,"category_id":1,"bbox":[0,0,1,1],"score":1e999}]')),
    ).toBe("results[0].score: expected a finite number, got Infinity");
  });

  it("are refused where they are a dataset", () => {
    expect(refusal(() => readCocoResults({}))).toBe(
      "results: expected a list of detections, got a value of type object",
    );
  });
});
