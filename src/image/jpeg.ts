/**
 * JPEG to RGB: baseline, extended and progressive Huffman coding, 8 bits, grey, YCbCr, RGB, CMYK and YCCK. Entropy
 * decoding and inverse DCT are jpeg-js's, chroma up-sampling and colour conversion libjpeg-turbo's (jpeg-colour.ts).
 * Not supported: arithmetic coding, 12 bits, lossless, and some progressive files with restart markers.
 * Not bit-exact to libjpeg: jpeg-js's inverse DCT rounds differently, by one level in most samples that differ at all.
 * In colour that comes to at most 3 levels on everything tried, 0.15 on average (CMYK: 3, and 1.1 on average).
 */
import { fail, MobileDetrError, messageOf } from "../errors.ts";
import { applyOrientation } from "./exif.ts";
import type { ImageData8 } from "./image.ts";
import { yccToRgb } from "./jpeg-colour.ts";
import { corrupt, countBlocks, failTruncated } from "./jpeg-frame.ts";
import { readJpegFile } from "./jpeg-header.ts";
import { decodeJpegStream, freeHeapBytes, JPEG_HEAP_BYTES_PER_BLOCK, type JpegPixels } from "./vendor.ts";

/** jpeg-js's own count: 4 bytes a coefficient and 1 a sample, 64 to the block; then 4 and 3 bytes of output a pixel. */
const COUNTED_BYTES_PER_BLOCK = 64 * 5;
const COUNTED_BYTES_PER_PIXEL = 7;
/** For tables. */
const SPARE_MEGABYTES = 16;

/**
 * Decodes a JPEG file to RGB with its EXIF orientation applied. `where` names the source in errors. Throws code
 * "format", or "memory" for a picture above `maxPixels`.
 */
export function decodeJpeg(bytes: Uint8Array, maxPixels: number, where: string): ImageData8 {
  const { frame, colour, orientation, restarts, ended, stream } = readJpegFile(bytes, maxPixels, where);
  const { width, height } = frame;
  const blocks = countBlocks(frame);
  const counted = blocks * COUNTED_BYTES_PER_BLOCK + width * height * COUNTED_BYTES_PER_PIXEL;
  const maxMegabytes = Math.ceil(counted / 2 ** 20) + SPARE_MEGABYTES;
  checkHeap(blocks, `${width} x ${height} pixels`, where);
  let pixels: JpegPixels;
  try {
    pixels = decodeJpegStream(stream, false, maxMegabytes);
  } catch (error) {
    // QUIRK: jpeg-js reads past the last block of a scan of one component whose blocks the restart interval does not
    // divide. Blocks outside the picture hide that but for the odd block row of a sub-sampled progressive picture.
    if (frame.progressive && restarts && ended && /unexpected marker/.test(messageOf(error))) {
      const mend = "save the picture again without restart markers";
      fail(
        "format",
        where,
        "a JPEG picture of a kind that is supported",
        "progressive coding with restart markers",
        mend,
      );
    }
    refuse(error, `${width} x ${height} pixels`, where);
  }
  if (colour === "ycc") yccToRgb(pixels.data, width, height, frame.components);
  return applyOrientation({ data: pixels.data, width, height, channels: 3 }, orientation);
}

/** Refuses before jpeg-js runs the engine out of heap, which no code can catch. */
function checkHeap(blocks: number, size: string, where: string): void {
  const needed = blocks * JPEG_HEAP_BYTES_PER_BLOCK;
  const free = freeHeapBytes();
  if (needed <= free) return;
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MB of JavaScript heap`;
  const mend = "shrink the picture, or give the engine more heap: node --max-old-space-size=MB";
  fail("memory", where, `${megabytes(needed)} for a JPEG of ${size}`, `${megabytes(free)} free`, mend);
}

function refuse(error: unknown, size: string, where: string): never {
  if (error instanceof MobileDetrError) throw error;
  const message = messageOf(error);
  if (/maxMemoryUsageInMB|allocat/i.test(message)) {
    fail("memory", where, `memory for ${size}`, message, "shrink the picture");
  }
  // The stream's only end marker stands behind the last scan: the decoder met it in the middle of one.
  if (/unexpected marker: ffd9/.test(message))
    failTruncated(where, size, "coded data that ends before the last of them");
  corrupt(where, "coded data that can be decoded", message);
}
