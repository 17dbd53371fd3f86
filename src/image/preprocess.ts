/**
 * From 8-bit pixels to the network's numbers: float32 value / 255, no mean, no standard deviation; as torch's
 * `.float() / 255`, bit for bit. Not the resize (resize.ts, resample.ts), and no tensor: the caller gives the memory.
 */
import { fail } from "../errors.ts";
import type { ImageData8 } from "./image.ts";

/** float32(value) / float32(255) by value. The double quotient rounded to float32 is the same number for all 256. */
export const UNIT = Float32Array.from({ length: 256 }, (_, value) => value / 255);

/**
 * Writes the picture as planes: `out[(c * height + y) * width + x]`, 0..1; PyTorch's contiguous [C, H, W].
 * Throws code "argument" if `out` does not hold exactly channels * height * width numbers.
 */
export function toFloatChw(image: ImageData8, out: Float32Array): void {
  const { data, channels } = image;
  checkLength(image, out, "toFloatChw");
  const plane = image.width * image.height;
  for (let c = 0; c < channels; c++) {
    for (let i = 0, from = c, to = c * plane; i < plane; i++, from += channels)
      out[to + i] = UNIT[data[from]];
  }
}

/**
 * Writes the picture channels-last: `out[(y * width + x) * channels + c]`, 0..1; PyTorch's channels_last memory format.
 * Throws code "argument" if `out` does not hold exactly height * width * channels numbers.
 */
export function toFloatHwc(image: ImageData8, out: Float32Array): void {
  const { data } = image;
  checkLength(image, out, "toFloatHwc");
  for (let i = 0; i < data.length; i++) out[i] = UNIT[data[i]];
}

function checkLength({ data, width, height, channels }: ImageData8, out: Float32Array, where: string): void {
  if (out.length !== data.length) {
    fail(
      "argument",
      where,
      `room for ${data.length} numbers (${height} x ${width} x ${channels})`,
      `${out.length}`,
    );
  }
}
