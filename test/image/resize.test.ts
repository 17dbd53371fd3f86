import { describe, expect, test } from "vitest";
import { crc32 } from "../../src/image/png-chunks.ts";
import { resizeBilinear } from "../../src/image/resize.ts";
import { firstDifference, noise, type ResizeCase, readCases, readExpected } from "./goldens.ts";

const expected = readExpected("resize");

describe("resizeBilinear equals cv2.resize(INTER_LINEAR) bit for bit", () => {
  readCases<ResizeCase>("resize").forEach(
    ({ in: [h, w], out: [oh, ow], channels, offset, crc32: sum }, i) => {
      test(`${h} x ${w} x ${channels} to ${oh} x ${ow}`, () => {
        const image = { data: noise(h * w * channels, i), width: w, height: h, channels };
        const out = resizeBilinear(image, oh, ow);
        expect([out.height, out.width, out.channels]).toEqual([oh, ow, channels]);
        if (offset !== undefined) {
          expect(firstDifference(out.data, expected.subarray(offset, offset + out.data.length))).toBe(-1);
        }
        expect(crc32(out.data)).toBe(sum);
      });
    },
  );
});

describe("resizeBilinear", () => {
  const image = { data: noise(60, 0), width: 5, height: 4, channels: 3 } as const;
  test("returns the picture itself where the size matches", () =>
    expect(resizeBilinear(image, 4, 5)).toBe(image));
  test("treats the channels of RGBA alike: each as if it stood alone", () => {
    const rgba = { data: noise(7 * 9 * 4, 1), width: 7, height: 9, channels: 4 } as const;
    const out = resizeBilinear(rgba, 4, 16).data;
    for (let c = 0; c < 4; c++) {
      const alone = {
        data: rgba.data.filter((_, i) => i % 4 === c),
        width: 7,
        height: 9,
        channels: 1,
      } as const;
      expect(out.filter((_, i) => i % 4 === c)).toEqual(resizeBilinear(alone, 4, 16).data);
    }
  });
  test("keeps a flat picture flat within one level, at every size", () => {
    const flat = { data: new Uint8Array(7 * 5).fill(201), width: 7, height: 5, channels: 1 } as const;
    for (let n = 1; n < 40; n++) {
      const { data } = resizeBilinear(flat, n, 41 - n);
      expect(data.every((v) => Math.abs(v - 201) <= 1)).toBe(true);
    }
  });
  test("refuses sizes that are no positive integers or too large", () => {
    for (const [h, w] of [
      [0, 5],
      [5, -1],
      [2.5, 5],
      [5, Number.NaN],
      [5, 1 << 21],
      [1 << 20, 1 << 20],
    ]) {
      expect(() => resizeBilinear(image, h, w)).toThrow(/resizeBilinear: expected .* got/);
    }
  });
});
