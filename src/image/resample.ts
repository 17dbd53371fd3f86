/**
 * Resizing as Python's libraries do it, bit for bit, along one axis and then along the other: Pillow's `Image.resize`, torchvision's
 * `resize` on 8-bit tensors, and on tensors of numbers in 0..1. OpenCV's is in resize.ts, weights are made in taps.ts.
 * Sources: those of taps.ts; PyTorch's UpSampleKernelAVXAntialias.h. Bits are those of PyTorch 2.13 on x86-64 with AVX2.
 */

import type { Resize } from "../choices.ts";
import { fail } from "../errors.ts";
import type { ImageData8 } from "./image.ts";
import { toFloatHwc } from "./preprocess.ts";
import { checkResizedSize, resizeBilinear } from "./resize.ts";
import { fusedMultiplyAdd, makeTaps, type Taps } from "./taps.ts";

/** A resized picture: 8 bits, or numbers in about 0..1 where the resize is one of floats. */
export interface Resized extends Omit<ImageData8, "data"> {
  readonly data: Uint8Array | Float32Array;
}

const CHANNELS = 3;
const PILLOW_BITS = 22; // of a weight's fraction: 32 - 8 - 2
const PILLOW_NARROW = 100; // times as high as wide
const INT16_END = 1 << 15;

/**
 * The RGB picture stretched to height x width by `resize`; the picture itself where the size matches already, as its 8 bits
 * even for the resizes of floats. Throws code "argument" for sizes that `resizeBilinear` refuses, and for pictures that are
 * not RGB.
 */
export function resample(image: ImageData8, height: number, width: number, resize: Resize): Resized {
  if (image.channels !== CHANNELS)
    fail("argument", "resample", "3 channels", `${image.channels}`, "see toRgb");
  if (resize === "opencv-linear") return resizeBilinear(image, height, width);
  checkResizedSize("resample", height, width);
  if (image.height === height && image.width === width) return image;
  const filter = {
    single: resize.includes("float"),
    cubic: resize.includes("bicubic"),
    antialias: !resize.endsWith("no-antialias"),
  };
  const bits = resize.startsWith("pillow") ? PILLOW_BITS : undefined;
  let from: Resized = image;
  if (filter.single) {
    const data = new Float32Array(image.data.length);
    toFloatHwc(image, data);
    from = { ...image, data };
  }
  const alongX = (): void => {
    if (from.width === width) return;
    const taps = makeTaps(from.width, width, filter);
    const { data } = from;
    const rows = from.height;
    const out =
      data instanceof Float32Array ? floatsAlongX(data, taps, rows) : bytesAlongX(data, taps, rows, bits);
    from = { ...from, width, data: out };
  };
  const alongY = (): void => {
    if (from.height === height) return;
    const taps = makeTaps(from.height, height, filter);
    const { data } = from;
    const row = from.width * CHANNELS;
    const out =
      data instanceof Float32Array ? floatsAlongY(data, taps, row) : bytesAlongY(data, taps, row, bits);
    from = { ...from, height, data: out };
  };
  // QUIRK: Pillow begins with y where the picture is very narrow and shrinks along y.
  const narrow = image.height > image.width * PILLOW_NARROW && height < image.height;
  for (const go of bits && narrow ? [alongY, alongX] : [alongX, alongY]) go();
  return from;
}

function bytesAlongX(from: Uint8Array, taps: Taps, rows: number, bits?: number): Uint8Array {
  const { weights, shift, half } = integerWeights(taps, bits);
  const { counts, most, at } = taps;
  const row = from.length / rows;
  const out = new Uint8ClampedArray(rows * counts.length * CHANNELS);
  for (let start = 0, to = 0; start < from.length; start += row) {
    for (let i = 0; i < counts.length; i++) {
      let red = half;
      let green = half;
      let blue = half;
      for (let k = i * most; k < i * most + counts[i]; k++) {
        const weight = weights[k];
        const p = start + at[k] * CHANNELS;
        red = (red + Math.imul(weight, from[p])) | 0;
        green = (green + Math.imul(weight, from[p + 1])) | 0;
        blue = (blue + Math.imul(weight, from[p + 2])) | 0;
      }
      out[to++] = red >> shift;
      out[to++] = green >> shift;
      out[to++] = blue >> shift;
    }
  }
  return new Uint8Array(out.buffer);
}

