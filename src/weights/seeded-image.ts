/**
 * A seeded picture to run a network on: smooth random colours with some noise, the same bits as `image` of
 * `test/golden/make/generator.py`. In doubles, in the order written, rounded to f32 once.
 */
import { fail } from "../errors.ts";
import { randomUniform } from "./generator.ts";

/** Side of the coarse noise picture that is enlarged. */
const GRID = 20;

/**
 * An image [1, 3, height, width] in [0, 1), row-major: 80 % of a 20 x 20 noise picture, enlarged bilinearly (half-pixel
 * centres), and 20 % noise of its own per pixel. Throws `argument` for sides that are not positive integers.
 */
export function seededImage(seed: number, height: number, width: number): Float32Array {
  if (!Number.isInteger(height) || !Number.isInteger(width) || height < 1 || width < 1) {
    fail("argument", "seeded image", "a height and a width of at least 1", `${height} x ${width}`);
  }
  const coarse = randomUniform(seed, "image:coarse", 3 * GRID * GRID);
  const out = randomUniform(seed, "image:noise", 3 * height * width); // becomes the picture in place
  const vertical = taps(height);
  const horizontal = taps(width);
  const rows = new Float64Array(GRID * width);
  for (let channel = 0; channel < 3; channel++) {
    const map = coarse.subarray(channel * GRID * GRID, (channel + 1) * GRID * GRID);
    for (let y = 0; y < GRID; y++) {
      for (let x = 0; x < width; x++) {
        const left = map[y * GRID + horizontal.near[x]];
        const right = map[y * GRID + horizontal.far[x]];
        rows[y * width + x] = left + (right - left) * horizontal.fraction[x];
      }
    }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const top = rows[vertical.near[y] * width + x];
        const bottom = rows[vertical.far[y] * width + x];
        const smooth = top + (bottom - top) * vertical.fraction[y];
        const at = (channel * height + y) * width + x;
        out[at] = smooth * 0.8 + out[at] * 0.2;
      }
    }
  }
  return out;
}

/** Where each of `size` samples lies between two of the grid's: half-pixel centres, edges repeated. */
function taps(size: number): { near: Int32Array; far: Int32Array; fraction: Float64Array } {
  const near = new Int32Array(size);
  const far = new Int32Array(size);
  const fraction = new Float64Array(size);
  const step = GRID / size;
  for (let i = 0; i < size; i++) {
    const at = Math.max((i + 0.5) * step - 0.5, 0);
    near[i] = Math.min(Math.floor(at), GRID - 1);
    far[i] = Math.min(near[i] + 1, GRID - 1);
    fraction[i] = at - near[i];
  }
  return { near, far, fraction };
}
