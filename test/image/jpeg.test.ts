import { describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { encodeImage } from "../../src/image/encode.ts";
import { JpegDecoder } from "../../src/image/jpeg-decoder.ts";
import { readFrame } from "../../src/image/jpeg-frame.ts";
import { firstDifference, noise, readPicture } from "./goldens.ts";
import { readJpegFile } from "./jpeg-corpus.ts";

const ascii = (text: string): number[] => Array.from(text, (c) => c.charCodeAt(0));

/** A file with the byte at `offset` behind its first marker `code` set. */
function withByte(file: string, code: number, offset: number, value: number): Uint8Array {
  const bytes = readJpegFile(file);
  const at = bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === code);
  bytes[at + offset] = value;
  return bytes;
}

const refusal = (bytes: Uint8Array): (() => unknown) => {
  return () => decodeImage(bytes, { source: "p.jpg" });
};

describe("what is not decoded is refused by name", () => {
  const kinds: [number, RegExp][] = [
    [0xc3, /baseline or progressive JPEG, got lossless JPEG \(convert the picture/],
    [0xc9, /got JPEG with arithmetic coding/],
    [0xca, /got progressive JPEG with arithmetic coding/],
    [0xc5, /got hierarchical JPEG/],
  ];
  for (const [marker, text] of kinds) {
    test(`frame ff${marker.toString(16)}`, () => {
      expect(refusal(withByte("flat.jpg", 0xc0, 1, marker))).toThrow(text);
    });
  }
  test("12 bits a sample", () => {
    expect(refusal(withByte("flat.jpg", 0xc0, 4, 12))).toThrow(/8 bits a sample, got 12 \(convert/);
  });
  test("a height that comes later (DNL)", () => {
    const bytes = withByte("flat.jpg", 0xc0, 5, 0);
    bytes[bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xc0) + 6] = 0;
    expect(refusal(bytes)).toThrow(/at least 1 in the header, got 40 x 0 pixels \(.*DNL.*not supported/);
  });
  test("sampling factors of which one does not divide the other", () => {
    const bytes = withByte("flat.jpg", 0xc0, 11, 0x32);
    bytes[bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xc0) + 14] = 0x21;
    expect(refusal(bytes)).toThrow(/sampling factors that divide the largest, got 2 x 1 beside 3 x 2/);
  });
  test("more than ten blocks in a coding unit", () => {
    expect(refusal(withByte("flat.jpg", 0xc0, 11, 0x44))).toThrow(
      /at most 10 blocks in a coding unit, got 18/,
    );
  });
  test("markers without a meaning", () => {
    expect(refusal(withByte("flat.jpg", 0xe0, 1, 0x4f))).toThrow(/segments that are known, got marker ff4f/);
  });
});

describe("tables", () => {
  test("a component's quantisation table is the one of its first scan", () => {
    // Another table between the scans of a progressive file: all components have had theirs by then.
    const bytes = readJpegFile("progressive-444.jpg");
    const at = bytes.findLastIndex((b, i) => b === 0xff && bytes[i + 1] === 0xc4);
    const table = [0xff, 0xdb, 0, 67, 0, ...new Array(64).fill(99)];
    const other = Uint8Array.from([...bytes.subarray(0, at), ...table, ...bytes.subarray(at)]);
    expect(firstDifference(decodeImage(other).data, decodeImage(bytes).data)).toBe(-1);
  });
  test("a Huffman table that is no prefix code", () => {
    const bytes = readJpegFile("flat.jpg");
    const at = bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xc4);
    expect([...bytes.subarray(at + 5, at + 8)]).toEqual([0, 1, 5]);
    bytes.set([0, 2, 4], at + 5); // as many codes, but one of them all ones
    expect(refusal(bytes)).toThrow(/Huffman tables that are prefix codes, got DC table 0, which is none/);
  });
  test("a progressive file without its Huffman tables", () => {
    const bytes = readJpegFile("progressive-420.jpg");
    const at = bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xc4);
    bytes[at + 1] = 0xfe; // a comment
    expect(refusal(bytes)).toThrow(/the Huffman tables of its scans, got no DC table/);
  });
  test("quantisation tables of other numbers", () => {
    expect(refusal(withByte("flat.jpg", 0xdb, 4, 4))).toThrow(
      /quantisation tables 0..3 of 64 steps, got table 4/,
    );
  });
});

