/**
 * From the components of a YCbCr JPEG to RGB as libjpeg-turbo does it: its "fancy" (triangle) up-sampling of chroma and
 * its 16-bit fixed-point conversion. jpeg-js repeats chroma samples and rounds down instead, which is up to tens of
 * levels off at coloured edges; this leaves only its inverse DCT to differ.
 * Source: libjpeg-turbo jdsample.c (h2v1, h1v2, h2v2 fancy_upsample), jdcolor.c (ycc_rgb_convert).
 */
import type { JpegComponent } from "./jpeg-frame.ts";

const FRACTION_BITS = 16;
const HALF = 1 << (FRACTION_BITS - 1);
const CR_TO_R = 91881; // 1.40200 * 2^16
const CB_TO_B = 116130; // 1.77200
const CR_TO_G = -46802; // 0.71414
const CB_TO_G = -22554; // 0.34414

/**
 * Turns `data` (height * width * 3: Y Cb Cr, chroma repeated up to full size) into RGB, in place. Sampling ratios other
 * than 2x1, 1x2 and 2x2 stay repeated, as in libjpeg.
 */
export function yccToRgb(
  data: Uint8Array,
  width: number,
  height: number,
  components: readonly JpegComponent[],
): void {
  const [luma, cb, cr] = components;
  const h = luma.h / cb.h;
  const v = luma.v / cb.v;
  const alike = cb.h === cr.h && cb.v === cr.v;
  const wide = h !== 2 || Math.ceil(width / 2) > 2; // QUIRK: libjpeg repeats where the chroma row has 1 or 2 samples
  const fancy = alike && wide && (h === 1 || h === 2) && (v === 1 || v === 2) && h * v > 1;
  if (!fancy) {
    for (let y = 0; y < height; y++) convertRow(data, y * width * 3, width);
    return;
  }
  const cbPlane = chromaPlane(data, width, height, 1, h, v);
  const crPlane = chromaPlane(data, width, height, 2, h, v);
  for (let y = 0; y < height; y++) {
    upsampleRow(cbPlane, data, width, height, y, 1, h, v);
    upsampleRow(crPlane, data, width, height, y, 2, h, v);
    convertRow(data, y * width * 3, width);
  }
}

/** The chroma samples as they were stored: [ceil(height / v), ceil(width / h)]. */
function chromaPlane(
  data: Uint8Array,
  width: number,
  height: number,
  channel: number,
  h: number,
  v: number,
): Uint8Array {
  const columns = Math.ceil(width / h);
  const plane = new Uint8Array(columns * Math.ceil(height / v));
  let to = 0;
  for (let y = 0; y < height; y += v) {
    let from = y * width * 3 + channel;
    for (let i = 0; i < columns; i++, from += 3 * h) plane[to++] = data[from];
  }
  return plane;
}

/** Writes row y of one chroma channel: three parts of the near sample, one of the next nearest, in each direction. */
function upsampleRow(
  plane: Uint8Array,
  data: Uint8Array,
  width: number,
  height: number,
  y: number,
  channel: number,
  h: number,
  v: number,
): void {
  const columns = Math.ceil(width / h);
  const rows = Math.ceil(height / v);
  const nearRow = Math.floor(y / v);
  const lower = y % v === 1; // the second of the rows made from one chroma row
  const far = v === 1 ? nearRow : Math.min(rows - 1, Math.max(0, lower ? nearRow + 1 : nearRow - 1));
  const a = nearRow * columns;
  const b = far * columns;
  let to = y * width * 3 + channel;
  if (h === 1) {
    const bias = lower ? 2 : 1; // alternating, so that rounding does not drift
    for (let x = 0; x < width; x++, to += 3) data[to] = (3 * plane[a + x] + plane[b + x] + bias) >> 2;
    return;
  }
  // One dimension is the two-dimensional case with near = far, whose sums are four times the sample: then
  // (3 * 4s + 4t + 4) >> 4 = (3s + t + 1) >> 2, and likewise for the other bias.
  const leftBias = v === 2 ? 8 : 4;
  const rightBias = v === 2 ? 7 : 8;
  for (let x = 0; x < width; x++, to += 3) {
    const i = x >> 1;
    const right = (x & 1) === 1;
    const j = Math.min(columns - 1, Math.max(0, right ? i + 1 : i - 1));
    const near = 3 * plane[a + i] + plane[b + i];
    const next = 3 * plane[a + j] + plane[b + j];
    data[to] = (3 * near + next + (right ? rightBias : leftBias)) >> 4;
  }
}

function convertRow(data: Uint8Array, begin: number, width: number): void {
  const end = begin + width * 3;
  for (let i = begin; i < end; i += 3) {
    const y = data[i];
    const cb = data[i + 1] - 128;
    const cr = data[i + 2] - 128;
    data[i] = clamp(y + ((CR_TO_R * cr + HALF) >> FRACTION_BITS));
    data[i + 1] = clamp(y + ((CB_TO_G * cb + HALF + CR_TO_G * cr) >> FRACTION_BITS));
    data[i + 2] = clamp(y + ((CB_TO_B * cb + HALF) >> FRACTION_BITS));
  }
}

function clamp(value: number): number {
  return value < 0 ? 0 : Math.min(value, 255);
}
