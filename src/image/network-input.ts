/**
 * A picture as a network's input: stretched or letterboxed, channels-last numbers in 0..1; and boxes on the input as boxes
 * on the picture. No mean, no deviation. Sources: RT-DETR's predictor; Ultralytics, data/augment.py (LetterBox with
 * auto=False, centred, enlarging too) and utils/ops.py (scale_boxes), of which this is the arithmetic alone.
 */
import type { Preprocess } from "../choices.ts";
import type { ImageData8 } from "./image.ts";
import { UNIT } from "./preprocess.ts";
import { resample } from "./resample.ts";
import { roundHalfEven } from "./resize.ts";

const PAD_LEVEL = 114; // the grey around a letterboxed picture
const OFF_CENTRE_PX = 0.1; // takes an odd row or column of grey to the bottom or the right

/** A picture's place in a network's input, in pixels of the input. */
export interface Frame {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Where a picture of `image`'s size comes to lie, in its proportions and centred, in an input of [height, width]. */
export function letterboxFrame(
  image: { readonly height: number; readonly width: number },
  size: readonly [height: number, width: number],
): Frame {
  const gain = gainOf(image, size);
  const scaled = (side: number): number => Math.max(1, roundHalfEven(side * gain)); // where Ultralytics fails on 0
  const [height, width] = [scaled(image.height), scaled(image.width)];
  const before = (room: number): number => Math.max(0, Math.round(room / 2 - OFF_CENTRE_PX));
  return { top: before(size[0] - height), left: before(size[1] - width), height, width };
}

/**
 * x1, y1, x2, y2 in pixels of a letterboxed input as pixels of the picture, clipped to it: Ultralytics' scale_boxes, in
 * single precision.
 */
export function unletterbox(
  box: readonly number[],
  image: { readonly height: number; readonly width: number },
  size: readonly [height: number, width: number],
): number[] {
  const { top, left } = letterboxFrame(image, size);
  const gain = Math.fround(gainOf(image, size));
  return box.map((side, i) => {
    const [pad, most] = i % 2 === 0 ? [left, image.width] : [top, image.height];
    return Math.min(most, Math.max(0, Math.fround(Math.fround(side - pad) / gain)));
  });
}

/**
 * Writes an RGB picture as the input [height, width, 3] of a network. `out` must have room for exactly that. Throws code
 * "argument" for sizes that are absurd.
 */
export function writeInput(
  image: ImageData8,
  size: readonly [height: number, width: number],
  out: Float32Array,
  { resize = "opencv-linear", letterbox = false }: Preprocess = {},
): void {
  const [height, width] = size;
  const frame = letterbox ? letterboxFrame(image, size) : { top: 0, left: 0, height, width };
  const { data, channels } = resample(image, frame.height, frame.width, resize);
  const isUnit = data instanceof Float32Array;
  const row = frame.width * channels;
  if (letterbox) out.fill(UNIT[PAD_LEVEL]);
  for (let y = 0; y < frame.height; y++) {
    const to = ((frame.top + y) * width + frame.left) * channels;
    const line = data.subarray(y * row, (y + 1) * row);
    if (isUnit) out.set(line, to);
    else for (let i = 0; i < row; i++) out[to + i] = UNIT[line[i]];
  }
}

function gainOf(
  image: { readonly height: number; readonly width: number },
  [height, width]: readonly [height: number, width: number],
): number {
  return Math.min(height / image.height, width / image.width);
}
