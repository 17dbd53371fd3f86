/** Our PNG scan lines against pngjs's: every colour type, bit depth, filter and interlace, and what the browser's encoder writes. */
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { decodePngRows, encodePngRows } from "../../src/image/png-rows.ts";
import { writePngStream } from "../../src/image/png-stream.ts";
import { decodePngStream } from "../../src/image/vendor.ts";
import { deflateStored } from "../../src/inflate.ts";
import { randomWords } from "../../src/weights/generator.ts";

const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** A stream of random scan lines, as png-stream.ts writes it. */
function stream(
  width: number,
  height: number,
  depth: number,
  colour: 0 | 2 | 3 | 4 | 6,
  interlaced: boolean,
  filters = 5,
): Uint8Array {
  const lines: number[] = [];
  const words = randomWords(depth * 10 + colour, `${width}x${height}`, width * height * 8 + 4096);
  let next = 0;
  for (const [x, y, dx, dy] of interlaced ? PASSES : [[0, 0, 1, 1]]) {
    const columns = Math.ceil((width - x) / dx);
    const rows = Math.ceil((height - y) / dy);
    if (columns <= 0) continue;
    for (let row = 0; row < rows; row++) {
      lines.push(filters === 5 ? words[next++] % 5 : filters);
      const rowBytes = Math.ceil((columns * depth * SAMPLES[colour]) / 8);
      for (let i = 0; i < rowBytes; i++) lines.push(words[next++] & 255);
    }
  }
  const headerBody = new Uint8Array(13);
  new DataView(headerBody.buffer).setUint32(0, width);
  new DataView(headerBody.buffer).setUint32(4, height);
  headerBody.set([depth, colour, 0, 0, interlaced ? 1 : 0], 8);
  const palette = Uint8Array.from(randomWords(3, "palette", 768), (word) => word & 255);
  const raw = Uint8Array.from(lines);
  const file = {
    header: { width, height, depth, colour, interlaced },
    headerBody,
    palette,
    orientation: 1 as const,
    data: raw,
    rawBytes: raw.length,
  };
  return writePngStream(file, deflateStored(raw));
}

describe.each([
  [0, [1, 2, 4, 8, 16]],
  [2, [8, 16]],
  [3, [1, 2, 4, 8]],
  [4, [8, 16]],
  [6, [8, 16]],
] as const)("decodePngRows, colour type %i", (colour, depths) => {
  it.each(depths)("%i bits: pngjs's samples, at every size up to 9 x 9 and at 31 x 17", (depth) => {
    const sizes = [[31, 17], ...Array.from({ length: 81 }, (_, i) => [1 + (i % 9), 1 + Math.floor(i / 9)])];
    for (const [width, height] of sizes) {
      for (const interlaced of [false, true]) {
        const bytes = stream(width, height, depth, colour, interlaced);
        const ours = decodePngRows(bytes);
        const theirs = decodePngStream(bytes);
        expect([ours.width, ours.height]).toEqual([width, height]);
        expect(Array.from(ours.data)).toEqual(Array.from(theirs.data));
      }
    }
  });
});

it("refuses a filter that there is not", () => {
  expect(() => decodePngRows(stream(4, 4, 8, 2, false, 6))).toThrow(/unrecognised filter type [56]/);
});

it.each([
  [0, 1],
  [2, 3],
  [6, 4],
] as const)("encodePngRows of colour type %i is a PNG file that others read", (colour, channels) => {
  const [width, height] = [300, 90];
  const data = Uint8Array.from(randomWords(4, "pixels", width * height * channels), (word) => word & 255);
  const file = encodePngRows(data, width, height, colour);
  const theirs = PNG.sync.read(Buffer.from(file));
  const rgb = decodeImage(file);
  for (let i = 0; i < width * height; i++) {
    const pixel = data.subarray(i * channels, (i + 1) * channels);
    const expected = channels === 1 ? [pixel[0], pixel[0], pixel[0]] : [...pixel.subarray(0, 3)];
    expect([...theirs.data.subarray(i * 4, i * 4 + 3)]).toEqual(expected);
    expect([...rgb.data.subarray(i * 3, i * 3 + 3)]).toEqual(expected);
  }
});
