/**
 * BMP to RGB, bit for bit as OpenCV's IMREAD_COLOR: 1, 4 and 8 bits with a palette, run lengths (RLE4, RLE8), 16, 24 and 32
 * bits, masks, top-down rows, headers from OS/2's to V5. Alpha is dropped. JPEG and PNG inside a BMP are refused.
 * Source: Microsoft's "Bitmap Storage" and OpenCV's grfmt_bmp.cpp, whose ways are marked QUIRK.
 */
import { fail } from "../errors.ts";
import type { ImageData8 } from "./image.ts";
import { checkDeclaredSize } from "./limits.ts";
import { allocatePixels, refuseCut, refuseDamaged } from "./refusal.ts";

const FILE_HEADER_BYTES = 14;
const CORE_BYTES = 12; // OS/2 1
const MASKS_AT = 40; // from V2 on inside the header
const RGB = 0;
const RLE8 = 1;
const RLE4 = 2;
const FIELDS = 3;
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  [RGB]: [1, 4, 8, 16, 24, 32],
  [RLE8]: [8],
  [RLE4]: [4],
  [FIELDS]: [16, 32],
};

interface Header {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Where the palette or the masks behind the header begin. */
  readonly end: number;
  readonly size: number;
  readonly colours: number;
}

/** One colour of a pixel, from the pixel's 16 or 32 bits. */
type Sample = (pixel: number) => number;

