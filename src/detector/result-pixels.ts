/** The pixels of what was given to `detect`, once more. A browser build takes `result-pixels.browser.ts` in its place. */
import type { ImageData8 } from "../image/image.ts";
import { type ImageInput, readPicture } from "./pictures.ts";

/** RGB. Errors as `detect`. */
export async function rgbOf(image: ImageInput, maxPixels?: number): Promise<ImageData8> {
  return readPicture(image, maxPixels).pixels;
}
