/** Inflates raw deflate streams, as members of ZIP archives are; `inflate-raw.browser.ts` stands in for it where there is no zlib. */
import { inflateRawSync } from "node:zlib";

/** Throws an Error if the stream is damaged, cut off, or holds more than `maxBytes`. */
export function inflateRaw(stream: Uint8Array, maxBytes: number): Uint8Array {
  const { buffer, byteOffset, byteLength } = inflateRawSync(stream, {
    maxOutputLength: Math.max(maxBytes, 1),
  });
  return new Uint8Array(buffer, byteOffset, byteLength); // not copied
}
