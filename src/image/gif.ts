/**
 * GIF to RGB: the first frame on its screen, bit for bit as OpenCV's IMREAD_COLOR. Later frames are not looked at.
 * QUIRK: as in OpenCV, the background colour shows around a frame and through its transparent pixels; Pillow and browsers
 * show other things there. Source: CompuServe's GIF89a specification; OpenCV's grfmt_gif.cpp, and Pillow where that refuses.
 */
import type { ImageData8 } from "./image.ts";
import { checkDeclaredSize } from "./limits.ts";
import { allocatePixels, refuseCut, refuseDamaged } from "./refusal.ts";

const SCREEN_BYTES = 13;
const FRAME_BYTES = 10; // from its comma to its flags
const MAX_CODES = 4096;
/** First row and step of the four passes. */
const PASSES = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
] as const;
const WHOLE = [[0, 1]] as const;

/** Decodes a GIF file's first frame to RGB. `where` names the source. Throws code "format", or "memory" above `maxPixels`. */
export function decodeGif(bytes: Uint8Array, maxPixels: number, where: string): ImageData8 {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const need = (end: number, what: string): void => {
    if (end > bytes.length) refuseCut("GIF", where, what, `${bytes.length} bytes`);
  };
  let at = 0;
  const takeTable = (flags: number): Uint8Array => {
    const length = (flags & 0x80) === 0 ? 0 : 3 * (2 << (flags & 7));
    need(at + length, "a whole palette");
    at += length;
    return bytes.subarray(at - length, at);
  };
  /** The bytes of the blocks that follow. */
  const takeBlocks = (): Uint8Array => {
    let length = 0;
    for (let from = at; ; from += 1 + bytes[from]) {
      need(from + 1, "all its blocks");
      if (bytes[from] === 0) break;
      need(from + 1 + bytes[from], "all its blocks");
      length += bytes[from];
    }
    const out = new Uint8Array(length);
    for (let to = 0; bytes[at] !== 0; at += 1 + bytes[at]) {
      out.set(bytes.subarray(at + 1, at + 1 + bytes[at]), to);
      to += bytes[at];
    }
    at++;
    return out;
  };

  need(SCREEN_BYTES, "a screen descriptor");
  let [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
  checkDeclaredSize(width, height, maxPixels, where);
  at = SCREEN_BYTES;
  const global = takeTable(bytes[10]);
  let transparent = -1;
  for (;;) {
    need(at + 2, "a frame");
    if (bytes[at] === 0x2c) break;
    if (bytes[at] !== 0x21) refuseDamaged("GIF", where, "a frame", `the byte ${bytes[at]} at ${at}`);
    const label = bytes[at + 1];
    at += 2;
    const body = takeBlocks();
    if (label === 0xf9 && body.length >= 4) transparent = body[0] & 1 ? body[3] : -1;
  }
  need(at + FRAME_BYTES, "a frame descriptor");
  const [left, top, columns, rows] = [1, 3, 5, 7].map((i) => view.getUint16(at + i, true));
  const flags = bytes[at + 9];
  at += FRAME_BYTES;
  const local = takeTable(flags);
  checkDeclaredSize(columns, rows, maxPixels, where);
  const colourAt = (index: number, c: number): number => {
    if (index * 3 < local.length) return local[index * 3 + c];
    if (local.length + global.length === 0) return index === 1 ? 255 : index; // black and white come first
    return global[index * 3 + c] ?? 0;
  };
  // OpenCV refuses frames that leave the screen, and backgrounds that are no colour; Pillow's way is taken.
  const strange =
    left + columns > width || top + rows > height || (global.length > 0 && bytes[11] * 3 >= global.length);
  width = Math.max(width, left + columns);
  height = Math.max(height, top + rows);
  checkDeclaredSize(width, height, maxPixels, where);
  const background = [0, 1, 2].map((c) =>
    strange ? colourAt(Math.max(transparent, 0), c) : (global[bytes[11] * 3 + c] ?? 0),
  );

  const colours = Uint8Array.from({ length: 768 }, (_, i) => colourAt(Math.floor(i / 3), i % 3));
  need(at + 1, "a code size");
  const bits = bytes[at++];
  const indices = expandCodes(takeBlocks(), bits, columns, rows, where);
  const data = allocatePixels(width, height, 3, where);
  for (let i = 0; i < data.length; i++) data[i] = background[i % 3];
  let from = 0;
  for (const [first, step] of flags & 0x40 ? PASSES : WHOLE) {
    for (let y = first; y < rows; y += step) {
      let to = ((top + y) * width + left) * 3;
      for (let x = 0; x < columns; x++, to += 3) {
        const index = indices[from++];
        for (let c = 0; index !== transparent && c < 3; c++) data[to + c] = colours[index * 3 + c];
      }
    }
  }
  return { data, width, height, channels: 3 };
}

/** LZW codes to indices, in the file's order. What follows the last pixel is ignored. */
function expandCodes(
  coded: Uint8Array,
  bits: number,
  columns: number,
  rows: number,
  where: string,
): Uint8Array {
  if (bits < 2 || bits > 11) refuseDamaged("GIF", where, "codes of 3 to 12 bits", `${bits + 1}`);
  const pixels = columns * rows;
  const size = `${columns} x ${rows} pixels`;
  // A code has at least three bits and stands for at most 4096 pixels.
  if (((coded.length * 8) / 3) * MAX_CODES < pixels)
    refuseCut("GIF", where, `codes for ${size}`, `${coded.length} bytes`);
  const out = allocatePixels(columns, rows, 1, where);
  const clear = 1 << bits;
  // A code's pixels lie in `out` already, from where it was made: no table of strings.
  const starts = new Uint32Array(MAX_CODES);
  const lengths = new Uint16Array(MAX_CODES);
  let [next, width, last] = [clear + 2, bits + 1, -1];
  let [hold, held, at, to, before] = [0, 0, 0, 0, 0];
  while (to < pixels) {
    for (; held < width; held += 8) {
      if (at === coded.length) refuseCut("GIF", where, size, `codes for ${to} of them`);
      hold |= coded[at++] << held;
    }
    const code = hold & ((1 << width) - 1);
    hold >>>= width;
    held -= width;
    if (code === clear || code === clear + 1) {
      [next, width, last] = [clear + 2, bits + 1, -1]; // QUIRK: an end before the last pixel is no end, as in OpenCV
      continue;
    }
    // The code that the one before made: its pixels and this one's first, which is there when it is copied.
    if (last >= 0 && next < MAX_CODES) {
      starts[next] = before;
      lengths[next++] = to - before + 1;
      if (next === 1 << width && width < 12) width++;
    }
    if (code >= next || (code > clear && last < 0)) {
      refuseDamaged("GIF", where, "codes that are known", `${code} where ${next} is the next`);
    }
    before = to;
    last = code;
    if (code < clear) out[to++] = code;
    else {
      const end = Math.min(pixels, to + lengths[code]);
      for (let from = starts[code]; to < end; ) out[to++] = out[from++];
    }
  }
  return out;
}
