/**
 * From a file's bytes to pixels: tells the format, decodes, applies EXIF orientation. Reads no files itself. Always RGB,
 * always 8 bits, as OpenCV's imread(IMREAD_COLOR) followed by BGR to RGB: PNG bit for bit, JPEG within a few levels
 * (jpeg.ts says why).
 */
import { fail } from "../errors.ts";
import type { ImageData8 } from "./image.ts";
import { decodeJpeg } from "./jpeg.ts";
import { DEFAULT_MAX_PIXELS } from "./limits.ts";
import { decodePng } from "./png.ts";
import { sniffFormat } from "./sniff.ts";

/** How {@link decodeImage} names and bounds its input. */
export interface DecodeOptions {
  /** What errors call the picture: a path, a URL. Default "image". */
  readonly source?: string;
  /** The most pixels that a header may declare. Default {@link DEFAULT_MAX_PIXELS}, 134 megapixels. */
  readonly maxPixels?: number;
}

/**
 * Decodes a JPEG or PNG file to RGB, 3 channels, turned upright.
 *
 * Throws a MobileDetrError that names the source: code "format" for what is empty, another format, damaged or cut off;
 * code "memory" for a header above `maxPixels`, before anything is allocated; code "argument" for what is not bytes.
 */
export function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): ImageData8 {
  const { source: where = "image", maxPixels = DEFAULT_MAX_PIXELS } = options;
  if (!(bytes instanceof Uint8Array)) {
    fail(
      "argument",
      where,
      "the bytes of a file as a Uint8Array",
      bytes === null ? "null" : `a ${typeof bytes}`,
    );
  }
  if (!(maxPixels >= 1)) fail("argument", `${where}: maxPixels`, "a number of at least 1", `${maxPixels}`);
  const { format, name } = sniffFormat(bytes);
  if (format === "jpeg") return decodeJpeg(bytes, maxPixels, where);
  if (format === "png") return decodePng(bytes, maxPixels, where);
  fail("format", where, "a JPEG or PNG picture", name, "convert it to JPEG or PNG");
}
