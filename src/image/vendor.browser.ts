/** `vendor.ts` for browsers: neither zlib nor pngjs, whose parts that are needed are written here; same results. */
import { deflateStored, inflateZlib } from "../inflate.ts";
import { decodePngRows, encodePngRows, type PngPixels } from "./png-rows.ts";

export type { PngPixels };

/** Inflates a zlib stream; throws if it is damaged, cut off, or holds more than `maxBytes`. */
export function inflate(stream: Uint8Array, maxBytes: number): Uint8Array {
  return inflateZlib(stream, maxBytes);
}

/** Wraps bytes in a zlib stream without compressing them. */
export function storeUncompressed(bytes: Uint8Array): Uint8Array {
  return deflateStored(bytes);
}

/** Decodes a PNG stream that ends with its IEND chunk; check sums are not looked at. */
export function decodePngStream(stream: Uint8Array): PngPixels {
  return decodePngRows(stream);
}

/** Encodes pixels of colour type 0 (grey), 2 (RGB) or 6 (RGBA), 8 bits a sample; not compressed. */
export function encodePngStream(
  data: Uint8Array,
  width: number,
  height: number,
  colorType: 0 | 2 | 6,
): Uint8Array {
  return encodePngRows(data, width, height, colorType);
}
