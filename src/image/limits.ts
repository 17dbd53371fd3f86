/** How large a picture may say that it is: checked from the header, before anything is allocated for its pixels. */
import { fail } from "../errors.ts";
import { MAX_SIDE } from "./image.ts";

/**
 * The default for the most pixels of a picture, 2^27 or 134 megapixels: above the 108 of today's telephones. A PNG of
 * that size takes 2 GB for a while; a JPEG of one scan 0.4 GB, of several (progressive) 0.8 to 1.2 GB, 1.5 GB in CMYK, and
 * as much again as its pixels, 0.4 GB, where EXIF turns it.
 */
export const DEFAULT_MAX_PIXELS = 1 << 27;

/** Refuses sizes that are zero (code "format") or over the limit (code "memory"). */
export function checkDeclaredSize(width: number, height: number, maxPixels: number, where: string): void {
  const size = `${width} x ${height} pixels`;
  if (width < 1 || height < 1) {
    const mend = "a height of 0 in a JPEG means that it follows in a DNL segment, which is not supported";
    fail(
      "format",
      where,
      "a width and a height of at least 1 in the header",
      size,
      height === 0 ? mend : undefined,
    );
  }
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > maxPixels) {
    const megapixels = ((width * height) / 1e6).toFixed(1);
    const limit = `at most ${MAX_SIDE} pixels a side and ${maxPixels} in all`;
    fail(
      "memory",
      where,
      limit,
      `${size} (${megapixels} megapixels)`,
      "shrink the picture or raise maxPixels",
    );
  }
}
