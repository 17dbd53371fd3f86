import { describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { type DecodeCase, firstDifference, readCases, readExpected, readPicture } from "./goldens.ts";

// jpeg-js's inverse DCT rounds differently from libjpeg's (by 1 in almost all samples); a level of chroma is up to 1.8
// levels of blue, so that one of luma and one of chroma come to 3. Sampling, up-sampling and colour conversion are
// libjpeg's: a wrong one is 10 to 100 levels off on these pictures, a wrong orientation 150 and more.
const JPEG_MAX = 3;
const JPEG_MEAN = 0.45;
// Four components go through jpeg-js's own conversion, which rounds down where OpenCV shifts: one level on average.
const CMYK_MAX = 4;
const CMYK_MEAN = 1.3;

const cases = readCases<DecodeCase>("decode");
const expected = readExpected("decode");

function difference(c: DecodeCase): { max: number; mean: number } {
  const image = decodeImage(readPicture(c.file), { source: c.file });
  expect([image.width, image.height, image.channels]).toEqual([c.width, c.height, 3]);
  expect(image.data.length).toBe(c.width * c.height * 3);
  let max = 0;
  let sum = 0;
  image.data.forEach((value, i) => {
    const d = Math.abs(value - expected[c.offset + i]);
    max = Math.max(max, d);
    sum += d;
  });
  return { max, mean: sum / image.data.length };
}

const readable = cases.filter((c) => !c.file.startsWith("refused"));

describe("PNG pixels equal OpenCV's bit for bit", () => {
  for (const c of readable.filter((c) => c.file.endsWith(".png"))) {
    test(`${c.file}: ${c.what}`, () => expect(difference(c)).toEqual({ max: 0, mean: 0 }));
  }
});

describe("JPEG pixels are within 3 levels of OpenCV's, 0.45 on average (CMYK 4 and 1.3)", () => {
  for (const c of readable.filter((c) => c.file.endsWith(".jpg"))) {
    const fourComponents = /cmyk|ycck/.test(c.file);
    test(`${c.file}: ${c.what}`, () => {
      const { max, mean } = difference(c);
      expect(max).toBeLessThanOrEqual(fourComponents ? CMYK_MAX : JPEG_MAX);
      expect(mean).toBeLessThanOrEqual(fourComponents ? CMYK_MEAN : JPEG_MEAN);
    });
  }
});

describe("decodeImage", () => {
  test("reads a JPEG of which only the end marker is missing, baseline and progressive", () => {
    for (const file of ["baseline-420.jpg", "progressive-444.jpg", "restart-420.jpg", "grey.jpg"]) {
      const whole = readPicture(file);
      expect(firstDifference(decodeImage(whole.subarray(0, -2)).data, decodeImage(whole).data)).toBe(-1);
    }
  });

  test("does not go by names: a PNG called .jpg is read", () => {
    expect(decodeImage(readPicture("c2-d8.png"), { source: "photo.jpg" }).width).toBe(29);
  });

  test("reads bytes that lie inside a larger buffer", () => {
    for (const file of ["exif-6-be.jpg", "exif-3.png", "c3-d4-i.png"]) {
      const bytes = readPicture(file);
      const around = new Uint8Array(bytes.length + 20).fill(255);
      around.set(bytes, 7);
      const inside = decodeImage(around.subarray(7, 7 + bytes.length));
      expect(firstDifference(inside.data, decodeImage(bytes).data)).toBe(-1);
    }
  });

  test("leaves the caller's bytes as they are", () => {
    for (const file of ["cmyk.jpg", "palette-short.png"]) {
      const bytes = readPicture(file);
      decodeImage(bytes);
      expect(bytes).toEqual(readPicture(file));
    }
  });
});
