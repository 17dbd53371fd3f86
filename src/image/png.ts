/**
 * PNG to RGB, bit for bit as OpenCV's IMREAD_COLOR: every colour type and bit depth, interlaced or not; alpha and tRNS
 * dropped, not blended; of 16 bits the upper 8; gAMA, iCCP and sBIT ignored. Row filters, interlace and palettes are
 * pngjs's; chunks, zlib stream and sample depths are handled here (png-stream.ts says why).
 */
import { fail, messageOf } from "../errors.ts";
import { applyOrientation } from "./exif.ts";
import type { ImageData8 } from "./image.ts";
import { damaged, failCut, type PngFile, type PngHeader, readPngFile } from "./png-chunks.ts";
import { writePngStream } from "./png-stream.ts";
import { decodePngStream, inflate, type PngPixels, storeUncompressed } from "./vendor.ts";

/** What a zlib stream may hold more than the picture needs; libpng ignores it, too. */
const SURPLUS_BYTES = 65536;

/**
 * Decodes a PNG file to RGB with its EXIF orientation applied. `where` names the source in errors. Throws code
 * "format", or "memory" for a picture above `maxPixels`.
 */
export function decodePng(bytes: Uint8Array, maxPixels: number, where: string): ImageData8 {
  const file = readPngFile(bytes, maxPixels, where);
  const { header, rawBytes } = file;
  const { width, height } = header;
  let pixels: PngPixels;
  try {
    const raw = inflate(file.data, rawBytes + SURPLUS_BYTES);
    if (raw.length < rawBytes) throw new Error("unexpected end of the picture's rows");
    pixels = decodePngStream(writePngStream(file, storeUncompressed(raw.subarray(0, rawBytes))));
  } catch (error) {
    refuse(error, file, where);
  }
  return applyOrientation(
    { data: toRgb8(pixels.data, header), width, height, channels: 3 },
    file.orientation,
  );
}

/** RGBA samples of the file's own depth to RGB of 8 bits. */
function toRgb8(rgba: Uint8Array | Uint16Array, { depth, colour }: PngHeader): Uint8Array {
  const out = new Uint8Array((rgba.length / 4) * 3);
  // libpng's png_set_strip_16 drops the low byte (it does not round); png_set_expand_gray_1_2_4_to_8 repeats the bits,
  // which is a factor. Palettes hold 8 bits already.
  const shift = depth === 16 ? 8 : 0;
  const factor = depth < 8 && colour !== 3 ? 255 / ((1 << depth) - 1) : 1;
  for (let from = 0, to = 0; to < out.length; from += 4, to += 3) {
    out[to] = (rgba[from] >> shift) * factor;
    out[to + 1] = (rgba[from + 1] >> shift) * factor;
    out[to + 2] = (rgba[from + 2] >> shift) * factor;
  }
  return out;
}

function refuse(error: unknown, { header, rawBytes }: PngFile, where: string): never {
  const message = messageOf(error);
  const size = `${header.width} x ${header.height} pixels`;
  if (/allocat|array length/i.test(message))
    fail("memory", where, `memory for ${size}`, message, "shrink the picture");
  if (/larger than/i.test(message))
    damaged(where, `compressed data of ${rawBytes} bytes for ${size}`, "far more");
  if (/unexpected end/i.test(message)) {
    failCut(where, `compressed data for ${size}`, "data that ends before the last of them");
  }
  damaged(where, "compressed data that can be decoded", message);
}
