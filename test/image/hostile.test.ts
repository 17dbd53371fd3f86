import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type ErrorCode, MobileDetrError } from "../../src/errors.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { crc32 } from "../../src/image/png-chunks.ts";
import { noise, readPicture } from "./goldens.ts";

/** The error that decoding throws; it must be of our family. */
function refusal(bytes: Uint8Array, maxPixels?: number): MobileDetrError {
  try {
    decodeImage(bytes, { source: "photo.jpg", maxPixels });
  } catch (error) {
    expect(error).toBeInstanceOf(MobileDetrError);
    return error as MobileDetrError;
  }
  throw new Error("decoded, though it should have been refused");
}

function expectRefusal(bytes: Uint8Array, code: ErrorCode, text: RegExp, maxPixels?: number): void {
  const error = refusal(bytes, maxPixels);
  expect(error.code).toBe(code);
  expect(error.message).toMatch(/^photo\.jpg: expected .+, got .+/);
  expect(error.message).toMatch(text);
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

function join(...parts: (Uint8Array | number[])[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}

function chunk(name: string, body: Uint8Array): Uint8Array {
  const named = join(ascii(name), body);
  const u32 = (v: number): number[] => [v >>> 24, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];
  return join(u32(body.length), named, u32(crc32(named)));
}

function png(width: number, height: number, kind: number[], ...chunks: Uint8Array[]): Uint8Array {
  const ihdr = new Uint8Array(13);
  new DataView(ihdr.buffer).setUint32(0, width);
  new DataView(ihdr.buffer).setUint32(4, height);
  ihdr.set(kind, 8);
  return join(ascii("\x89PNG\r\n\x1a\n"), chunk("IHDR", ihdr), ...chunks, chunk("IEND", new Uint8Array(0)));
}

const RGB8 = [8, 2, 0, 0, 0];
const RGB8_INTERLACED = [8, 2, 0, 0, 1];

/** A grey baseline JPEG with another frame header. */
function withFrame(change: (frame: Uint8Array) => void, file = "grey.jpg"): Uint8Array {
  const bytes = readPicture(file);
  const at = bytes.findIndex((b, i) => b === 0xff && (bytes[i + 1] === 0xc0 || bytes[i + 1] === 0xc2));
  change(bytes.subarray(at));
  return bytes;
}

describe("what is no picture is refused by the name of what it is", () => {
  test("no bytes", () => expectRefusal(new Uint8Array(0), "format", /no bytes at all/));
  test("what is not a Uint8Array", () => {
    for (const wrong of [null, "path.jpg", [1, 2], new ArrayBuffer(4)]) {
      expect(refusal(wrong as unknown as Uint8Array).code).toBe("argument");
    }
  });
  const kinds: [string, RegExp][] = [
    ["RIFF\x10\0\0\0WEBPVP8 ", /a WebP picture/],
    ["RIFF\x10\0\0\0AVI LIST", /an AVI video/],
    ["GIF89a\x01\0", /a whole GIF picture with a screen descriptor, got 8 bytes \(the file is cut off/],
    ["BM\x36\0\0\0\0\0\0\0\x36", /a whole BMP picture with a header, got 11 bytes \(the file is cut off/],
    ["\0\0\0\x18ftypheic\0\0\0\0", /a HEIC\/HEIF picture/],
    ["\0\0\0\x1cftypavif\0\0\0\0", /an AVIF picture/],
    ["\0\0\0\x20ftypisom\0\0\0\0", /an MP4 video .*\(take a frame of it as PNG\)/],
    ["II*\0\x08\0\0\0", /a TIFF/],
    ["MM\0*\0\0\0\x08", /a TIFF/],
    ["\0\0\0\x0cjP  \r\n\x87\n", /a JPEG 2000 picture/],
    ["\xff\x0a\0\0", /a JPEG XL picture/],
    ["%PDF-1.7\n", /a PDF document \(render a page of it to PNG\)/],
    ["PK\x03\x04\x14\0", /a ZIP archive/],
    ["<!DOCTYPE html><html>404</html>", /HTML text/],
    ['<?xml version="1.0"?>\n<svg xmlns="">', /an SVG drawing/],
    ["<?xml version='1.0'?><note/>", /XML text/],
    ["version https://git-lfs.github.com/spec/v1\n", /a Git LFS pointer/],
    ["\x89PNG\n\x1a\n\0\0", /damaged, as a transfer in text mode/],
    ["Not Found\n", /text \("Not Found\\n"\)/],
    [" \n\n", /blank text/],
    ["\x01\x02\x03\x04\x05\x06\x07\x08\x09", /unknown bytes \(01 02 03 04 05 06 07 08\)/],
    ["\xff\xd8", /unknown bytes \(ff d8\)/],
    ["\xef\xbb\xbfgr\xc3\xbc\xc3\x9fe", /text \("grüße"\)/],
  ];
  for (const [head, text] of kinds) {
    test(JSON.stringify(head.slice(0, 16)), () => expectRefusal(ascii(head), "format", text));
  }
});

describe("pictures that are too large or empty are refused from the header", () => {
  test("a PNG of 65535 x 65535 pixels", () => {
    const error =
      /at most 1048576 pixels a side and 134217728 in all, got 65535 x 65535 pixels \(4294.8 megapixels\)/;
    expectRefusal(png(65535, 65535, RGB8, chunk("IDAT", new Uint8Array(9))), "memory", error);
  });
  test("a PNG of 2^31 - 1 by 1", () => expectRefusal(png(0x7fffffff, 1, RGB8), "memory", /2147483647 x 1/));
  test("a JPEG of 65535 x 65535 pixels", () => {
    const bytes = withFrame((frame) => frame.fill(255, 5, 9));
    expectRefusal(bytes, "memory", /65535 x 65535 pixels/);
  });
  test("one pixel above maxPixels, and not at it", () => {
    for (const file of ["c2-d8.png", "exif-1-le.jpg"]) {
      const { width, height } = decodeImage(readPicture(file));
      expectRefusal(readPicture(file), "memory", /raise maxPixels/, width * height - 1);
      expect(decodeImage(readPicture(file), { maxPixels: width * height }).width).toBe(width);
    }
  });
  test("maxPixels that is no number", () => {
    expect(refusal(readPicture("c2-d8.png"), Number.NaN).code).toBe("argument");
  });
  test("a PNG of no width or height", () => {
    expectRefusal(png(0, 5, RGB8), "format", /at least 1 in the header, got 0 x 5/);
    expectRefusal(png(5, 0, RGB8), "format", /got 5 x 0/);
  });
  test("a JPEG of no height (DNL) or width", () => {
    expectRefusal(
      withFrame((f) => f.fill(0, 5, 7)),
      "format",
      /53 x 0 pixels \(.*DNL/,
    );
    expectRefusal(
      withFrame((f) => f.fill(0, 7, 9)),
      "format",
      /0 x 37 pixels/,
    );
  });
  test("headers of 100 megapixels over a few bytes, without the time and memory of decoding them", () => {
    const grey = withFrame((f) => f.set([0x27, 0x10, 0x27, 0x10], 5)); // 10000 x 10000
    const progressive = withFrame((f) => f.set([0x27, 0x10, 0x27, 0x10], 5), "progressive-420.jpg");
    const empty = png(10000, 10000, RGB8, chunk("IDAT", deflateSync(new Uint8Array(100))));
    const before = process.memoryUsage().arrayBuffers;
    expectRefusal(
      grey,
      "format",
      /at least 390625 bytes of coded data in scan 1, got \d+ \(the file is cut off/,
    );
    expectRefusal(progressive, "format", /bytes of coded data in scan 1/);
    expectRefusal(empty, "format", /bytes of compressed data for 10000 x 10000 pixels/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e8); // decoding takes 10 s and 1 GB
  });
  for (const [name, kind] of [
    ["interlaced", RGB8_INTERLACED],
    ["plain", RGB8],
  ] as const) {
    test(`a PNG, ${name}, that inflates to 64 MB for 64 pixels`, () => {
      const bomb = png(8, 8, kind, chunk("IDAT", deflateSync(new Uint8Array(1 << 26))));
      // Inflating stops at the limit: what has been inflated is never seen.
      expectRefusal(bomb, "format", /compressed data of \d+ bytes for 8 x 8 pixels, got far more/);
    });
    test(`but not a PNG, ${name}, of some surplus bytes, which libpng ignores`, () => {
      const file = png(8, 8, kind, chunk("IDAT", deflateSync(new Uint8Array(1000))));
      expect(decodeImage(file).data).toEqual(new Uint8Array(192));
    });
  }
});

describe("files that are cut off are refused at every length", () => {
  const files = [
    "baseline-420.jpg",
    "progressive-420.jpg",
    "grey-progressive.jpg",
    "restart-grey.jpg",
    "restart-progressive-444.jpg",
    "cmyk.jpg",
    "thumbnail.jpg",
    "c2-d8.png",
    "c0-d1-i.png",
    "c3-d4-i.png",
    "c6-d16.png",
    "idats.png",
  ];
  for (const file of files) {
    test(file, () => {
      const bytes = readPicture(file);
      const wholeAt = file.endsWith(".jpg") ? bytes.length - 2 : bytes.length; // a missing end marker is forgiven
      for (let n = 0; n < wholeAt; n += 1 + (n % 7)) {
        const error = refusal(bytes.subarray(0, n));
        expect(error.code).toBe("format");
        if (n > 8) expect(error.message).toMatch(/cut off|damaged/);
      }
    });
  }
  test("the message says so", () => {
    const jpeg = readPicture("baseline-420.jpg");
    const end = /a whole JPEG picture with 53 x 37 pixels, got coded data that ends before the last of them/;
    expectRefusal(jpeg.subarray(0, jpeg.length - 40), "format", end);
    const whole = readPicture("c2-d8.png");
    expectRefusal(
      whole.subarray(0, 300),
      "format",
      /bytes in chunk IDAT at byte 33, got 259 \(the file is cut off/,
    );
    expectRefusal(whole.subarray(0, -12), "format", /a last chunk IEND/);
  });
  test("compressed PNG data that ends early in whole chunks, at every length", () => {
    const raw = noise(23 * 70, 1);
    for (let y = 0; y < 23; y++) raw[y * 70] = y % 5; // row filters
    const whole = deflateSync(raw);
    expect(decodeImage(png(23, 23, RGB8, chunk("IDAT", whole))).width).toBe(23);
    for (let n = 0; n < whole.length; n += 1 + (n % 13)) {
      for (const kind of [RGB8, RGB8_INTERLACED]) {
        const cut = png(23, 23, kind, chunk("IDAT", whole.subarray(0, n)));
        expectRefusal(cut, "format", /the file is (cut off|damaged)/);
      }
    }
    const short = png(23, 23, RGB8, chunk("IDAT", deflateSync(raw.subarray(0, 70 * 22))));
    expectRefusal(short, "format", /data that ends before the last of them/);
  });
});

describe("damaged files", () => {
  test("any changed byte gives a picture or an error of our family, quickly", () => {
    const files = [
      "baseline-420.jpg",
      "progressive-422.jpg",
      "restart-420.jpg",
      "ycck.jpg",
      "c3-d2-i.png",
      "exif-7.png",
    ];
    for (const [seed, file] of files.entries()) {
      const bytes = readPicture(file);
      const random = noise(600, seed);
      for (let i = 0; i + 3 <= random.length; i += 3) {
        const broken = bytes.slice();
        // Half of the changes fall into the first 600 bytes: headers and tables.
        const at = (random[i] * 256 + random[i + 1]) % (i % 2 ? bytes.length : Math.min(600, bytes.length));
        broken[at] ^= random[i + 2] || 1;
        const started = performance.now();
        try {
          decodeImage(broken, { maxPixels: 1 << 20 });
        } catch (error) {
          expect(error).toBeInstanceOf(MobileDetrError);
        }
        // A changed header can declare up to maxPixels, a megapixel: a fraction of a second where the machine is idle.
        expect(performance.now() - started).toBeLessThan(10_000);
      }
    }
  });
  test("JPEG kinds that are not decoded are named", () => {
    expectRefusal(
      withFrame((f) => f.set([0xc9], 1)),
      "format",
      /got JPEG with arithmetic coding \(convert/,
    );
    expectRefusal(
      withFrame((f) => f.set([0xc3], 1)),
      "format",
      /got lossless JPEG/,
    );
    expectRefusal(
      withFrame((f) => f.set([12], 4)),
      "format",
      /8 bits a sample, got 12/,
    );
    expectRefusal(
      withFrame((f) => f.set([2], 9), "rgb.jpg"),
      "format",
      /1, 3 or 4 colour components, got 2/,
    );
  });
  test("JPEG headers that contradict themselves", () => {
    expectRefusal(
      withFrame((f) => f.set([0x51], 11)),
      "format",
      /sampling factors 1..4, got 5 x 1/,
    );
    expectRefusal(
      withFrame((f) => f.set([1], 13), "rgb.jpg"),
      "format",
      /scans of the frame's components|different/,
    );
    const twoFrames = readPicture("grey.jpg");
    const at = twoFrames.findIndex((b, i) => b === 0xff && twoFrames[i + 1] === 0xc0);
    const frame = twoFrames.subarray(at, at + 13);
    expectRefusal(
      join(twoFrames.subarray(0, at), frame, twoFrames.subarray(at)),
      "format",
      /one frame, got a second/,
    );
    expectRefusal(
      join(twoFrames.subarray(0, at), [0xff, 0xd9]),
      "format",
      /a frame header \(SOF\), got none/,
    );
  });
  test("a JPEG without its tables, or with hundreds of scans", () => {
    const grey = readPicture("grey.jpg");
    const at = grey.findIndex((b, i) => b === 0xff && grey[i + 1] === 0xdb);
    const after = at + 2 + grey[at + 2] * 256 + grey[at + 3];
    expectRefusal(join(grey.subarray(0, at), grey.subarray(after)), "format", /the file is damaged/);
    const several = readPicture("grey-progressive.jpg");
    const sos = several.findIndex((b, i) => b === 0xff && several[i + 1] === 0xda);
    const next = several.findIndex((b, i) => i > sos && b === 0xff && several[i + 1] === 0xc4);
    const scan = several.subarray(sos, next);
    const many = join(several.subarray(0, sos), ...Array.from({ length: 300 }, () => scan), [0xff, 0xd9]);
    expectRefusal(many, "format", /at most 256 scans/);
  });
  test("PNG chunks that are wrong are named", () => {
    const idat = chunk("IDAT", deflateSync(new Uint8Array(100)));
    expectRefusal(png(3, 3, [8, 3, 0, 0, 0], idat), "format", /a palette \(PLTE\), got none/);
    expectRefusal(
      png(3, 3, [8, 3, 0, 0, 0], chunk("PLTE", new Uint8Array(4)), idat),
      "format",
      /1 to 256 colours/,
    );
    expectRefusal(png(3, 3, [3, 0, 0, 0, 0], idat), "format", /1, 2, 4, 8, 16 bits for colour type 0, got 3/);
    expectRefusal(png(3, 3, [4, 2, 0, 0, 0], idat), "format", /8, 16 bits for colour type 2, got 4/);
    expectRefusal(png(3, 3, [8, 5, 0, 0, 0], idat), "format", /colour type 0, 2, 3, 4 or 6, got 5/);
    expectRefusal(png(3, 3, [8, 2, 1, 0, 0], idat), "format", /compression method 0/);
    expectRefusal(png(3, 3, [8, 2, 0, 0, 2], idat), "format", /interlace method 0 or 1, got 2/);
    expectRefusal(
      png(3, 3, RGB8, chunk("ABCD", new Uint8Array(1)), idat),
      "format",
      /critical chunks, got ABCD/,
    );
    expectRefusal(png(3, 3, RGB8), "format", /compressed data/);
    expectRefusal(png(3, 3, RGB8, chunk("IDAT", noise(60, 3))), "format", /the file is damaged/);
    const flipped = readPicture("c2-d8.png");
    flipped[60] ^= 4;
    expectRefusal(flipped, "format", /a right check sum in chunk IDAT at byte 33, got a wrong one/);
  });
  test("a PNG row with an unknown filter", () => {
    const raw = new Uint8Array(30);
    raw[10] = 9;
    expectRefusal(png(3, 3, RGB8, chunk("IDAT", deflateSync(raw))), "format", /filter type - 9/);
  });
});
