/**
 * Writes the PNG stream that pngjs is given: header, palette and pixels of a file that has been checked, nothing else.
 * Of a file as it stands, pngjs blackens the colour that tRNS names, refuses bytes behind IEND and indices past the
 * palette, inflates interlaced pictures without bound, and fills what a cut-off zlib stream leaves open with memory that
 * was never written. So the pixels are inflated and measured here and handed over as stored blocks of the exact length.
 */
import { join, PALETTE_BYTES, type PngFile } from "./png-chunks.ts";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** The stream of a file with its pixels in another zlib stream. Check sums are left 0: pngjs is told not to look. */
export function writePngStream(file: PngFile, zlibStream: Uint8Array): Uint8Array {
  const parts = [SIGNATURE, ...chunk("IHDR", file.headerBody)];
  if (file.header.colour === 3 && file.palette) {
    const full = new Uint8Array(PALETTE_BYTES); // libpng, too, reads black past the palette's end
    full.set(file.palette);
    parts.push(...chunk("PLTE", full));
  }
  parts.push(...chunk("IDAT", zlibStream), ...chunk("IEND", new Uint8Array(0)));
  return join(parts);
}

function chunk(name: string, body: Uint8Array): Uint8Array[] {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setUint32(0, body.length);
  for (let i = 0; i < 4; i++) head[4 + i] = name.charCodeAt(i);
  return [head, body, new Uint8Array(4)];
}