/** Decodes a BMP file to RGB. `where` names the source. Throws code "format", or "memory" above `maxPixels`. */
export function decodeBmp(bytes: Uint8Array, maxPixels: number, where: string): ImageData8 {
  if (bytes.length < FILE_HEADER_BYTES + CORE_BYTES)
    refuseCut("BMP", where, "a header", `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(view, where);
  const { width, height, bits, compression } = header;
  checkDeclaredSize(width, height, maxPixels, where);
  const palette = bits <= 8 ? readPalette(bytes, header, where) : null;
  const samples = bits === 16 || compression === FIELDS ? readSamples(view, header, where) : null;
  const stride = Math.ceil((width * bits) / 32) * 4;
  const at = view.getUint32(10, true);
  const packed = compression === RLE8 || compression === RLE4;
  const least = packed ? 2 : stride * (height - 1) + Math.ceil((width * bits) / 8); // the last row needs no padding
  if (at + least > bytes.length) {
    refuseCut("BMP", where, `${least} bytes of pixels`, `${Math.max(0, bytes.length - at)}`);
  }
  const data = allocatePixels(width, height, 3, where);
  const rowAt = (y: number): number => (header.topDown ? y : height - 1 - y) * width * 3;
  const put = (to: number, index: number): void => {
    for (let c = 0; palette && c < 3; c++) data[to + c] = palette[index * 3 + c];
  };
  if (packed && palette) {
    for (let to = 0; to < data.length; to += 3) put(to, 0); // what is skipped
    expandRuns(bytes, at, header, where, (x, y, index) => put(rowAt(y) + 3 * x, index));
    return { data, width, height, channels: 3 };
  }
  for (let y = 0; y < height; y++) {
    let to = rowAt(y);
    let from = at + y * stride;
    for (let x = 0; x < width; x++, to += 3) {
      if (samples) {
        const pixel = bits === 16 ? view.getUint16(from, true) : view.getUint32(from, true);
        for (let c = 0; c < 3; c++) data[to + c] = samples[c](pixel);
        from += bits >> 3;
      } else if (palette) {
        const bit = x * bits;
        put(to, (bytes[from + (bit >> 3)] >> (8 - bits - (bit & 7))) & ((1 << bits) - 1));
      } else {
        data[to] = bytes[from + 2];
        data[to + 1] = bytes[from + 1];
        data[to + 2] = bytes[from];
        from += bits >> 3;
      }
    }
  }
  return { data, width, height, channels: 3 };
}

function readHeader(view: DataView, where: string): Header {
  const size = view.getUint32(FILE_HEADER_BYTES, true);
  const end = FILE_HEADER_BYTES + size;
  if (size !== CORE_BYTES && size < MASKS_AT)
    refuseDamaged("BMP", where, "a header of 12, 40 or more bytes", `${size}`);
  if (end > view.byteLength) refuseCut("BMP", where, `a header of ${size} bytes`, `${view.byteLength - 14}`);
  const u16 = (at: number): number => view.getUint16(FILE_HEADER_BYTES + at, true);
  const core = size === CORE_BYTES;
  const width = core ? u16(4) : view.getInt32(18, true);
  const height = core ? u16(6) : view.getInt32(22, true);
  const bits = core ? u16(10) : u16(14);
  const compression = core ? RGB : view.getUint32(30, true);
  if (!DEPTHS[compression]?.includes(bits)) {
    const expected = "a BMP picture of 1, 4, 8, 16, 24 or 32 bits, or RLE4, RLE8, masks";
    fail("format", where, expected, `${bits} bits, compression ${compression}`, "convert it to PNG");
  }
  const used = core ? 0 : view.getUint32(46, true);
  if (bits <= 8 && used > 256) refuseDamaged("BMP", where, "at most 256 colours", `${used}`);
  const [topDown, colours] = [height < 0, used || 1 << bits];
  return { width, height: Math.abs(height), topDown, bits, compression, end, size, colours };
}

/** 256 colours R G B; black past the file's own. */
function readPalette(bytes: Uint8Array, { end, size, colours }: Header, where: string): Uint8Array {
  const step = size === CORE_BYTES ? 3 : 4;
  if (end + colours * step > bytes.length) {
    refuseCut(
      "BMP",
      where,
      `${colours} colours in its palette`,
      `${Math.floor((bytes.length - end) / step)}`,
    );
  }
  const palette = new Uint8Array(256 * 3);
  for (let i = 0; i < colours; i++) {
    for (let c = 0; c < 3; c++) palette[i * 3 + c] = bytes[end + i * step + 2 - c];
  }
  return palette;
}

/** How red, green and blue are read from a pixel; null for the order of 24 bits. */
function readSamples(
  view: DataView,
  { bits, compression, end, size }: Header,
  where: string,
): Sample[] | null {
  const inside = size >= MASKS_AT + 12;
  const at = inside ? FILE_HEADER_BYTES + MASKS_AT : end;
  if (compression === FIELDS && at + 12 > view.byteLength) refuseCut("BMP", where, "three masks", "fewer");
  const masks = [0, 4, 8].map((i) => (compression === FIELDS ? view.getUint32(at + i, true) : 0));
  if (bits === 32) {
    // QUIRK: OpenCV looks at masks where the header holds four, and only if none of the colours' is 0.
    return size >= MASKS_AT + 16 && masks.every((mask) => mask !== 0) ? masks.map(scaled) : null;
  }
  const name = masks.join() === "63488,2016,31" ? 565 : 555;
  if (compression === FIELDS && name === 555 && masks.join() !== "31744,992,31") {
    const got = masks.map((mask) => mask.toString(16)).join(", ");
    fail("format", where, "a BMP picture of 16 bits with masks 5-5-5 or 5-6-5", got, "convert it to PNG");
  }
  // OpenCV refuses masks inside the header; Pillow's scale is taken there.
  if (compression === FIELDS && inside)
    return masks.map(
      (mask) => (pixel) => Math.floor((((pixel & mask) / (mask & -mask)) * 255) / (mask / (mask & -mask))),
    );
  // QUIRK: OpenCV leaves the low bits 0, so that white is 248.
  const blue: Sample = (pixel) => pixel << 3;
  return name === 565
    ? [(pixel) => (pixel >> 8) & 0xf8, (pixel) => (pixel >> 3) & 0xfc, blue]
    : [(pixel) => (pixel >> 7) & 0xf8, (pixel) => (pixel >> 2) & 0xf8, blue];
}

/** 0..255 of a mask's bits, rounded down in single precision as OpenCV does it. */
function scaled(mask: number): Sample {
  const lowest = (mask & -mask) >>> 0;
  const scale = Math.fround(255 / Math.fround(mask / lowest));
  return (pixel) => Math.fround(Math.fround(((pixel & mask) >>> 0) / lowest) * scale);
}

/** Expands RLE4 or RLE8: `put` is told column, row in the file's order, and index. */
function expandRuns(
  bytes: Uint8Array,
  start: number,
  { width, height, compression }: Header,
  where: string,
  put: (x: number, y: number, index: number) => void,
): void {
  const four = compression === RLE4;
  let [x, y, at] = [0, 0, start];
  while (y < height) {
    if (at + 2 > bytes.length) {
      if (y === height - 1 && x === width) return; // only the end mark is missing
      refuseCut("BMP", where, `${height} rows`, `runs that end in row ${y + 1}`);
    }
    const [count, value] = bytes.subarray(at, at + 2);
    at += 2;
    if (count === 0 && value === 1) return;
    if (count === 0 && value === 0) {
      x = 0;
      y++;
      continue;
    }
    if (count === 0 && value === 2) {
      if (at + 2 > bytes.length) refuseCut("BMP", where, "a step to the right and up", "none");
      x += bytes[at];
      y += bytes[at + 1];
      at += 2;
      if (x > width) refuseDamaged("BMP", where, `steps inside ${width} columns`, `one to column ${x}`);
      continue;
    }
    const n = count || value;
    if (!four && x === width) {
      x = 0; // a row may go on in the next without a mark between them
      if (++y === height) return;
    }
    if (x + n > width) refuseDamaged("BMP", where, `runs inside ${width} columns`, `one to column ${x + n}`);
    const stored = count === 0 ? Math.ceil((four ? n / 2 : n) / 2) * 2 : 0;
    if (at + stored > bytes.length)
      refuseCut("BMP", where, `${n} pixels at byte ${at}`, `${bytes.length - at} bytes`);
    for (let i = 0; i < n; i++, x++) {
      const byte = stored ? bytes[at + (four ? i >> 1 : i)] : value;
      put(x, y, four ? (i % 2 ? byte & 15 : byte >> 4) : byte);
    }
    at += stored;
  }
}
