/** Pictures as callers give them (a path, a file's bytes, pixels), made into RGB pixels. */
import { fail } from "../errors.ts";
import { type DecodeOptions, decodeImage } from "../image/decode.ts";
import { checkImage, type ImageData8, type RawImage, toRgb } from "../image/image.ts";
import { DEFAULT_MAX_PIXELS } from "../image/limits.ts";
import { type ImageFormat, sniffFormat } from "../image/sniff.ts";
import { openFileSource } from "../weights/file-source.ts";

/** A picture: a file's path, a file's bytes (JPEG or PNG), or pixels. */
export type ImageInput = string | Uint8Array | RawImage;

/** A decoded picture. */
export interface Picture {
  /** RGB, upright. */
  readonly pixels: ImageData8;
  /** The path, where it was given by path. */
  readonly source?: string;
  /** What the file was; absent for pixels. */
  readonly format?: ImageFormat;
}

const HEAD_BYTES = 64; // enough to tell any format
const BYTES_PER_PIXEL = 8; // of a 16-bit PNG with alpha: no sensible file has more,
const SPARE_BYTES = 64 << 20; // but for metadata

/** Reads and decodes. Errors of code "argument", "file", "format" or "memory" name the source. */
export function readPicture(image: ImageInput, maxPixels: number = DEFAULT_MAX_PIXELS): Picture {
  if (typeof image === "string") return decode(readFile(image, maxPixels), { source: image, maxPixels });
  if (image instanceof Uint8Array) return decode(image, { maxPixels });
  return { pixels: toRgb(checkImage(image)) };
}

function decode(bytes: Uint8Array, options: DecodeOptions): Picture {
  const { format } = sniffFormat(bytes);
  return { pixels: decodeImage(bytes, options), source: options.source, format: format ?? undefined };
}

/** A regular file's bytes; its first ones alone where they are no picture's, which decoding then says. */
function readFile(path: string, maxPixels: number): Uint8Array {
  const file = openFileSource(path);
  try {
    const head = new Uint8Array(Math.min(HEAD_BYTES, file.byteLength));
    file.read(0, head);
    if (sniffFormat(head).format === null) return head;
    const limit = maxPixels * BYTES_PER_PIXEL + SPARE_BYTES;
    if (file.byteLength > limit) {
      fail(
        "memory",
        path,
        `a picture file of at most ${limit} bytes`,
        `${file.byteLength}`,
        "raise maxPixels",
      );
    }
    const bytes = new Uint8Array(file.byteLength);
    file.read(0, bytes);
    return bytes;
  } finally {
    file.close();
  }
}
