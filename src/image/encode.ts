/** From pixels to a file's bytes: PNG (lossless) or baseline JPEG (4:4:4), through pngjs and jpeg-js. Writes no file. */
import { fail, messageOf } from "../errors.ts";
import { checkImage, type ImageData8, toRgb } from "./image.ts";
import { encodeJpegStream } from "./jpeg-vendor.ts";
import type { ImageFormat } from "./sniff.ts";
import { encodePngStream } from "./vendor.ts";

/** How {@link encodeImage} encodes. */
export interface EncodeOptions {
  /** Of JPEG alone: 1 (small) to 100 (good). Default 92. */
  readonly quality?: number;
}

const DEFAULT_QUALITY = 92;
const JPEG_MAX_SIDE = 65535;
const PNG_COLOUR = { 1: 0, 3: 2, 4: 6 } as const;

/**
 * Encodes a picture. PNG keeps grey, RGB or RGBA as they are; JPEG is always RGB without alpha.
 * Throws code "argument" for a bad picture, format, quality, or a side above 65535 in JPEG.
 */
export function encodeImage(image: ImageData8, format: ImageFormat, options: EncodeOptions = {}): Uint8Array {
  const { data, width, height, channels } = checkImage(image, "encodeImage: image");
  const { quality = DEFAULT_QUALITY } = options;
  if (!(quality >= 1 && quality <= 100)) fail("argument", "encodeImage: quality", "1..100", `${quality}`);
  if (format !== "png" && format !== "jpeg") {
    fail("argument", "encodeImage: format", '"png" or "jpeg"', JSON.stringify(format));
  }
  if (format === "jpeg" && Math.max(width, height) > JPEG_MAX_SIDE) {
    const got = `${width} x ${height} pixels`;
    fail("argument", "encodeImage", `at most ${JPEG_MAX_SIDE} pixels a side in JPEG`, got, "write a PNG");
  }
  try {
    if (format === "png") return encodePngStream(data, width, height, PNG_COLOUR[channels]);
    return encodeJpegStream(toRgba(image), width, height, quality);
  } catch (error) {
    fail(
      "memory",
      "encodeImage",
      `room to encode ${width} x ${height} pixels`,
      messageOf(error),
      "shrink the picture",
    );
  }
}

/** jpeg-js reads four bytes a pixel and ignores the fourth. */
function toRgba(image: ImageData8): Uint8Array {
  if (image.channels === 4) return image.data;
  const { data } = toRgb(image);
  const out = new Uint8Array((data.length / 3) * 4);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    out[to] = data[from];
    out[to + 1] = data[from + 1];
    out[to + 2] = data[from + 2];
    out[to + 3] = 255;
  }
  return out;
}
