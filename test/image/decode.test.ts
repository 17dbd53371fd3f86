import { describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { type DecodeCase, firstDifference, readCases, readExpected, readPicture } from "./goldens.ts";

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

describe("pixels equal OpenCV's bit for bit", () => {
  for (const c of cases) {
    test(`${c.file}: ${c.what}`, () => expect(difference(c)).toEqual({ max: 0, mean: 0 }));
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
