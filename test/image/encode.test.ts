import { describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { encodeImage } from "../../src/image/encode.ts";
import { formatFromPath } from "../../src/image/format-from-path.ts";
import { toRgb } from "../../src/image/image.ts";
import { sniffFormat } from "../../src/image/sniff.ts";
import { noise, readPicture } from "./goldens.ts";

describe("encodeImage", () => {
  test("PNG gives back every pixel of grey, RGB and RGBA, at awkward sizes", () => {
    for (const channels of [1, 3, 4] as const) {
      for (const [width, height] of [
        [1, 1],
        [1, 9],
        [17, 1],
        [33, 21],
      ]) {
        const image = { data: noise(width * height * channels, width), width, height, channels };
        const file = encodeImage(image, "png");
        expect(sniffFormat(file).format).toBe("png");
        expect(decodeImage(file)).toEqual(toRgb(image));
      }
    }
  });
  test("JPEG gives back a smooth picture within 8 levels at quality 95, its size at every quality", () => {
    const image = decodeImage(readPicture("exif-1-le.jpg"));
    const file = encodeImage(image, "jpeg", { quality: 95 });
    expect(sniffFormat(file).format).toBe("jpeg");
    const again = decodeImage(file);
    // Quantisation steps of about 2 to 10 at this quality; a swapped channel is off by 100 and more.
    expect(again.data.every((v, i) => Math.abs(v - image.data[i]) <= 8)).toBe(true);
    const sizes = [1, 30, 60, 100].map((quality) => encodeImage(image, "jpeg", { quality }).length);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  });
  test("JPEG takes grey and RGBA, and sides that are no multiples of 8", () => {
    for (const channels of [1, 4] as const) {
      const image = { data: new Uint8Array(11 * 3 * channels).fill(90), width: 11, height: 3, channels };
      const again = decodeImage(encodeImage(image, "jpeg"));
      expect([again.width, again.height]).toEqual([11, 3]);
      for (const v of again.data) expect(Math.abs(v - 90)).toBeLessThanOrEqual(1);
    }
  });
  test("refuses what it cannot encode", () => {
    const image = { data: new Uint8Array(3), width: 1, height: 1, channels: 3 } as const;
    expect(() => encodeImage({ ...image, width: 2 }, "png")).toThrow(/image\.data: expected 6 bytes/);
    expect(() => encodeImage(image, "gif" as "png")).toThrow(/expected "png" or "jpeg", got "gif"/);
    for (const quality of [0, 101, Number.NaN]) {
      expect(() => encodeImage(image, "jpeg", { quality })).toThrow(/quality: expected 1\.\.100/);
    }
    const wide = { data: new Uint8Array(65536), width: 65536, height: 1, channels: 1 } as const;
    expect(() => encodeImage(wide, "jpeg")).toThrow(/at most 65535 pixels a side in JPEG.*write a PNG/);
    expect(decodeImage(encodeImage(wide, "png")).width).toBe(65536);
  });
});

describe("formatFromPath", () => {
  test("knows the endings in any case", () => {
    for (const path of ["a.png", "dir.d/b.PNG", "C:\\x\\c.Png"]) expect(formatFromPath(path)).toBe("png");
    for (const path of ["a.jpg", "b.JPEG", "./c.jpe", "d.jfif"]) expect(formatFromPath(path)).toBe("jpeg");
  });
  test("refuses others, naming the path", () => {
    expect(() => formatFromPath("out.webp")).toThrow(/^out\.webp: expected .* got \.webp/);
    for (const path of ["png", "dir.png/file", "dir.jpg\\file", ""])
      expect(() => formatFromPath(path)).toThrow(/none/);
  });
});
