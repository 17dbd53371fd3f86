/**
 * The only door to jpeg-js, of which the encoder alone is bundled into the package when it is built. What it throws passes
 * through; encode.ts gives it its meaning. Decoding is our own: jpeg.ts.
 */
import encode from "jpeg-js/lib/encoder.js";

/** Encodes RGBA pixels (alpha is ignored) as baseline 4:4:4 JPEG; quality 1..100. */
export function encodeJpegStream(
  rgba: Uint8Array,
  width: number,
  height: number,
  quality: number,
): Uint8Array {
  const { data } = encode({ data: rgba, width, height }, quality); // a Buffer in Node
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
