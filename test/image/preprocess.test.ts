import { describe, expect, test } from "vitest";
import { toFloatChw, toFloatHwc } from "../../src/image/preprocess.ts";
import { noise } from "./goldens.ts";

const image = { data: noise(5 * 4 * 3, 2), width: 5, height: 4, channels: 3 } as const;

describe("float pixels", () => {
  test("are float32(value) / float32(255), correctly rounded, for all 256 values", () => {
    const ramp = {
      data: Uint8Array.from({ length: 256 }, (_, i) => i),
      width: 256,
      height: 1,
      channels: 1,
    } as const;
    const out = new Float32Array(256);
    toFloatHwc(ramp, out);
    const bits = new Uint32Array(out.buffer);
    for (let v = 0; v < 256; v++) {
      // The quotient is correctly rounded if no neighbouring float32 lies nearer to v / 255, that is if
      // |f * 255 - v| is least; f * 255 is exact in double (24 + 8 bits).
      const error = (b: number): number => {
        const f = new Float32Array(Uint32Array.of(b).buffer)[0];
        return Math.abs(f * 255 - v);
      };
      expect(error(bits[v])).toBeLessThan(error(bits[v] + 1));
      if (v > 0) expect(error(bits[v])).toBeLessThan(error(bits[v] - 1));
    }
    expect([out[0], out[255]]).toEqual([0, 1]);
    expect(bits[1]).toBe(0x3b808081); // torch.tensor(1, dtype=torch.uint8).float() / 255
    expect(bits[127]).toBe(0x3efefeff);
  });
  test("stand as planes in CHW order", () => {
    const out = new Float32Array(60);
    toFloatChw(image, out);
    for (let c = 0; c < 3; c++) {
      for (let p = 0; p < 20; p++) expect(out[c * 20 + p]).toBe(Math.fround(image.data[p * 3 + c] / 255));
    }
  });
  test("stand interleaved in HWC order", () => {
    const out = new Float32Array(60);
    toFloatHwc(image, out);
    expect(out).toEqual(Float32Array.from(image.data, (v) => v / 255));
  });
  test("need room for exactly all of them", () => {
    for (const write of [toFloatChw, toFloatHwc]) {
      for (const length of [59, 61]) {
        expect(() => write(image, new Float32Array(length))).toThrow(
          /room for 60 numbers \(4 x 5 x 3\), got/,
        );
      }
    }
  });
});
