import { describe, expect, test } from "vitest";
import { MobileDetrError } from "../../src/errors.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { readFormatCases, readFormatFile } from "./formats-corpus.ts";
import { noise } from "./goldens.ts";

function refusal(bytes: Uint8Array, maxPixels?: number): MobileDetrError {
  try {
    decodeImage(bytes, { source: "photo", maxPixels });
  } catch (error) {
    expect(error).toBeInstanceOf(MobileDetrError);
    return error as MobileDetrError;
  }
  throw new Error("decoded, though it should have been refused");
}

function changed(file: string, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = readFormatFile(file);
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

const ALL = (["bmp", "gif"] as const).flatMap((kind) => readFormatCases(kind).map(({ file }) => file));

describe("BMP and GIF that are cut off are refused at every length", () => {
  // What ends before its end mark has all its pixels; the rest of a screen may be empty.
  const forgiven: Record<string, number> = { "bmp/rle8.bmp": 2, "gif/bits-4.gif": 2, "gif/noise.gif": 2 };
  for (const file of [
    "bmp/p1.bmp",
    "bmp/p4-core.bmp",
    "bmp/p8-w8.bmp",
    "bmp/rgb24.bmp",
    "bmp/rgb32-v5.bmp",
    "bmp/rgb565-fields.bmp",
    "bmp/rle8.bmp",
    "gif/bits-4.gif",
    "gif/noise.gif",
    "gif/local.gif",
    "gif/extensions.gif",
  ]) {
    test(file, () => {
      const bytes = readFormatFile(file);
      const last = bytes.length - (forgiven[file] ?? (file.startsWith("gif") ? 2 : 3)); // BMP's last padding, GIF's end
      for (let n = 0; n < last; n += 1 + (n % 5)) {
        const error = refusal(bytes.subarray(0, n));
        expect(error.code, `${n}`).toBe("format");
        if (n > 17) expect(error.message, `${n}`).toMatch(/cut off|damaged/);
      }
    });
  }
});

test("any bytes changed: decoded, or refused by an error of ours, in little time and memory", () => {
  const random = noise(3 * 8 * ALL.length, 7);
  for (const [k, file] of ALL.entries()) {
    const whole = readFormatFile(file);
    for (let i = 0; i < 8; i++) {
      const [a, b, c] = random.subarray(3 * (8 * k + i));
      const broken = whole.slice();
      broken[(a * 256 + b) % (i % 2 ? whole.length : Math.min(80, whole.length))] ^= c || 1;
      const started = performance.now();
      try {
        decodeImage(broken, { maxPixels: 1 << 18 });
      } catch (error) {
        expect(error).toBeInstanceOf(MobileDetrError);
      }
      expect(performance.now() - started).toBeLessThan(10_000);
    }
  }
});

describe("BMP", () => {
  test("a size above the limit, none, or the most negative height", () => {
    const sized = (w: number, h: number): Uint8Array =>
      changed("bmp/rgb24.bmp", (view) => {
        view.setInt32(18, w, true);
        view.setInt32(22, h, true);
      });
    expect(refusal(sized(100_000, 100_000)).message).toMatch(/10000\.0 megapixels/);
    expect(refusal(sized(0, 5)).message).toMatch(/got 0 x 5/);
    expect(refusal(sized(-5, 5)).code).toBe("format");
    expect(refusal(sized(5, -(2 ** 31))).code).toBe("memory");
    expect(refusal(sized(10_000, 10_000)).message).toMatch(
      /300000000 bytes of pixels, got 360 \(the file is cut off/,
    );
    expect(refusal(sized(20, 20), 399).code).toBe("memory");
  });
  test("kinds that are not decoded are named", () => {
    const compressed = changed("bmp/rgb24.bmp", (view) => view.setUint32(30, 4, true));
    expect(refusal(compressed).message).toMatch(/got 24 bits, compression 4 \(convert it to PNG\)/);
    const two = changed("bmp/p1.bmp", (view) => view.setUint16(28, 2, true));
    expect(refusal(two).message).toMatch(/got 2 bits/);
    const masks = changed("bmp/rgb565-fields.bmp", (view) => view.setUint32(54, 0xf0f0, true));
    expect(refusal(masks).message).toMatch(/5-5-5 or 5-6-5, got f0f0, 7e0, 1f/);
    const core = changed("bmp/rgb24.bmp", (view) => view.setUint32(14, 16, true));
    expect(refusal(core).message).toMatch(/a header of 12, 40 or more bytes, got 16/);
    const colours = changed("bmp/p8.bmp", (view) => view.setUint32(46, 257, true));
    expect(refusal(colours).message).toMatch(/at most 256 colours, got 257/);
  });
  test("run lengths that leave the picture", () => {
    const at = (view: DataView): number => view.getUint32(10, true);
    const run = changed("bmp/rle8.bmp", (view) => view.setUint8(at(view), 14));
    expect(refusal(run).message).toMatch(/runs inside 13 columns, got one to column 14/);
    const step = changed("bmp/rle8-delta.bmp", (view) => view.setUint8(at(view) + 4, 40));
    expect(refusal(step).message).toMatch(/steps inside 13 columns, got one to column 43/);
  });
  test("run lengths that end early leave colour 0, of 4 bits too", () => {
    const bytes = changed("bmp/rle4.bmp", (view) => view.setUint16(view.getUint32(10, true), 0x0100, true));
    const { data } = decodeImage(bytes);
    const colour = [56, 55, 54].map((i) => bytes[i]);
    for (let i = 0; i < data.length; i++) expect(data[i]).toBe(colour[i % 3]);
  });
});

describe("GIF", () => {
  test("a screen above the limit, or none", () => {
    const sized = (w: number, h: number): Uint8Array =>
      changed("gif/bits-4.gif", (view) => {
        view.setUint16(6, w, true);
        view.setUint16(8, h, true);
      });
    expect(refusal(sized(65535, 65535)).message).toMatch(/4294\.8 megapixels/);
    expect(refusal(sized(0, 9)).message).toMatch(/got 0 x 9/);
  });
  const frameAt = 13 + 3 * 16;
  test("a frame of many pixels over a few bytes, without the memory of them", () => {
    const large = changed("gif/bits-4.gif", (view) => {
      view.setUint16(frameAt + 5, 8000, true);
      view.setUint16(frameAt + 7, 8000, true);
    });
    expect(refusal(large).message).toMatch(/a whole GIF picture with codes for 8000 x 8000 pixels/);
  });
  test("code sizes and codes that cannot be", () => {
    for (const bits of [0, 1, 12, 255]) {
      const wrong = changed("gif/bits-4.gif", (view) => view.setUint8(frameAt + 10, bits));
      expect(refusal(wrong).message).toMatch(/codes of 3 to 12 bits/);
    }
    const unknown = changed("gif/bits-4.gif", (_, bytes) => bytes.fill(0xff, frameAt + 13, frameAt + 20));
    expect(refusal(unknown).message).toMatch(/codes that are known, got 25 where 18/);
  });
  test("no frame", () => {
    const bytes = readFormatFile("gif/bits-4.gif");
    const none = new Uint8Array([...bytes.subarray(0, frameAt), 0x3b, 0]);
    expect(refusal(none).message).toMatch(/a GIF picture with a frame, got the byte 59/);
  });
});
