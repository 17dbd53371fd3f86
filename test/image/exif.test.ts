import { describe, expect, test } from "vitest";
import { applyOrientation, type Orientation, readOrientation } from "../../src/image/exif.ts";

// Pixels of a 3 x 2 picture:   0 1 2
//                              3 4 5
const WANTED: Record<Orientation, { width: number; pixels: number[] }> = {
  1: { width: 3, pixels: [0, 1, 2, 3, 4, 5] },
  2: { width: 3, pixels: [2, 1, 0, 5, 4, 3] },
  3: { width: 3, pixels: [5, 4, 3, 2, 1, 0] },
  4: { width: 3, pixels: [3, 4, 5, 0, 1, 2] },
  5: { width: 2, pixels: [0, 3, 1, 4, 2, 5] },
  6: { width: 2, pixels: [3, 0, 4, 1, 5, 2] },
  7: { width: 2, pixels: [5, 2, 4, 1, 3, 0] },
  8: { width: 2, pixels: [2, 5, 1, 4, 0, 3] },
};

function tiff(
  little: boolean,
  entries: [tag: number, type: number, value: number][],
  count = entries.length,
): Uint8Array {
  const bytes = new Uint8Array(10 + entries.length * 12 + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(little ? [0x49, 0x49] : [0x4d, 0x4d]);
  view.setUint16(2, 42, little);
  view.setUint32(4, 8, little);
  view.setUint16(8, count, little);
  entries.forEach(([tag, type, value], i) => {
    const at = 10 + i * 12;
    view.setUint16(at, tag, little);
    view.setUint16(at + 2, type, little);
    view.setUint32(at + 4, 1, little);
    if (type === 3) view.setUint16(at + 8, value, little);
    else view.setUint32(at + 8, value, little);
  });
  return bytes;
}

describe("applyOrientation", () => {
  for (const [key, { width, pixels }] of Object.entries(WANTED)) {
    test(`turns grey, RGB and RGBA by orientation ${key}`, () => {
      for (const channels of [1, 3, 4] as const) {
        const spread = (list: number[]): Uint8Array =>
          Uint8Array.from(list.flatMap((p) => Array.from({ length: channels }, (_, c) => p * 10 + c)));
        const image = { data: spread([0, 1, 2, 3, 4, 5]), width: 3, height: 2, channels };
        const turned = applyOrientation(image, Number(key) as Orientation);
        expect(turned).toEqual({ data: spread(pixels), width, height: 6 / width, channels });
      }
    });
  }
});

describe("readOrientation", () => {
  for (const little of [true, false]) {
    const order = little ? "little" : "big";
    test(`finds SHORT and LONG values in ${order}-endian blocks`, () => {
      for (let value = 1; value <= 8; value++) {
        expect(
          readOrientation(
            tiff(little, [
              [0x10f, 2, 4],
              [0x112, 3, value],
            ]),
          ),
        ).toBe(value);
        expect(readOrientation(tiff(little, [[0x112, 4, value]]))).toBe(value);
      }
    });
    test(`takes a ${order}-endian block without it, or with a value out of 1..8 or another type, for 1`, () => {
      expect(readOrientation(tiff(little, [[0x10f, 2, 4]]))).toBe(1);
      expect(readOrientation(tiff(little, [[0x112, 3, 0]]))).toBe(1);
      expect(readOrientation(tiff(little, [[0x112, 3, 9]]))).toBe(1);
      expect(readOrientation(tiff(little, [[0x112, 2, 6]]))).toBe(1);
    });
  }
  test("takes what breaks off, points outside or is no TIFF block for 1", () => {
    const whole = tiff(true, [
      [0x10f, 2, 4],
      [0x112, 3, 6],
    ]);
    for (let n = 0; n < 34; n++) expect(readOrientation(whole.subarray(0, n))).toBe(1);
    expect(readOrientation(tiff(true, [[0x10f, 2, 4]], 65535))).toBe(1);
    const far = whole.slice();
    far.set([255, 255, 255, 255], 4);
    expect(readOrientation(far)).toBe(1);
    const other = whole.slice();
    other[2] = 43;
    expect(readOrientation(other)).toBe(1);
  });
});
