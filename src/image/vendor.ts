/**
 * The only door to pngjs, which is bundled into the package when it is built, and to zlib. Thin and typed: what the
 * libraries throw passes through, and png.ts and encode.ts give it its meaning.
 */
import { Buffer } from "node:buffer";
import { deflateSync, inflateSync } from "node:zlib";
import { PNG } from "pngjs";
import type { PngPixels } from "./png-rows.ts";

export type { PngPixels };

/** Inflates a zlib stream; throws if it is damaged, cut off, or holds more than `maxBytes`. */
export function inflate(stream: Uint8Array, maxBytes: number): Uint8Array {
  return asBytes(inflateSync(stream, { maxOutputLength: maxBytes }));
}

/** Wraps bytes in a zlib stream without compressing them. */
export function storeUncompressed(bytes: Uint8Array): Uint8Array {
  return asBytes(deflateSync(bytes, { level: 0 }));
}

/** Decodes a PNG stream that ends with its IEND chunk; check sums are not looked at. */
export function decodePngStream(stream: Uint8Array): PngPixels {
  const { width, height, data } = PNG.sync.read(asBuffer(stream), { skipRescale: true, checkCRC: false });
  return { width, height, data };
}

/** Encodes pixels of colour type 0 (grey), 2 (RGB) or 6 (RGBA), 8 bits a sample. */
export function encodePngStream(
  data: Uint8Array,
  width: number,
  height: number,
  colorType: 0 | 2 | 6,
): Uint8Array {
  const png = new PNG();
  Object.assign(png, { data: asBuffer(data), width, height });
  const options = {
    colorType,
    inputColorType: colorType,
    inputHasAlpha: colorType === 6,
    bitDepth: 8,
  } as const;
  // pngjs's default deflate strategy (run lengths) is kept: searching matches takes twice as long for 5 to 10 % less.
  return asBytes(PNG.sync.write(png, options));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
