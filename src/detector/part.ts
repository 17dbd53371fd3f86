/** Parts of pictures. */
import type { ImageData8 } from "../image/image.ts";

/** A copy of columns [left, right) and rows [top, bottom). */
export function partOf(
  image: ImageData8,
  left: number,
  top: number,
  right: number,
  bottom: number,
): ImageData8 {
  const { channels } = image;
  const row = (right - left) * channels;
  const data = new Uint8Array(row * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = (y * image.width + left) * channels;
    data.set(image.data.subarray(from, from + row), (y - top) * row);
  }
  return { data, width: right - left, height: bottom - top, channels };
}
