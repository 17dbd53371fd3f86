/** How files that cannot be right are refused: BMP and GIF; PNG and JPEG say the same in files of their own. */
import { fail, messageOf } from "../errors.ts";

/** Refuses data that cannot be right; `kind` is "BMP" or "GIF". */
export function refuseDamaged(kind: string, where: string, expected: string, got: string): never {
  fail("format", where, `a ${kind} picture with ${expected}`, got, "the file is damaged");
}

/** Refuses data that stops early. */
export function refuseCut(kind: string, where: string, expected: string, got: string): never {
  fail(
    "format",
    where,
    `a whole ${kind} picture with ${expected}`,
    got,
    "the file is cut off; fetch it again",
  );
}

/** Samples for pixels, all 0. Throws code "memory" where there is none. */
export function allocatePixels(width: number, height: number, channels: number, where: string): Uint8Array {
  try {
    return new Uint8Array(width * height * channels);
  } catch (error) {
    fail("memory", where, `memory for ${width} x ${height} pixels`, messageOf(error), "shrink the picture");
  }
}
