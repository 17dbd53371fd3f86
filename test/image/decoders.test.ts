import { decode as decodeWebp } from "@cwasm/webp";
import { afterEach, describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { type Decoder, registerDecoder } from "../../src/image/decoders.ts";
import { FOREIGN_FORMATS, type ForeignFormat } from "../../src/image/sniff.ts";
import { readWebp } from "../../src/image/webp.ts";
import { readFormatCases, readFormatFile } from "./formats-corpus.ts";

afterEach(() => {
  for (const format of FOREIGN_FORMATS) registerDecoder(format, null);
});

const ascii = (text: string): Uint8Array => Uint8Array.from(text.padEnd(160, "\0"), (c) => c.charCodeAt(0));
const AVIF = ascii("\0\0\0\x1cftypavif\0\0\0\0");
const grey: Decoder = () => ({ data: Uint8Array.of(1, 2), width: 2, height: 1 });

describe("a format without a decoder", () => {
  test("WebP: says which package, which lines, and what browsers need", () => {
    const decode = (): unknown => decodeImage(readFormatFile("webp/lossy.webp"), { source: "a.webp" });
    expect(decode).toThrow(
      'a.webp: expected a JPEG, PNG, BMP or GIF picture, got a WebP picture (convert it to PNG, or npm install @cwasm/webp, then import { decode } from "@cwasm/webp"; import { registerDecoder } from "mobiledetr/image"; registerDecoder("webp", decode); in a browser, detect(await createImageBitmap(blob)) needs none of this)',
    );
  });
  const others: [string, ForeignFormat][] = [
    ["\0\0\0\x18ftypheic\0\0\0\0", "heic"],
    ["II*\0\x08\0\0\0", "tiff"],
    ["\xff\x0a\0\0", "jxl"],
    ["\0\0\0\x0cjP  \r\n\x87\n", "jp2"],
    ["8BPS\0\x01", "psd"],
    ["\0\0\x01\0\x01\0", "ico"],
    ["P6\n1 1\n255\nabc", "pnm"],
  ];
  for (const [head, format] of others) {
    test(`${format}: names the call, and then makes it`, () => {
      const bytes = ascii(head);
      expect(() => decodeImage(bytes)).toThrow(`registerDecoder("${format}", ...) of mobiledetr/image`);
      registerDecoder(format, grey);
      expect(decodeImage(bytes)).toEqual({
        data: Uint8Array.of(1, 1, 1, 2, 2, 2),
        width: 2,
        height: 1,
        channels: 3,
      });
    });
  }
});

describe("registerDecoder", () => {
  test("refuses formats and decoders that are none", () => {
    expect(() => registerDecoder("WEBP" as ForeignFormat, grey)).toThrow(
      /expected one of webp, avif, .*got "WEBP"/,
    );
    expect(() => registerDecoder("jpeg" as ForeignFormat, grey)).toThrow(/got "jpeg"/);
    expect(() => registerDecoder("webp", "x" as unknown as Decoder)).toThrow(
      /a function from bytes to pixels/,
    );
  });
  test("what it gives is checked, and its alpha dropped", () => {
    registerDecoder("avif", () => ({ data: Uint8ClampedArray.of(1, 2, 3, 0), width: 1, height: 1 }));
    expect(decodeImage(AVIF).data).toEqual(Uint8Array.of(1, 2, 3));
    registerDecoder("avif", () => ({ data: new Uint8Array(7), width: 1, height: 2 }));
    expect(() => decodeImage(AVIF)).toThrow(/image: the decoder for avif\.data: expected 1 x 2 pixels/);
    registerDecoder("avif", () => ({ data: new Uint8Array(30), width: 5, height: 2 }));
    expect(() => decodeImage(AVIF, { maxPixels: 9 })).toThrow(/raise maxPixels/);
  });
  test("what it throws is an error of ours that names the source", () => {
    registerDecoder("webp", decodeWebp);
    const cut = readFormatFile("webp/lossless.webp").subarray(0, 60);
    expect(() => decodeImage(cut, { source: "a.webp" })).toThrow(
      "a.webp: expected a WebP picture that its decoder can read, got Failed to decode WebP image",
    );
  });
  test("a promise is refused where nobody can wait for it", () => {
    registerDecoder("avif", async () => {
      throw new Error("nobody hears this");
    });
    expect(() => decodeImage(AVIF)).toThrow(
      /a decoder for avif that answers at once, got a promise \(detector\.detect/,
    );
  });
});

describe("readWebp", () => {
  test("finds the size in the header of every kind", () => {
    for (const { file, width, height } of readFormatCases("webp")) {
      const found = readWebp(readFormatFile(file));
      const turned = found.orientation >= 5;
      expect([found.width, found.height], file).toEqual(turned ? [height, width] : [width, height]);
    }
  });
  test("so that what is too large never comes to the decoder", () => {
    let calls = 0;
    registerDecoder("webp", (bytes) => {
      calls++;
      return decodeWebp(bytes);
    });
    for (const name of ["lossy", "lossless", "exif-1"]) {
      expect(() => decodeImage(readFormatFile(`webp/${name}.webp`), { maxPixels: 500 })).toThrow(
        /raise maxPixels/,
      );
    }
    expect(calls).toBe(0);
  });
  test("takes what breaks off for no size and no orientation", () => {
    const bytes = readFormatFile("webp/exif-6.webp");
    for (let n = 0; n < bytes.length; n++) {
      const { width, orientation } = readWebp(bytes.subarray(0, n));
      expect([0, 27]).toContain(width);
      expect([1, 6]).toContain(orientation);
    }
  });
});
