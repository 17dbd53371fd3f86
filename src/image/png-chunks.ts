/**
 * Reads a PNG's chunks and checks them; png-stream.ts writes what pngjs is given of them.
 * Source: the PNG specification (W3C, third edition), sections 5, 11; what is forgiven is what libpng forgives.
 */
import { fail } from "../errors.ts";
import { type Orientation, readOrientation } from "./exif.ts";
import { checkDeclaredSize } from "./limits.ts";

/** Grey 0, RGB 2, palette 3, grey and alpha 4, RGB and alpha 6. */
export type PngColour = 0 | 2 | 3 | 4 | 6;

/** The IHDR chunk. */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits a sample, or a palette index: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  readonly colour: PngColour;
  readonly interlaced: boolean;
}

/** A PNG file that has all its chunks. */
export interface PngFile {
  readonly header: PngHeader;
  /** The body of the IHDR chunk, as it stands. */
  readonly headerBody: Uint8Array;
  /** The body of the PLTE chunk: 3 bytes a colour, 1 to 256 colours; null without one. */
  readonly palette: Uint8Array | null;
  readonly orientation: Orientation;
  /** The zlib stream of the pixels, all IDAT chunks together. */
  readonly data: Uint8Array;
  /** The bytes that the zlib stream has to hold: filtered scan lines of all passes. */
  readonly rawBytes: number;
}

/** Samples a pixel has, by colour type. */
export const PNG_SAMPLES: Readonly<Record<PngColour, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS: Readonly<Record<PngColour, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};
/** Adam7: first column, first row, column step, row step. */
export const ADAM7_PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const SIGNATURE_BYTES = 8;
const HEADER_BYTES = 13;
/** 256 colours. */
export const PALETTE_BYTES = 768;
/** No deflate stream is shorter than this part of what it holds. */
const DEFLATE_MAX_RATIO = 1032;

/** Reads a PNG file's chunks. Throws code "format", or "memory" for one above `maxPixels`. */
export function readPngFile(bytes: Uint8Array, maxPixels: number, where: string): PngFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data: Uint8Array[] = [];
  let header: PngHeader | null = null;
  let headerBody = bytes.subarray(0, 0);
  let palette: Uint8Array | null = null;
  let orientation: Orientation | null = null;
  let at = SIGNATURE_BYTES;
  for (let ended = false; !ended; ) {
    if (at + 8 > bytes.length) failCut(where, "a last chunk IEND", `an end after ${bytes.length} bytes`);
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (!/^[A-Za-z]{4}$/.test(name))
      damaged(where, "chunk names of letters", `${JSON.stringify(name)} at byte ${at}`);
    if (!header && name !== "IHDR") damaged(where, "IHDR as the first chunk", name);
    if (end + 4 > bytes.length) {
      failCut(
        where,
        `${length} bytes in chunk ${name} at byte ${at}`,
        `${Math.max(0, bytes.length - at - 8)}`,
      );
    }
    const body = bytes.subarray(at + 8, end);
    const optional = (bytes[at + 4] & 0x20) !== 0;
    const needed = !optional || (name === "eXIf" && orientation === null);
    const intact = !needed || crc32(bytes.subarray(at + 4, end)) === view.getUint32(end);
    if (!intact && !optional)
      damaged(where, `a right check sum in chunk ${name} at byte ${at}`, "a wrong one");
    at = end + 4;
    switch (name) {
      case "IHDR":
        if (header) damaged(where, "one chunk IHDR", "a second one");
        header = readHeader(body, maxPixels, where);
        headerBody = body;
        break;
      case "PLTE":
        if (length === 0 || length > PALETTE_BYTES || length % 3 !== 0) {
          damaged(where, "a palette of 1 to 256 colours", `${length} bytes`);
        }
        palette ??= body;
        break;
      case "IDAT":
        data.push(body);
        break;
      case "IEND":
        ended = true;
        break;
      case "eXIf":
        if (intact) orientation ??= readOrientation(body); // libpng skips a damaged optional chunk, too
        break;
      default:
        if (!optional) damaged(where, "known critical chunks", name);
    }
  }
  if (!header) damaged(where, "a chunk IHDR", "none");
  if (header.colour === 3 && !palette) damaged(where, "a palette (PLTE)", "none");
  const joined = join(data);
  const rawBytes = countRawBytes(header);
  const least = Math.ceil(rawBytes / DEFLATE_MAX_RATIO);
  if (joined.length < least) {
    const size = `${header.width} x ${header.height} pixels`;
    failCut(where, `at least ${least} bytes of compressed data for ${size}`, `${joined.length}`);
  }
  return { header, headerBody, palette, orientation: orientation ?? 1, data: joined, rawBytes };
}

function readHeader(body: Uint8Array, maxPixels: number, where: string): PngHeader {
  if (body.length !== HEADER_BYTES) damaged(where, `a header of ${HEADER_BYTES} bytes`, `${body.length}`);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth, colour, compression, filter, interlace] = body.subarray(8);
  if (!isColour(colour)) damaged(where, "colour type 0, 2, 3, 4 or 6", `${colour}`);
  if (!DEPTHS[colour].includes(depth)) {
    damaged(where, `${DEPTHS[colour].join(", ")} bits for colour type ${colour}`, `${depth}`);
  }
  if (compression !== 0 || filter !== 0) {
    damaged(where, "compression method 0 and filter method 0", `${compression} and ${filter}`);
  }
  if (interlace > 1) damaged(where, "interlace method 0 or 1", `${interlace}`);
  checkDeclaredSize(width, height, maxPixels, where);
  return { width, height, depth, colour, interlaced: interlace === 1 };
}

function isColour(value: number): value is PngColour {
  return value in PNG_SAMPLES;
}

function countRawBytes({ width, height, depth, colour, interlaced }: PngHeader): number {
  const bits = depth * PNG_SAMPLES[colour];
  if (!interlaced) return height * (1 + Math.ceil((width * bits) / 8));
  let sum = 0;
  for (const [x, y, dx, dy] of ADAM7_PASSES) {
    const columns = Math.ceil((width - x) / dx);
    const rows = Math.ceil((height - y) / dy);
    if (columns > 0 && rows > 0) sum += rows * (1 + Math.ceil((columns * bits) / 8));
  }
  return sum;
}

/** Byte arrays one behind the other; a single one is returned itself. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** The check sum of PNG and zlib (ISO 3309), unsigned. */
export function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = CRC_TABLE[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** Refuses data that cannot be right. */
export function damaged(where: string, expected: string, got: string): never {
  fail("format", where, `a PNG picture with ${expected}`, got, "the file is damaged");
}

/** Refuses data that stops early. */
export function failCut(where: string, expected: string, got: string): never {
  fail("format", where, `a whole PNG picture with ${expected}`, got, "the file is cut off; fetch it again");
}
