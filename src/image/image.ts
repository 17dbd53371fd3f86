/**
 * Pictures in memory: 8-bit samples, rows from top to bottom, channels interleaved. Not a tensor and not a file: see
 * preprocess.ts for the way into the network and decode.ts for the way from bytes.
 */
import { fail } from "../errors.ts";

/** The samples of one pixel: 1 grey, 3 red green blue, 4 red green blue alpha. */
export type Channels = 1 | 3 | 4;

/** A picture: `data[(y * width + x) * channels + c]`, 0..255. */
export interface ImageData8 {
  /** `height * width * channels` samples, 0..255, row by row from the top. */
  readonly data: Uint8Array;
  /** In pixels, at least 1. */
  readonly width: number;
  /** In pixels, at least 1. */
  readonly height: number;
  readonly channels: Channels;
}

/**
 * A picture as callers hand it in: their own pixels, a canvas's ImageData, a Node Buffer. Without `channels` the length
 * of the data tells them.
 */
export interface RawImage {
  /** Samples 0..255, row by row from the top, channels interleaved. */
  readonly data: Uint8Array | Uint8ClampedArray;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** 1 (grey), 3 (RGB) or 4 (RGBA). */
  readonly channels?: number;
}

/** The longest side of a picture, in pixels; OpenCV's limit. */
export const MAX_SIDE = 1 << 20;

/**
 * Checks a caller's picture and returns it as an {@link ImageData8} over the same memory: nothing is copied.
 * `where` opens the message. Throws code "argument".
 */
export function checkImage(image: RawImage, where = "image"): ImageData8 {
  const form = "an object {data, width, height, channels}";
  if (typeof image !== "object" || image === null) fail("argument", where, form, describeValue(image));
  const { data, width, height } = image;
  if (!(data instanceof Uint8Array) && !(data instanceof Uint8ClampedArray)) {
    fail("argument", `${where}.data`, "a Uint8Array or Uint8ClampedArray", describeValue(data));
  }
  checkSide(width, `${where}.width`);
  checkSide(height, `${where}.height`);
  const channels = image.channels ?? data.length / (width * height);
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    if (image.channels !== undefined) {
      fail("argument", `${where}.channels`, "1 (grey), 3 (RGB) or 4 (RGBA)", describeValue(image.channels));
    }
    const want = `${width} x ${height} pixels of 1, 3 or 4 channels`;
    fail("argument", `${where}.data`, want, `${data.length} bytes, ${channels} a pixel`);
  }
  const length = width * height * channels;
  if (data.length !== length) {
    const want = `${length} bytes (${width} x ${height} x ${channels})`;
    fail("argument", `${where}.data`, want, `${data.length} bytes`, "rows must lie close, without padding");
  }
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data.buffer, data.byteOffset, data.length);
  return { data: bytes, width, height, channels };
}

/**
 * The picture with three channels: grey is repeated, alpha is dropped (not blended), as OpenCV's IMREAD_COLOR does. A
 * picture that is RGB already is returned itself, not copied.
 */
export function toRgb(image: ImageData8): ImageData8 {
  const { data, width, height, channels } = image;
  if (channels === 3) return image;
  const out = new Uint8Array(width * height * 3);
  const g = channels === 1 ? 0 : 1;
  for (let from = 0, to = 0; to < out.length; from += channels, to += 3) {
    out[to] = data[from];
    out[to + 1] = data[from + g];
    out[to + 2] = data[from + 2 * g];
  }
  return { data: out, width, height, channels: 3 };
}

/** A copy of columns [left, right) and rows [top, bottom). */
export function partOf(
  image: ImageData8,
  left: number,
  top: number,
  right: number,
  bottom: number,
): ImageData8 {
  const { channels } = image;
  const row = (right - left) * channels;
  const data = new Uint8Array(row * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = (y * image.width + left) * channels;
    data.set(image.data.subarray(from, from + row), (y - top) * row);
  }
  return { data, width: right - left, height: bottom - top, channels };
}

function checkSide(value: unknown, where: string): asserts value is number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > MAX_SIDE) {
    fail("argument", where, `an integer in 1..${MAX_SIDE}`, describeValue(value));
  }
}

function describeValue(value: unknown): string {
  if (value === null || typeof value === "number" || typeof value === "undefined") return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  return value.constructor?.name ? `an object of class ${value.constructor.name}` : "an object";
}
