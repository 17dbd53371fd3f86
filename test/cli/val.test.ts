/** `mobiledetr val`: pycocotools' figures (test/golden/make/val.py), and what does not go together. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { GOLDEN as CASES } from "../metrics/coco-golden.ts";
import { filesBelow, PICTURES, runCli, scratchFolder } from "./run-cli.ts";

const GOLDEN = fileURLToPath(new URL("../golden/val/", import.meta.url));
const DATA = join(GOLDEN, "instances.json");
const FIGURES: { stats: number[]; classes: number[][] } = JSON.parse(
  readFileSync(join(GOLDEN, "figures.json"), "utf8"),
);
const scratch = scratchFolder();

function file(name: string, value: unknown): string {
  mkdirSync(scratch, { recursive: true });
  writeFileSync(join(scratch, name), typeof value === "string" ? value : JSON.stringify(value));
  return join(scratch, name);
}

/** The data set with changes. */
function changed(
  name: string,
  change: (data: { images: { file_name?: string }[]; categories: { name: string }[] }) => void,
): string {
  const data = JSON.parse(readFileSync(DATA, "utf8"));
  change(data);
  return file(name, data);
}

function expectFigures(stdout: string, { stats, classes }: typeof FIGURES): void {
  const got = JSON.parse(stdout);
  const lines = got.classes.map(({ id, AP, AP50, AR100 }: Record<string, number>) => [id, AP, AP50, AR100]);
  for (const [actual, expected] of [
    [Object.values(got.summary), stats],
    [lines.flat(), classes.flat()],
  ] as [number[], number[]][]) {
    expect(actual.length).toBe(expected.length);
    for (const [i, value] of expected.entries()) expect(Math.abs(actual[i] - value)).toBeLessThan(1e-6);
  }
}

describe("mobiledetr val", () => {
  it("runs the model, writes its detections in the data set's ids, and gives pycocotools' figures of them", async () => {
    const found = join(scratch, "found.json");
    const words = ["val", DATA, "--images", PICTURES, "--save-json", found, "--json"];
    const { code, stdout, stderr } = await runCli(words);
    expect(stderr).toBe(
      "mobiledetr: classes that the model lacks, and so never finds: zebra\n" +
        "mobiledetr: classes that the data set lacks, left out: maxicode\n",
    );
    expect(code).toBe(0);
    expectFigures(stdout, FIGURES);
    const [mine, theirs] = [found, join(GOLDEN, "results.json")].map((path) =>
      JSON.parse(readFileSync(path, "utf8")),
    );
    expect(mine.length).toBe(theirs.length);
    expect(Object.keys(mine[0])).toEqual(["image_id", "category_id", "bbox", "score"]);
    expect(JSON.parse(stdout)).toMatchObject({
      model: "codes",
      images: 4,
      failed: 0,
      detections: theirs.length,
    });
    expect(filesBelow(scratch)).toEqual(["found.json"]);
  });

  it("scores results that are there, as text and as JSON, without a model", async () => {
    const words = ["val", DATA, "--results", join(GOLDEN, "results.json")];
    const [json, text] = await Promise.all([runCli([...words, "--json"]), runCli(words)]);
    expect(json).toMatchObject({ code: 0, stderr: "" });
    expectFigures(json.stdout, FIGURES);
    const [ap, ar] = [FIGURES.stats[0], FIGURES.stats[6]].map((value) => value.toFixed(3));
    const lines = text.stdout.split("\n");
    expect(lines[0]).toBe(` Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = ${ap}`);
    expect(lines[6]).toBe(` Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = ${ar}`);
    expect(lines[13]).toMatch(/^class +objects +crowds +found +AP +AP50 +AR100$/);
    expect(text.stdout).toMatch(/^barcode +\d+ +1 +\d+ +0\.\d{3} +0\.\d{3} +0\.\d{3}$/m);
  });

  it.each(["mixed", "crowds", "many"])("agrees with pycocotools on %s", async (name) => {
    const one = CASES.cases.find((each) => each.name === name);
    if (!one) throw new Error(name);
    const words = [
      "val",
      file(`${name}.json`, one.dataset),
      "--results",
      file(`${name}-results.json`, one.results),
      "--json",
    ];
    const { stats, classes } = one.useCats[1];
    expectFigures((await runCli(words)).stdout, {
      stats: [...stats],
      classes: classes.map((line) => line.slice(0, 4)),
    });
  });

  it("counts pictures that are missing, damaged or elsewhere, by name, and ends with 1", async () => {
    const data = changed("missing.json", ({ images }) => {
      images[0].file_name = "gone\x1b.jpg";
      images[1].file_name = "../../etc/passwd";
      images[2].file_name = "https://example.org/a.jpg";
    });
    const { code, stdout, stderr } = await runCli(["val", data, "--images", PICTURES, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ failed: 3, images: 4 });
    expect(stderr).toMatch(
      /^mobiledetr: .*gone\\x1b\.jpg: expected a file that can be read, got no such file/m,
    );
    expect(stderr).toContain(
      "mobiledetr: ../../etc/passwd: expected a file name in the folder of pictures, got one that leads out of it\n",
    );
    expect(stderr).toMatch(/^mobiledetr: .*https:\/example\.org\/a\.jpg: expected a file that can be read/m);
    expect(stderr).toMatch(/mobiledetr: 3 of 4 pictures failed: nothing was found in them\n$/);
  });

  it.each<[string, () => string[], number, RegExp]>([
    [
      "no picture at all",
      () => [DATA, "--images", scratch],
      1,
      /instances\.json: expected pictures, got 4, none of which could be read \(is --images right\?\)/,
    ],
    [
      "no class in common",
      () => [
        changed("strange.json", ({ categories }) =>
          categories.forEach((one, i) => {
            one.name = `c${i}`;
          }),
        ),
        "--images",
        PICTURES,
      ],
      1,
      /strange\.json: expected classes of the model \(barcode, qr, .*\), got c0, c1, .* \(classes go together by name/,
    ],
    [
      "a class twice",
      () => [
        changed("twice.json", ({ categories }) => {
          categories[1].name = "qr";
        }),
        "--images",
        PICTURES,
      ],
      1,
      /twice\.json: expected every class name once, got "qr" twice/,
    ],
    [
      "a YAML",
      () => ["data.yaml"],
      2,
      /data\.yaml: expected a COCO annotation file \(\.json\), got a YAML file \(convert/,
    ],
    [
      "no such file",
      () => [join(scratch, "none.json")],
      1,
      /none\.json: expected a file that can be read, got no such file/,
    ],
    ["what is no JSON", () => [file("text.json", "hello")], 1, /text\.json: expected JSON, got /],
    [
      "results of other pictures",
      () => [
        DATA,
        "--results",
        file("other.json", [{ image_id: 1, category_id: 3, bbox: [0, 0, 1, 1], score: 1 }]),
      ],
      1,
      /other\.json: detections\[0\]\.image_id: expected the id of a picture/,
    ],
    [
      "results and a model",
      () => [DATA, "--results", "x.json", "--imgsz", "320"],
      2,
      /--results: expected no --imgsz beside it/,
    ],
  ])("refuses %s", async (_, words, expected, message) => {
    const { code, stdout, stderr } = await runCli(["val", ...words()]);
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
    expect(stdout).not.toContain("Average");
  });
});
