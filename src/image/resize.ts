/**
 * Bilinear resize, bit for bit what OpenCV's cv2.resize(INTER_LINEAR) gives for 8-bit pictures: half-pixel centres, no
 * antialiasing, 11-bit weights, edges repeated. The picture is stretched; other resizes are in
 * resample.ts, letterboxing in letterbox.ts.
 * Source: OpenCV 4/5, modules/imgproc/src/resize.cpp (HResizeLinear, VResizeLinear for uchar).
 */
import { fail } from "../errors.ts";
import { type ImageData8, MAX_SIDE } from "./image.ts";

const WEIGHT_ONE = 2048; // 2^11
const MAX_OUTPUT_PIXELS = 1 << 28;

/** For each output index two input indices and their integer weights. */
interface Taps {
  readonly near: Int32Array;
  readonly far: Int32Array;
  readonly nearWeight: Int32Array;
  readonly farWeight: Int32Array;
}

/**
 * The picture stretched to height x width, a new one; the picture itself where the size matches already. Any number of
 * channels. Throws code "argument" for sizes that are no positive integers or absurdly large.
 */
export function resizeBilinear(image: ImageData8, height: number, width: number): ImageData8 {
  checkResizedSize("resizeBilinear", height, width);
  const { data, channels } = image;
  if (image.height === height && image.width === width) return image;
  const columns = makeTaps(image.width, width, channels, true);
  const rows = makeTaps(image.height, height, 1, false);
  const stride = image.width * channels;
  const length = width * channels;
  const out = new Uint8Array(height * length);
  // The two input rows at hand, resized along x: neighbouring output rows mostly share them.
  let upper: Row = { index: -1, values: new Int32Array(length) };
  let lower: Row = { index: -1, values: new Int32Array(length) };
  for (let y = 0; y < height; y++) {
    const near = rows.near[y];
    const far = rows.far[y];
    if (upper.index !== near && lower.index === near) [upper, lower] = [lower, upper];
    if (upper.index !== near) fillRow(upper, near, data, stride, columns, channels);
    if (far !== near && lower.index !== far) fillRow(lower, far, data, stride, columns, channels);
    const a = upper.values;
    const b = far === near ? a : lower.values;
    const u = rows.nearWeight[y];
    const v = rows.farWeight[y];
    const to = y * length;
    // QUIRK: each product loses its low bits before the sum, so that a row blended with itself may lose a level.
    for (let i = 0; i < length; i++) out[to + i] = (((a[i] * u) >> 16) + ((b[i] * v) >> 16) + 2) >> 2;
  }
  return { data: out, width, height, channels };
}

/** Throws code "argument" for sizes that are no positive integers or absurdly large; `where` opens the message. */
export function checkResizedSize(where: string, height: number, width: number): void {
  for (const side of [height, width]) {
    if (!Number.isInteger(side) || side < 1 || side > MAX_SIDE) {
      fail("argument", where, `a height and width that are integers in 1..${MAX_SIDE}`, `${side}`);
    }
  }
  if (height * width > MAX_OUTPUT_PIXELS) {
    fail("argument", where, `at most ${MAX_OUTPUT_PIXELS} pixels`, `${height} x ${width}`);
  }
}

interface Row {
  index: number;
  readonly values: Int32Array;
}

/** One input row resized along x: 15-bit values, 128 a level. */
function fillRow(
  row: Row,
  index: number,
  data: Uint8Array,
  stride: number,
  columns: Taps,
  channels: number,
): void {
  const { near, far, nearWeight, farWeight } = columns;
  const { values } = row;
  const from = index * stride;
  for (let x = 0, to = 0; x < near.length; x++) {
    const a = from + near[x];
    const b = from + far[x];
    const u = nearWeight[x];
    const v = farWeight[x];
    for (let c = 0; c < channels; c++) values[to++] = (data[a + c] * u + data[b + c] * v) >> 4;
  }
  row.index = index;
}

/** `step`: what an index counts in. Positions are computed in double, their fractions kept in single precision. */
function makeTaps(inputs: number, outputs: number, step: number, dropOutside: boolean): Taps {
  const near = new Int32Array(outputs);
  const far = new Int32Array(outputs);
  const nearWeight = new Int32Array(outputs);
  const farWeight = new Int32Array(outputs);
  const scale = 1 / (outputs / inputs); // QUIRK: inverted twice, as OpenCV does it, not inputs / outputs
  for (let i = 0; i < outputs; i++) {
    const position = Math.fround((i + 0.5) * scale - 0.5);
    const index = Math.floor(position);
    let fraction = Math.fround(position - index);
    // QUIRK: columns past the border take the border alone; rows keep both weights on the repeated border row.
    if (dropOutside && (index < 0 || index >= inputs - 1)) fraction = 0;
    near[i] = Math.min(inputs - 1, Math.max(0, index)) * step;
    far[i] = Math.min(inputs - 1, Math.max(0, index + 1)) * step;
    nearWeight[i] = roundHalfEven(Math.fround(1 - fraction) * WEIGHT_ONE);
    farWeight[i] = roundHalfEven(fraction * WEIGHT_ONE);
  }
  return { near, far, nearWeight, farWeight };
}

/** The nearest integer; of two the even one. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest > 0.5 ? floor + 1 : floor;
  return floor % 2 === 0 ? floor : floor + 1;
}
