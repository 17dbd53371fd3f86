import { readFileSync } from "node:fs";
import { decode as decodeByJpegJs } from "jpeg-js";
import { describe, expect, test } from "vitest";
import { MobileDetrError } from "../../src/errors.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { resizeBilinear } from "../../src/image/resize.ts";
import { firstDifference } from "./goldens.ts";
import { type JpegCase, readJpegCases, readJpegFile, readJpegPixels, sha256 } from "./jpeg-corpus.ts";

const cases = readJpegCases();
const whole = cases.filter((c) => c.filled === undefined);
const damaged = cases.filter((c) => c.filled !== undefined);

function decode(c: JpegCase, mode: "error" | "fill", warnings: string[] = []): string {
  const onWarning = (message: string): number => warnings.push(message);
  const image = decodeImage(readJpegFile(c.file), { source: c.file, damaged: mode, onWarning });
  expect([image.width, image.height, image.channels]).toEqual([c.width, c.height, 3]);
  return sha256(image.data);
}

test("the corpus has at least 200 files", () => expect(cases.length).toBeGreaterThanOrEqual(200));

describe("pixels equal OpenCV's bit for bit", () => {
  for (const c of whole) {
    test(`${c.file}: ${c.what}`, () => expect(decode(c, "error")).toBe(c.opencv));
  }
});

describe("damaged files, filled, equal what libjpeg makes of them bit for bit", () => {
  for (const c of damaged) {
    test(`${c.file}: ${c.what}`, () => expect(decode(c, "fill")).toBe(c.filled));
  }
});

describe("damaged files", () => {
  test("those that break off are refused unless they are to be filled, and then reported", () => {
    const cut = damaged.filter((c) => c.file.includes("-cut-"));
    expect(cut.length).toBeGreaterThan(20);
    for (const c of cut) {
      expect(() => decode(c, "error"), c.file).toThrow(/a whole JPEG picture .*cut off; fetch it again/);
      const warnings: string[] = [];
      decode(c, "fill", warnings);
      expect(warnings.length, c.file).toBeGreaterThan(0);
      for (const text of warnings) expect(text).toMatch(new RegExp(`^${c.file}: `));
    }
  });

  test("those whose damage shows are refused; nothing that is filled with a warning is taken without", () => {
    let shown = 0;
    for (const c of damaged) {
      const warnings: string[] = [];
      decode(c, "fill", warnings);
      if (warnings.length === 0) {
        expect(decode(c, "error"), c.file).toBe(c.filled); // other data, but data that can be decoded
        continue;
      }
      shown++;
      let error: unknown;
      try {
        decode(c, "error");
      } catch (thrown) {
        error = thrown;
      }
      expect(error, c.file).toBeInstanceOf(MobileDetrError);
      expect((error as MobileDetrError).code).toBe("format");
    }
    expect(shown).toBeGreaterThan(40);
  });

  test("damage in one picture is not held against the next", () => {
    const fine = whole[0];
    for (const c of damaged.slice(0, 20)) {
      decode(c, "fill");
      const warnings: string[] = [];
      expect(decode(fine, "fill", warnings)).toBe(fine.opencv);
      expect(warnings).toEqual([]);
      expect(decode(fine, "error")).toBe(fine.opencv);
    }
  });
});

describe("where OpenCV and Pillow differ, OpenCV is followed", () => {
  const differ = whole.filter((c) => c.pillow !== undefined);
  test("they differ in CMYK, and in whether a second scan of everything is an error", () => {
    const others = differ.filter((c) => !/^(cmyk|ycck)/.test(c.file)).map((c) => c.file);
    expect(others).toEqual(["scan-again.jpg"]);
  });
  test("ours are not Pillow's there", () => {
    for (const c of differ) expect(decode(c, "error"), c.file).not.toBe(c.pillow);
  });
});

describe("against others", () => {
  for (const name of [
    "size-33x17-420",
    "progressive-cut-2",
    "cmyk-420",
    "factors-4x2-1x1-2x1",
    "wild-coefficients",
  ]) {
    test(`the pixels of ${name} equal those kept in full`, () => {
      const ours = decodeImage(readJpegFile(`${name}.jpg`), { damaged: "fill" });
      expect(firstDifference(ours.data, decodeImage(readJpegPixels(name)).data)).toBe(-1);
    });
  }

  for (const name of ["wall", "coffee", "cat"]) {
    test(`${name}.jpg, decoded and resized, equals what OpenCV makes of it`, () => {
      const read = (path: string): Uint8Array =>
        new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url)));
      const ours = resizeBilinear(decodeImage(read(`examples/pictures/${name}.jpg`)), 640, 640);
      const theirs = decodeImage(read(`test/golden/codes/${name}.640.png`));
      expect(firstDifference(ours.data, theirs.data)).toBe(-1);
    });
  }

  // Its inverse DCT rounds otherwise, by one level; its colour conversion rounds down.
  test("jpeg-js is within 4 levels where nothing is scaled up", () => {
    let compared = 0;
    for (const c of whole.filter((c) => /^(size-.*-444|optimised-444|progressive-444)/.test(c.file))) {
      const ours = decodeImage(readJpegFile(c.file)).data;
      const theirs = decodeByJpegJs(readJpegFile(c.file), { useTArray: true, formatAsRGBA: false }).data;
      let max = 0;
      ours.forEach((value, i) => {
        max = Math.max(max, Math.abs(value - theirs[i]));
      });
      expect(max, c.file).toBeLessThanOrEqual(4);
      compared++;
    }
    expect(compared).toBeGreaterThan(15);
  });
});