describe("options", () => {
  test("damaged that is neither", () => {
    const options = { damaged: "guess" as "fill", source: "p.jpg" };
    expect(() => decodeImage(readJpegFile("flat.jpg"), options)).toThrow(
      /p.jpg: damaged: expected "error" or "fill"/,
    );
  });
  test("headers that break off are refused even where data is filled", () => {
    const bytes = readJpegFile("flat.jpg");
    const scan = bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xda);
    for (let n = 3; n < scan + 14; n++) {
      expect(() => decodeImage(bytes.subarray(0, n), { damaged: "fill" }), `${n}`).toThrow(/cut off/);
    }
    const { data } = decodeImage(bytes.subarray(0, scan + 14), { damaged: "fill" });
    expect(data.subarray(16 * 3, 40 * 3).every((v) => v === 128)).toBe(true); // all but the unit that broke off
  });
  test("a file that breaks off between its scans is filled from those that came, at every length", () => {
    const bytes = readJpegFile("script-deep.jpg");
    const scan = bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xda);
    for (let n = scan + 14; n < bytes.length - 2; n += 3) {
      const warnings: string[] = [];
      const onWarning = (text: string): number => warnings.push(text);
      expect(decodeImage(bytes.subarray(0, n), { damaged: "fill", onWarning }).width).toBe(77);
      expect(warnings.length, `${n}`).toBeGreaterThan(0);
    }
  });
});

describe("memory", () => {
  const frame = readFrame(0xc0, Uint8Array.of(8, 255, 255, 255, 255, 1, 1, 0x11, 0), 2 ** 33, "p.jpg");
  test("more than WebAssembly has is refused before any is taken", () => {
    expect(() => new JpegDecoder(frame, new Uint8Array(9), true, "p.jpg")).toThrow(
      /^p\.jpg: expected \d+ MB of memory for 65535 x 65535 pixels, got 4096, which is all/,
    );
  });
  test("pictures of all sizes in turn, large ones in memory that is not kept", () => {
    const small = readJpegFile("gentle.jpg");
    const expected = decodeImage(small).data;
    const wide = { data: noise(65535 * 3, 1), width: 65535, height: 1, channels: 3 } as const;
    const row = encodeImage(wide, "jpeg");
    const large = readPicture("grey-progressive.jpg"); // 6000 x 6000: 72 MB of coefficients
    large.set([0x17, 0x70, 0x17, 0x70], large.findIndex((b, i) => b === 0xff && large[i + 1] === 0xc2) + 5);
    for (let i = 0; i < 3; i++) {
      expect(decodeImage(row).width).toBe(65535);
      expect(firstDifference(decodeImage(small).data, expected)).toBe(-1);
      expect(decodeImage(large, { damaged: "fill" }).width).toBe(6000);
      expect(firstDifference(decodeImage(small).data, expected)).toBe(-1);
    }
  });
  test("a caller that throws in the middle does no harm", () => {
    const cut = readJpegFile("baseline-cut-1.jpg");
    const small = readJpegFile("gentle.jpg");
    const expected = decodeImage(small).data;
    const onWarning = (): never => {
      decodeImage(small); // a picture within a picture
      throw new Error("stop");
    };
    expect(() => decodeImage(cut, { damaged: "fill", onWarning })).toThrow("stop");
    expect(firstDifference(decodeImage(small).data, expected)).toBe(-1);
  });
});

test("a JPEG inside an APP segment, and one behind the end, are not looked at", () => {
  const bytes = readJpegFile("two-pictures.jpg");
  expect(decodeImage(bytes).width).toBe(70);
  const junk = [0xff, 0xe5, 0, 20, ...ascii("\xff\xd8\xff\xda\xff\xd9 and more...")].slice(0, 22);
  const inside = Uint8Array.from([...bytes.subarray(0, 2), ...junk, ...bytes.subarray(2)]);
  expect(firstDifference(decodeImage(inside).data, decodeImage(bytes).data)).toBe(-1);
});
