/**
 * The only door to jpeg-js and pngjs, which are bundled into the package when it is built, and to zlib. Thin and typed:
 * what the libraries throw passes through, and jpeg.ts, png.ts and encode.ts give it its meaning.
 */
import { Buffer } from "node:buffer";
import { versions } from "node:process";
import { getHeapStatistics } from "node:v8";
import { deflateSync, inflateSync } from "node:zlib";
import { decode as jpegDecode, encode as jpegEncode } from "jpeg-js";
import { PNG } from "pngjs";

/** What jpeg-js gives back: three bytes a pixel. */
export interface JpegPixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * The most bytes that jpeg-js may ask of the JavaScript heap, whose overflow ends the whole process: the engine's limit,
 * less what is in use; without bound where the engine does not tell.
 * QUIRK: Bun's "limit" is the size its heap has at the moment, which grows.
 */
export function freeHeapBytes(): number {
  const { heap_size_limit: limit, used_heap_size: used } = getHeapStatistics();
  return limit > 0 && !versions.bun ? limit - used : Number.POSITIVE_INFINITY;
}

/** What jpeg-js takes of the heap for each block of 8 x 8 samples: a typed array with its buffer, as V8 keeps them. */
export const JPEG_HEAP_BYTES_PER_BLOCK = 250;

/**
 * Decodes a JPEG stream. `ycc`: three components are YCbCr and are to be turned into RGB; false hands them out as they
 * are, scaled up by repeating. `maxMegabytes` bounds jpeg-js's own count of what it allocates.
 */
export function decodeJpegStream(stream: Uint8Array, ycc: boolean, maxMegabytes: number): JpegPixels {
  return jpegDecode(stream, {
    useTArray: true,
    formatAsRGBA: false,
    colorTransform: ycc,
    // Tolerant only of restart intervals that reach past the last block: cut-off data fails all the same.
    tolerantDecoding: true,
    maxResolutionInMP: Number.POSITIVE_INFINITY, // the caller has checked the header
    maxMemoryUsageInMB: maxMegabytes,
  });
}

/** Encodes RGBA pixels (alpha is ignored) as baseline 4:4:4 JPEG; quality 1..100. */
export function encodeJpegStream(
  rgba: Uint8Array,
  width: number,
  height: number,
  quality: number,
): Uint8Array {
  return asBytes(jpegEncode({ data: rgba, width, height }, quality).data);
}

/** What pngjs gives back: RGBA samples, not scaled up from their bit depth (palettes are looked up). */
export interface PngPixels {
  readonly width: number;
  readonly height: number;
  /** Four samples a pixel. pngjs's types do not say that 16-bit samples come as a Uint16Array. */
  readonly data: Uint8Array | Uint16Array;
}

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
