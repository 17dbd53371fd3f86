/** Pictures that a browser holds and draws: other engines have none. See `drawable.browser.ts`. */
import type { RawImage } from "../image/image.ts";

/** The pixels of a drawable, or a promise of them where it is still loading; undefined for what is none. */
export function rasterise(_image: unknown): RawImage | Promise<RawImage> | undefined {
  return undefined;
}
