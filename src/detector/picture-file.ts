/** Picture files on disk, and those that only the caller's thread can decode. Knows no codec: cheap to load. */
import { fail } from "../errors.ts";
import { decodeForeign, hasDecoder, hasDecoders } from "../image/decoders.ts";
import type { ImageData8 } from "../image/image.ts";
import { DEFAULT_MAX_PIXELS } from "../image/limits.ts";
import { sniffFormat } from "../image/sniff.ts";
import { openFileSource } from "../weights/file-source.ts";

const HEAD_BYTES = 512; // enough to tell any format
const BYTES_PER_PIXEL = 8; // of a 16-bit PNG with alpha: no sensible file has more,
const SPARE_BYTES = 64 << 20; // but for metadata

/** A regular file's bytes; its first ones alone where they are no picture's, which decoding then says. */
export function readPictureFile(path: string, maxPixels: number): Uint8Array {
  const file = openFileSource(path);
  try {
    const head = new Uint8Array(Math.min(HEAD_BYTES, file.byteLength));
    file.read(0, head);
    const sniffed = sniffFormat(head);
    if (sniffed.format === null && !hasDecoder(sniffed)) return head;
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

/**
 * A path's or bytes' pixels by the decoder that this thread was given for their format, and that the detector's does not
 * have; undefined where there is none: then it is the detector's affair.
 */
export function decodeHere(
  image: string | Uint8Array,
  maxPixels: number = DEFAULT_MAX_PIXELS,
): ImageData8 | Promise<ImageData8> | undefined {
  if (!hasDecoders()) return undefined;
  const bytes = typeof image === "string" ? readPictureFile(image, maxPixels) : image;
  const sniffed = sniffFormat(bytes);
  if (!hasDecoder(sniffed)) return undefined;
  return decodeForeign(bytes, sniffed, maxPixels, typeof image === "string" ? image : "image");
}
