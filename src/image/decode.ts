/**
 * From a file's bytes to pixels: tells the format, decodes, applies EXIF orientation. Reads no files itself. Always RGB,
 * always 8 bits, bit for bit as OpenCV's imread(IMREAD_COLOR) followed by BGR to RGB.
 */
import { fail } from "../errors.ts";
import { decodeBmp } from "./bmp.ts";
import { decodeForeign } from "./decoders.ts";
import { decodeGif } from "./gif.ts";
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
  /**
   * What becomes of a JPEG whose coded data is cut off or damaged. "error" (default) refuses it, by what is wrong: boxes on
   * half a picture are no boxes of that picture. "fill" decodes it as far as it goes, as libjpeg does: what is missing is
   * grey, or in progressive files without detail. Headers that are damaged are refused either way, and so are other formats.
   */
  readonly damaged?: "error" | "fill";
  /** Told, once for each, what was wrong with a picture that was filled: "photo.jpg: coded data ends early; ...". */
  readonly onWarning?: (message: string) => void;
}

/**
 * Decodes a JPEG, PNG, BMP or GIF (its first frame) file to RGB, 3 channels, turned upright; other formats by the decoder that
 * {@link registerDecoder} was given for them.
 *
 * Throws a MobileDetrError that names the source: code "format" for what is empty, another format, damaged or cut off;
 * code "memory" for a header above `maxPixels`, before anything is allocated; code "argument" for what is not bytes.
 */
export function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): ImageData8 {
  const { source: where = "image", maxPixels = DEFAULT_MAX_PIXELS, damaged = "error", onWarning } = options;
  if (!(bytes instanceof Uint8Array)) {
    fail(
      "argument",
      where,
      "the bytes of a file as a Uint8Array",
      bytes === null ? "null" : `a ${typeof bytes}`,
    );
  }
  if (!(maxPixels >= 1)) fail("argument", `${where}: maxPixels`, "a number of at least 1", `${maxPixels}`);
  if (damaged !== "error" && damaged !== "fill") {
    fail("argument", `${where}: damaged`, '"error" or "fill"', JSON.stringify(damaged));
  }
  const sniffed = sniffFormat(bytes);
  const { format } = sniffed;
  if (format === "jpeg") {
    return decodeJpeg(bytes, { maxPixels, where, fill: damaged === "fill", onWarning });
  }
  if (format === "png") return decodePng(bytes, maxPixels, where);
  if (format === "bmp") return decodeBmp(bytes, maxPixels, where);
  if (format === "gif") return decodeGif(bytes, maxPixels, where);
  const image = decodeForeign(bytes, sniffed, maxPixels, where);
  if (image instanceof Promise) {
    image.catch(() => undefined); // the answer comes too late
    const mend = "detector.detect() waits for it; decodeImage and readers of its kind cannot";
    fail("argument", where, `a decoder for ${sniffed.foreign} that answers at once`, "a promise", mend);
  }
  return image;
}
