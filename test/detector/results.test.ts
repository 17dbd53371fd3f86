/** Results: the views that Ultralytics' have, with its numbers; JSON as it was; pictures and files. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as stub from "../../src/detector/result-files.browser.ts";
import { plainName } from "../../src/detector/result-files.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { type Detection, type Detections, Pipeline, Results } from "../../src/index.ts";
import { rejection } from "./rejection.ts";

const PICTURE = fileURLToPath(new URL("../../examples/pictures/wall.jpg", import.meta.url));
const NAMES = ["barcode", "qr"];
const SPEED = { decode: 1, preprocess: 2, inference: 3, postprocess: 4 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mobiledetr-results-"));
});
afterAll(() => rm(folder, { recursive: true }));

function found(detections: readonly Detection[], more: Partial<Detections> = {}): Detections {
  return { width: 200, height: 100, detections, speed: SPEED, ...more };
}

function one(box: Detection["box"], more: Partial<Detection> = {}): Detection {
  return {
    box: box.map(Math.fround) as unknown as Detection["box"],
    score: 0.5,
    class: 1,
    name: "qr",
    ...more,
  };
}

function resultsOf(...boxes: Detection["box"][]): Results {
  return new Results(found(boxes.map((box) => one(box))), { names: NAMES });
}

describe("views", () => {
  it("boxes are row-major, in single precision, made once", () => {
    const results = new Results(
      found([
        one([10.1, 20.2, 30.3, 40.4], { score: 0.25 }),
        one([0, 0, 200, 100], { class: 0, name: "barcode" }),
      ]),
      { names: NAMES },
    );
    const { boxes } = results;
    const f = Math.fround;
    expect([...boxes.xyxy]).toEqual([10.1, 20.2, 30.3, 40.4, 0, 0, 200, 100].map(f));
    const centre = [f(f(f(10.1) + f(30.3)) / 2), f(f(f(20.2) + f(40.4)) / 2)];
    const size = [f(f(30.3) - f(10.1)), f(f(40.4) - f(20.2))];
    expect([...boxes.xywh]).toEqual([...centre, ...size, 100, 50, 200, 100]);
    expect([...boxes.xywhn.subarray(0, 4)]).toEqual(
      [centre[0] / 200, centre[1] / 100, size[0] / 200, size[1] / 100].map(f),
    );
    expect([...boxes.xyxyn.subarray(4)]).toEqual([0, 0, 1, 1]);
    expect([[...boxes.conf], [...boxes.cls], boxes.length]).toEqual([[0.25, 0.5], [1, 0], 2]);
    expect(boxes.orig_shape).toEqual([100, 200]);
    expect(results.boxes).toBe(boxes);
    expect(boxes.xywhn).toBe(boxes.xywhn);
    expect([results.names, results.length, results.path]).toEqual([NAMES, 2, undefined]);
  });

  it("of nothing are empty", () => {
    const results = resultsOf();
    const { xyxy, xywh, xyxyn, xywhn, conf, cls } = results.boxes;
    for (const array of [xyxy, xywh, xyxyn, xywhn, conf, cls]) expect(array.length).toBe(0);
    expect([results.summary(), results.toCOCO({ imageId: 1 }), results.toTxt()]).toEqual([[], [], ""]);
  });

  it("JSON is that of the plain data, and makes the same results again", () => {
    const plain = found([one([1.5, 2, 3, 4])], { source: "a.jpg" });
    const { source, width, height, detections, speed } = plain;
    const results = new Results(plain, { names: NAMES, image: "a.jpg" });
    expect(JSON.stringify(results)).toBe(JSON.stringify({ source, width, height, detections, speed }));
    expect(JSON.stringify(resultsOf())).toBe(JSON.stringify(found([])));
    expect(new Results(JSON.parse(JSON.stringify(results)), { names: NAMES })).toEqual(results);
    expect({ ...results }).toEqual(plain);
    expect(structuredClone(results)).toEqual(plain);
  });

  it("summary rounds as Python does, halves to even", () => {
    // round(x, 5) and round(x / w, d) of Python 3
    const results = new Results(
      found([one([10.015625, 10.046875, 914.873779296875, 99.5], { score: 0.125 })]),
      {
        names: NAMES,
      },
    );
    expect(results.summary()).toEqual([
      {
        name: "qr",
        class: 1,
        confidence: 0.125,
        box: { x1: 10.01562, y1: 10.04688, x2: 914.87378, y2: 99.5 },
      },
    ]);
    expect(results.summary({ decimals: 2 })[0].confidence).toBe(0.12);
    expect(results.summary({ decimals: 0 })[0].box).toEqual({ x1: 10, y1: 10, x2: 915, y2: 100 });
    expect(results.summary({ normalize: true })[0].box.y2).toBe(0.995);
    expect(() => results.summary({ decimals: -1 })).toThrow(
      /decimals: expected a whole number in \[0, 20\], got -1/,
    );
    expect(() => results.summary({ normalize: 1 as never })).toThrow(/normalize: expected true or false/);
  });

  it.each([
    [0.5, "0.5"],
    [1, "1"],
    [0.12345679104328156, "0.123457"],
    [0.001953125, "0.00195312"],
    [0.005859375, "0.00585938"],
    [1.52587890625e-5, "1.52588e-05"],
    [0.000244140625, "0.000244141"],
    [9.999999747378752e-6, "1e-05"],
    [0, "0"],
    [0.7838107943534851, "0.783811"],
  ])("toTxt writes %f as C's %%g: %s", (score, text) => {
    const results = new Results(found([one([0, 0, 200, 100], { score })]), { names: NAMES });
    expect(results.toTxt({ save_conf: true })).toBe(`1 0.5 0.5 1 1 ${text}\n`);
    expect(results.toTxt()).toBe("1 0.5 0.5 1 1\n");
  });

  it("toCOCO gives x, y, width, height and ids", () => {
    const plain = found([one([10, 20, 30, 50])], { source: "some/folder/000042.jpg" });
    const results = new Results(plain, { names: NAMES });
    const line = { image_id: 42, category_id: 1, bbox: [10, 20, 20, 30], score: 0.5 };
    expect(results.toCOCO()).toEqual([line]);
    expect(results.toCOCO({ imageId: "x", categoryIds: [7, 90] })).toEqual([
      { ...line, image_id: "x", category_id: 90 },
    ]);
    expect(() => results.toCOCO({ categoryIds: [7] })).toThrow(
      /categoryIds: expected a whole number for class 1/,
    );
    expect(() => resultsOf().toCOCO()).toThrow(/imageId: .*\(the picture had no path\)/);
  });
});

describe("pictures", () => {
  const pixels = {
    data: new Uint8Array(200 * 100 * 3).fill(90),
    width: 200,
    height: 100,
    channels: 3 as const,
  };

  it("plot draws on the pixels that were given, on a copy", async () => {
    const results = new Results(found([one([50, 30, 150, 80])]), { names: NAMES, image: pixels });
    const colors = [[255, 0, 0] as const];
    const plain = await results.plot({ labels: false, colors, line_width: 4 });
    expect([plain.width, plain.height, plain.channels]).toEqual([200, 100, 3]);
    expect([...plain.data.subarray((50 * 200 + 50) * 3).subarray(0, 3)]).toEqual([255, 0, 0]);
    expect(pixels.data.every((byte) => byte === 90)).toBe(true);
    const [labelled, named, small] = await Promise.all([
      results.plot({ colors, line_width: 4 }),
      results.plot({ colors, line_width: 4, conf: false }),
      results.plot({ colors, line_width: 4, font_size: 8 }),
    ]);
    const pictures = [plain, labelled, named, small].map(({ data }) => Buffer.from(data).toString("base64"));
    expect(new Set(pictures).size).toBe(4);
    const own = await results.plot({
      image: { ...pixels, data: new Uint8Array(60000).fill(10) },
      labels: false,
    });
    expect(own.data[0]).toBe(10);
  });

  it("colours go by class, or by instance", async () => {
    const two = [one([10, 10, 60, 60]), one([100, 10, 160, 60])];
    const results = new Results(found(two), { names: NAMES, image: pixels });
    const colors = [[250, 0, 0] as const, [0, 250, 0] as const];
    const at = (data: Uint8Array, x: number): number[] => [
      ...data.subarray((30 * 200 + x) * 3).subarray(0, 3),
    ];
    const byClass = (await results.plot({ colors, labels: false, line_width: 4 })).data;
    expect([at(byClass, 10), at(byClass, 100)]).toEqual([
      [0, 250, 0],
      [0, 250, 0],
    ]);
    const each = (await results.plot({ colors, labels: false, line_width: 4, color_mode: "instance" })).data;
    expect([at(each, 10), at(each, 100)]).toEqual([
      [250, 0, 0],
      [0, 250, 0],
    ]);
  });

  it("crops grow as Ultralytics' do, and stay within the picture", async () => {
    const data = Uint8Array.from({ length: 60000 }, (_, i) => Math.floor(i / 3) % 200); // x
    const image = { ...pixels, data };
    const results = new Results(
      found([one([50, 30, 150, 80]), one([-20, -20, 10, 10]), one([500, 0, 510, 9])]),
      {
        names: NAMES,
        image,
      },
    );
    const cut = await results.crops();
    // b = xywh; b[2:] * 1.02 + 10; to xyxy, truncated, clipped: x 44 .. 156, y 24 .. 85
    expect(cut.map((crop) => [crop.image.width, crop.image.height])).toEqual([
      [112, 61],
      [15, 15],
    ]);
    expect([cut[0].image.data[0], cut[0].image.data.at(-1)]).toEqual([44, 155]);
    expect(cut[1].detection.box).toEqual([-20, -20, 10, 10]);
    const [exact] = await results.crops({ gain: 1, pad: 0 });
    expect([exact.image.width, exact.image.height, exact.image.data[0]]).toEqual([100, 50, 50]);
    const [square] = await results.crops({ gain: 1, pad: 0, square: true });
    expect([square.image.width, square.image.height]).toEqual([100, 95]); // 5 .. 105 of 100
  });

  it.each([
    [{ line_width: 0 }, /lineWidth: expected a number in 1\.\.1000, got 0/],
    [{ labels: "no" }, /labels: expected true or false, got "no"/],
    [{ conf: 0.5 }, /conf: expected true or false, got 0\.5/],
    [{ color_mode: "x" }, /color_mode: expected "class" or "instance"/],
    [{ colors: [] }, /colors: expected a list of \[red, green, blue\]/],
    [{ colors: [[1, 2]] }, /colors/],
    [
      { image: { data: new Uint8Array(3), width: 1, height: 1 } },
      /200 x 100 pixels that was looked at, got one of 1 x 1/,
    ],
    [null, /options: expected an object, got null/],
  ])("plot refuses %j", async (options, message) => {
    const results = new Results(found([one([1, 1, 9, 9])]), { names: NAMES, image: pixels });
    expect((await rejection(results.plot(options as never))).message).toMatch(message);
  });

  it("without pixels there is an error that says so", async () => {
    const error = await rejection(resultsOf([1, 1, 9, 9]).plot());
    expect(error.message).toBe(
      "image: expected the picture's pixels, got none: it was transferred, or never there (give the option image)",
    );
    expect((await rejection(resultsOf().crops({ pad: -1, image: pixels }))).message).toMatch(/pad: expected/);
  });
});

describe("files", () => {
  it("save, saveTxt and saveCrop write what a detection gives, by path, in folders that are made", async () => {
    const pipeline = new Pipeline({ imgsz: 320, threads: 1, conf: 0.3 });
    const results = pipeline.detect(PICTURE);
    await pipeline.close();
    expect(results.length).toBeGreaterThan(0);
    const path = await results.save(join(folder, "deep/er/plot.png"));
    expect(Buffer.compare(decodeImage(readFileSync(path)).data, (await results.plot()).data)).toBe(0);
    expect(readdirSync(join(folder, "deep/er"))).toEqual(["plot.png"]);
    const labels = await results.saveTxt(join(folder, "labels/wall.txt"), { save_conf: true });
    expect(readFileSync(labels, "utf8")).toBe(results.toTxt({ save_conf: true }));
    await results.saveTxt(labels);
    expect(readFileSync(labels, "utf8")).toBe(results.toTxt());
    const first = await results.saveCrop(join(folder, "crops"));
    const second = await results.saveCrop(join(folder, "crops"));
    expect(new Set([...first, ...second]).size).toBe(2 * results.length);
    const { name } = results.detections[0];
    expect(relative(join(folder, "crops"), first[0])).toBe(join(name, "wall.jpg"));
    const [crop] = await results.crops();
    const { width, height } = decodeImage(readFileSync(first[0]));
    expect([width, height]).toEqual([crop.image.width, crop.image.height]);
  });

  it("of nothing is an empty text, in place of an older one", async () => {
    const path = join(folder, "old.txt");
    writeFileSync(path, "1 2 3 4 5\n");
    await resultsOf().saveTxt(path);
    expect(readFileSync(path, "utf8")).toBe("");
  });

  it.each(["../../evil", "/etc/evil", "..", "a/b\\c", "\0", "", "con", "NUL.x", ".hidden", "a".repeat(300)])(
    "a class and a picture named %j stay in the folder",
    async (name) => {
      const dir = join(folder, "names", String(Math.random()));
      const image = { data: new Uint8Array(60000), width: 200, height: 100, channels: 3 };
      const origin = { names: [name], image };
      const results = new Results(
        found([one([10, 10, 50, 50], { name })], { source: `${name}.jpg` }),
        origin,
      );
      const [path] = await results.saveCrop(dir);
      expect(relative(dir, path).split(/[\\/]/).length).toBe(2);
      expect(relative(dir, path)).not.toMatch(/^\.\./);
      expect(existsSync(path)).toBe(true);
      expect(readdirSync(join(folder, "names")).every((entry) => /^0\.\d+/.test(entry))).toBe(true);
    },
  );

  it.runIf(process.platform !== "win32")("a link within the folder leads nowhere else", async () => {
    const [dir, elsewhere] = [join(folder, "links"), join(folder, "elsewhere")];
    mkdirSync(dir);
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(dir, "qr"));
    const image = { data: new Uint8Array(60000), width: 200, height: 100, channels: 3 };
    const results = new Results(found([one([10, 10, 50, 50])]), { names: NAMES, image });
    expect((await rejection(results.saveCrop(dir))).message).toMatch(/got a link that leads elsewhere/);
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("names keep letters of all scripts", () => {
    expect(plainName("Straße 5, «東京»")).toBe("Straße 5_ _東京_");
    expect(plainName("aux")).toBe("_aux");
  });

  it("refuses endings, paths and places that cannot be", async () => {
    const image = { data: new Uint8Array(60000), width: 200, height: 100, channels: 3 };
    const results = new Results(found([one([10, 10, 50, 50])]), { names: NAMES, image });
    expect((await rejection(results.save(join(folder, "x.gif")))).message).toMatch(/ends in \.png, \.jpg/);
    expect((await rejection(results.save(7 as never))).message).toMatch(/path: expected a path, got 7/);
    expect((await rejection(results.saveTxt(""))).message).toMatch(/path: expected a path, got ""/);
    writeFileSync(join(folder, "file"), "");
    const error = await rejection(results.saveTxt(join(folder, "file/x.txt")));
    expect([error.code, error.message]).toEqual(["file", expect.stringMatching(/a folder that can be made/)]);
  });

  it("in browsers there are none", async () => {
    expect(() => stub.saveText("a.txt", "")).toThrow(/expected toTxt\(\), which gives the text, got a path/);
    expect((await rejection(stub.savePicture("a.png", 0))).code).toBe("file");
    expect((await rejection(stub.saveCrops("a", "b", 0))).code).toBe("file");
  });
});
