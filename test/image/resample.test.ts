import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RESIZES } from "../../src/choices.ts";
import { letterboxFrame, unletterbox } from "../../src/image/network-input.ts";
import { crc32 } from "../../src/image/png-chunks.ts";
import { resample } from "../../src/image/resample.ts";
import { fusedMultiplyAdd } from "../../src/image/taps.ts";
import { noise } from "./goldens.ts";

type Size = readonly [height: number, width: number];

interface Golden {
  readonly resizes: readonly string[];
  readonly boxes: readonly {
    readonly image: Size;
    readonly size: Size;
    readonly frame: readonly [top: number, left: number, height: number, width: number];
    readonly box: readonly number[];
    readonly own: readonly number[];
  }[];
  readonly cases: readonly {
    readonly in: Size;
    readonly out: Size;
    readonly extreme: boolean;
    readonly crc32: readonly (number | null)[];
  }[];
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("../golden/image/resizes.json", import.meta.url), "utf8"),
);

test("every resize has goldens", () => expect(golden.resizes).toEqual(RESIZES));

describe("resample equals the Python stack bit for bit", () => {
  for (const [r, resize] of RESIZES.entries()) {
    golden.cases.forEach(({ in: [h, w], out: [oh, ow], extreme, crc32: sums }, i) => {
      const sum = sums[r];
      if (sum === null) return; // PyTorch gives none to go by
      test(`${resize}: ${h} x ${w} to ${oh} x ${ow}`, () => {
        const data = noise(h * w * 3, i).map((value) => (extreme ? (value > 127 ? 255 : 0) : value));
        const out = resample({ data, width: w, height: h, channels: 3 }, oh, ow, resize);
        expect([out.height, out.width]).toEqual([oh, ow]);
        const isFloat = resize.includes("float");
        const values =
          isFloat && out.data instanceof Uint8Array ? Float32Array.from(out.data, (v) => v / 255) : out.data;
        expect(values instanceof Float32Array).toBe(isFloat);
        expect(crc32(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))).toBe(sum);
      });
    });
  }
});

describe("resample", () => {
  const image = { data: noise(60, 0), width: 5, height: 4, channels: 3 } as const;
  test("returns the picture itself where the size matches, by every resize", () => {
    for (const resize of RESIZES) expect(resample(image, 4, 5, resize)).toBe(image);
  });
  test("keeps a flat picture flat, by every resize, at every size", () => {
    const flat = { data: new Uint8Array(7 * 5 * 3).fill(201), width: 7, height: 5, channels: 3 } as const;
    for (const resize of RESIZES) {
      for (let n = 1; n < 40; n++) {
        const { data } = resample(flat, n, 41 - n, resize);
        // PyTorch's weights of 15 bits need not sum to 1, nor OpenCV's products: one level each way.
        const [wanted, slack] = data instanceof Float32Array ? [201 / 255, 1e-6] : [201, 1];
        for (const v of data) if (Math.abs(v - wanted) > slack) expect(v, `${resize} ${n}`).toBe(wanted);
      }
    }
  });
  test("takes every row from its own where the output is one pixel wide, which PyTorch does not", () => {
    const data = Uint8Array.from({ length: 4 * 5 * 3 }, (_, i) => 10 * Math.floor(i / 15));
    const out = resample({ ...image, data }, 8, 1, "torchvision-float-bilinear").data;
    expect(out[0]).toBe(0);
    expect(out.at(-1)).toBeCloseTo(30 / 255, 6);
  });
  test("refuses sizes that are no positive integers or too large, and what is not RGB", () => {
    for (const side of [0, -1, 2.5, Number.NaN, 1 << 21]) {
      expect(() => resample(image, 5, side, "pillow-bilinear")).toThrow(/^resample: expected .* got/);
    }
    const grey = { ...image, width: 15, channels: 1 } as const;
    expect(() => resample(grey, 5, 5, "pillow-bilinear")).toThrow(
      "resample: expected 3 channels, got 1 (see toRgb)",
    );
  });
});

describe("fusedMultiplyAdd rounds once", () => {
  const ulp = 2 ** -23; // of 1
  test("far from the middle of two floats, where double precision is enough", () => {
    const [a, b] = [Math.fround(0.1), Math.fround(0.7)];
    expect(fusedMultiplyAdd(3, 5, 7)).toBe(22);
    expect(fusedMultiplyAdd(a, b, 1)).toBe(Math.fround(a * b + 1));
    expect(fusedMultiplyAdd(1, 2 ** -24, 1 + ulp)).toBe(1 + 2 * ulp); // a middle itself: to even
  });
  test("beside a middle that double precision cannot tell from it", () => {
    const [a, b, c] = [1 + ulp, 2 ** -24 * (1 - ulp), 1 + ulp]; // a * b is 2^-24 (1 - 2^-46)
    expect(Math.fround(a * b + c)).toBe(1 + 2 * ulp); // the middle, to even
    expect(fusedMultiplyAdd(a, b, c)).toBe(c);
    expect(Math.fround(-a * b + c)).toBe(1);
    expect(fusedMultiplyAdd(-a, b, c)).toBe(c);
  });
});

describe("letterboxing", () => {
  test("puts a picture where Ultralytics' LetterBox does, and takes boxes back as its scale_boxes, bit for bit", () => {
    expect(golden.boxes.length).toBeGreaterThan(30);
    for (const { image, size, frame, box, own } of golden.boxes) {
      const [height, width] = image;
      const { top, left, ...place } = letterboxFrame({ height, width }, size);
      expect([top, left, place.height, place.width]).toEqual(frame);
      expect(unletterbox(box, { height, width }, size)).toEqual(own);
    }
  });
  test("leaves a picture of a hair's breadth one pixel", () => {
    expect(letterboxFrame({ height: 4000, width: 1 }, [640, 640])).toEqual({
      top: 0,
      left: 319,
      height: 640,
      width: 1,
    });
  });
});
