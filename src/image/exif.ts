/**
 * EXIF orientation: reading it from a TIFF block (JPEG APP1, PNG eXIf) and turning pixels by it. Nothing else of EXIF.
 * Source: Exif 2.32, 4.6.4 (tag 0x0112); values out of 1..8 and blocks that break off mean 1, as in OpenCV: a damaged
 * note about a picture is no reason to refuse the picture.
 */
import type { ImageData8 } from "./image.ts";

/**
 * Where row 0 and column 0 of the stored pixels belong: 1 top left (nothing to do), 2 top right, 3 bottom right,
 * 4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom.
 */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const TAG_ORIENTATION = 0x0112;
const TYPE_SHORT = 3;
const TYPE_LONG = 4;

/** The orientation that a TIFF block (from its "II" or "MM" on) states, or 1. */
export function readOrientation(tiff: Uint8Array): Orientation {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  if (view.byteLength < 8) return 1;
  const order = view.getUint16(0);
  const little = order === 0x4949;
  if ((!little && order !== 0x4d4d) || view.getUint16(2, little) !== 42) return 1;
  const directory = view.getUint32(4, little);
  if (directory + 2 > view.byteLength) return 1;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + i * 12;
    if (at + 12 > view.byteLength) return 1;
    if (view.getUint16(at, little) !== TAG_ORIENTATION) continue;
    const type = view.getUint16(at + 2, little);
    if (type === TYPE_SHORT) return asOrientation(view.getUint16(at + 8, little));
    return type === TYPE_LONG ? asOrientation(view.getUint32(at + 8, little)) : 1;
  }
  return 1;
}

/** The picture as it is meant to be seen; a new one, or itself for orientation 1. 5 to 8 swap width and height. */
export function applyOrientation(image: ImageData8, orientation: Orientation): ImageData8 {
  if (orientation === 1) return image;
  const { data, width: w, height: h, channels } = image;
  const swapped = orientation >= 5;
  const width = swapped ? h : w;
  const height = swapped ? w : h;
  // Output (x, y) shows stored pixel start + x * stepX + y * stepY.
  const flipX = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const flipY = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  const start = (flipX ? w - 1 : 0) + (flipY ? h - 1 : 0) * w;
  const alongRow = flipX ? -1 : 1;
  const alongColumn = flipY ? -w : w;
  const stepX = swapped ? alongColumn : alongRow;
  const stepY = swapped ? alongRow : alongColumn;
  const out = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    let from = (start + y * stepY) * channels;
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) out[to++] = data[from + c];
      from += stepX * channels;
    }
  }
  return { data: out, width, height, channels };
}

function asOrientation(value: number): Orientation {
  return value >= 1 && value <= 8 ? (value as Orientation) : 1;
}
