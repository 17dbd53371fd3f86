/** Painting on an RGB picture: filled rectangles and blended masks, clipped to the picture. */
import type { Colour } from "./colours.ts";
import type { ImageData8 } from "./image.ts";

/** Fills [x0, x1) x [y0, y1), whole pixels, with a colour of opacity 0..1. */
export function fillRect(
  image: ImageData8,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  colour: Colour,
  opacity = 1,
): void {
  const { data, width, height } = image;
  const left = Math.max(0, x0);
  const right = Math.min(width, x1);
  for (let y = Math.max(0, y0); y < Math.min(height, y1); y++) {
    let at = (y * width + left) * 3;
    for (let x = left; x < right; x++, at += 3) blend(data, at, colour, opacity);
  }
}

/** A grey picture of how much of each pixel is covered, 0..1. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  /** Row by row. */
  readonly coverage: Float32Array;
}

/** Paints a colour through a mask whose top left corner stands at pixel (x, y). */
export function paintMask(image: ImageData8, mask: Mask, x: number, y: number, colour: Colour): void {
  const { data, width, height } = image;
  for (let row = Math.max(0, -y); row < Math.min(mask.height, height - y); row++) {
    for (let column = Math.max(0, -x); column < Math.min(mask.width, width - x); column++) {
      const opacity = mask.coverage[row * mask.width + column];
      if (opacity > 0) blend(data, ((y + row) * width + x + column) * 3, colour, opacity);
    }
  }
}

function blend(data: Uint8Array, at: number, colour: Colour, opacity: number): void {
  for (let c = 0; c < 3; c++) data[at + c] = Math.round(data[at + c] + (colour[c] - data[at + c]) * opacity);
}
