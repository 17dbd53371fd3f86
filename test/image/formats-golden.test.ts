import { decode as decodeWebp } from "@cwasm/webp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { registerDecoder } from "../../src/image/decoders.ts";
import { type FormatCase, readFormatCases, readFormatFile } from "./formats-corpus.ts";
import { sha256 } from "./jpeg-corpus.ts";

function digest(c: FormatCase): string {
  const image = decodeImage(readFormatFile(c.file), { source: c.file });
  expect([image.width, image.height, image.channels]).toEqual([c.width, c.height, 3]);
  return sha256(image.data);
}

/** Of an animated PNG OpenCV composes frames; here, as in Pillow, it is the picture that every reader of PNG sees. */
const STILL = ["png/still-c2-d8.png", "png/animated-c2-d16.png"];

beforeAll(() => registerDecoder("webp", decodeWebp));
afterAll(() => registerDecoder("webp", null));

describe.each([
  ["png", 170],
  ["bmp", 80],
  ["gif", 55],
  ["webp", 19],
] as const)("%s", (kind, least) => {
  const cases = readFormatCases(kind);
  const read = cases.filter(({ opencv, file }) => opencv !== null && !STILL.includes(file));
  const refused = cases.filter(({ opencv }) => opencv === null);

  test(`the corpus has at least ${least} files`, () => expect(cases.length).toBeGreaterThanOrEqual(least));

  describe("pixels equal OpenCV's bit for bit", () => {
    for (const c of read) test(`${c.file}: ${c.what}`, () => expect(digest(c)).toBe(c.opencv));
  });

  if (refused.length > 0) {
    describe("pixels equal Pillow's bit for bit where OpenCV refuses the file", () => {
      for (const c of refused) test(`${c.file}: ${c.what}`, () => expect(digest(c)).toBe(c.pillow));
    });
  }
});

describe("animated PNG", () => {
  for (const c of readFormatCases("png").filter(({ file }) => STILL.includes(file))) {
    test(`${c.file}: the picture of readers that know no animation, as Pillow gives it`, () => {
      expect(digest(c)).toBe(c.pillow);
      expect(c.opencv).not.toBe(c.pillow);
    });
  }
});

test("ours are not Pillow's where the two differ", () => {
  let compared = 0;
  for (const kind of ["png", "bmp", "gif"] as const) {
    for (const c of readFormatCases(kind)) {
      if (c.opencv === null || c.pillow == null || STILL.includes(c.file)) continue;
      expect(digest(c), c.file).not.toBe(c.pillow);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(20);
});
