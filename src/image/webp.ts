/**
 * What a WebP file says besides its pixels, which are another's to decode: its size and its EXIF orientation.
 * Source: the WebP container specification (RIFF), RFC 6386 (VP8, 9.1) and the lossless bitstream's (VP8L, 3).
 */
import { type Orientation, readOrientation } from "./exif.ts";

/** Width and height as stored, 0 where the file does not tell; the orientation that EXIF states, or 1, as OpenCV takes it. */
export function readWebp(bytes: Uint8Array): { width: number; height: number; orientation: Orientation } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = { width: 0, height: 0, orientation: 1 as Orientation };
  const u24 = (at: number): number => view.getUint16(at, true) | (bytes[at + 2] << 16);
  let announced = false;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = String.fromCharCode(...bytes.subarray(at, at + 4));
    const length = view.getUint32(at + 4, true);
    const body = at + 8;
    if (out.width === 0 && body + 10 <= bytes.length) {
      announced ||= name === "VP8X" && (bytes[body] & 8) !== 0; // else EXIF is not looked for
      if (name === "VP8X") [out.width, out.height] = [u24(body + 4) + 1, u24(body + 7) + 1];
      if (name === "VP8 ")
        [out.width, out.height] = [6, 8].map((i) => view.getUint16(body + i, true) & 0x3fff);
      if (name === "VP8L") {
        const sizes = view.getUint32(body + 1, true);
        [out.width, out.height] = [(sizes & 0x3fff) + 1, ((sizes >> 14) & 0x3fff) + 1];
      }
    }
    if (name === "EXIF" && announced) {
      out.orientation = readOrientation(bytes.subarray(body, body + length));
      break;
    }
    at = body + length + (length & 1);
  }
  return out;
}
