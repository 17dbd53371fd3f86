/** Pictures as callers give them (a path, a file's bytes, pixels), made into RGB pixels. */
import { type DecodeOptions, decodeImage } from "../image/decode.ts";
import { checkImage, type ImageData8, type RawImage, toRgb } from "../image/image.ts";
import { DEFAULT_MAX_PIXELS } from "../image/limits.ts";
import { type ImageFormat, sniffFormat } from "../image/sniff.ts";
import { readPictureFile } from "./picture-file.ts";

/** A picture: a file's path, a file's bytes (JPEG, PNG, BMP, GIF, or what a decoder was registered for), or pixels. */
export type ImageInput = string | Uint8Array | RawImage;

/** A decoded picture. */
export interface Picture {
  /** RGB, upright. */
  readonly pixels: ImageData8;
  /** The path, where it was given by path. */
  readonly source?: string;
  /** What the file was, where pictures can be encoded in it; absent for other formats and for pixels. */
  readonly format?: ImageFormat;
}

/** Reads and decodes. Errors of code "argument", "file", "format" or "memory" name the source. */
export function readPicture(image: ImageInput, maxPixels: number = DEFAULT_MAX_PIXELS): Picture {
  if (typeof image === "string")
    return decode(readPictureFile(image, maxPixels), { source: image, maxPixels });
  if (image instanceof Uint8Array) return decode(image, { maxPixels });
  return { pixels: toRgb(checkImage(image)) };
}

function decode(bytes: Uint8Array, options: DecodeOptions): Picture {
  const { format } = sniffFormat(bytes);
  const own = format === "jpeg" || format === "png" ? format : undefined;
  return { pixels: decodeImage(bytes, options), source: options.source, format: own };
}