function bytesAlongY(from: Uint8Array, taps: Taps, row: number, bits?: number): Uint8Array {
  const { weights, shift, half } = integerWeights(taps, bits);
  const { counts, most, at } = taps;
  const out = new Uint8ClampedArray(counts.length * row);
  const sums = new Int32Array(row);
  for (let i = 0, to = 0; i < counts.length; i++) {
    sums.fill(half);
    for (let k = i * most; k < i * most + counts[i]; k++) {
      const weight = weights[k];
      const p = at[k] * row;
      for (let c = 0; c < row; c++) sums[c] += Math.imul(weight, from[p + c]);
    }
    for (let c = 0; c < row; c++) out[to++] = sums[c] >> shift;
  }
  return new Uint8Array(out.buffer);
}

/** Weights as integers of so many bits of fraction: PyTorch's choice, where the largest stays below 2^15, unless said. */
function integerWeights(
  { weights, largest }: Taps,
  bits?: number,
): { weights: Int32Array; shift: number; half: number } {
  let shift = bits ?? 0;
  if (bits === undefined) {
    while (shift < PILLOW_BITS && Math.trunc(0.5 + largest * 2 ** (shift + 1)) < INT16_END) shift++;
  }
  const rounded = Int32Array.from(weights, (w) => Math.trunc(w * 2 ** shift + (w < 0 ? -0.5 : 0.5)));
  return { weights: rounded, shift, half: 1 << (shift - 1) };
}

// The first product is rounded; then the products of whole groups of four are, and added one by one, as PyTorch's compiler
// vectorized the loop; those of the rest are not rounded before they are added.

function floatsAlongX(from: Float32Array, { counts, most, at, weights }: Taps, rows: number): Float32Array {
  const { fround } = Math;
  const row = from.length / rows;
  const out = new Float32Array(rows * counts.length * CHANNELS);
  for (let start = 0, to = 0; start < from.length; start += row) {
    for (let i = 0; i < counts.length; i++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let j = 0; j < counts[i]; j++) {
        const weight = weights[i * most + j];
        const p = start + at[i * most + j] * CHANNELS;
        if (isRounded(j, counts[i])) {
          red = fround(red + fround(weight * from[p]));
          green = fround(green + fround(weight * from[p + 1]));
          blue = fround(blue + fround(weight * from[p + 2]));
        } else {
          red = fusedMultiplyAdd(weight, from[p], red);
          green = fusedMultiplyAdd(weight, from[p + 1], green);
          blue = fusedMultiplyAdd(weight, from[p + 2], blue);
        }
      }
      out[to++] = red;
      out[to++] = green;
      out[to++] = blue;
    }
  }
  return out;
}

function floatsAlongY(from: Float32Array, { counts, most, at, weights }: Taps, row: number): Float32Array {
  const out = new Float32Array(counts.length * row);
  for (let i = 0; i < counts.length; i++) {
    const sums = out.subarray(i * row, (i + 1) * row);
    for (let j = 0; j < counts[i]; j++) {
      const weight = weights[i * most + j];
      const p = at[i * most + j] * row;
      if (isRounded(j, counts[i])) for (let c = 0; c < row; c++) sums[c] += Math.fround(weight * from[p + c]);
      else for (let c = 0; c < row; c++) sums[c] = fusedMultiplyAdd(weight, from[p + c], sums[c]);
    }
  }
  return out;
}

function isRounded(j: number, count: number): boolean {
  return j < 1 + ((count - 1) & ~3);
}
