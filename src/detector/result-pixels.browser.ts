/** `result-pixels.ts` for browsers: files are decoded by the browser itself, which spares pages the package's decoders. */
import { fail, messageOf } from "../errors.ts";
import { checkImage, type ImageData8, type RawImage, toRgb } from "../image/image.ts";
import { rasterise } from "./drawable.ts";
import type { ImageInput } from "./pictures.ts";

/** RGB; of files as this browser sees them. Errors as `detect`. */
export async function rgbOf(image: ImageInput, _maxPixels?: number): Promise<ImageData8> {
  if (typeof image === "string")
    fail("file", image, "bytes, a Blob, or a URL object", "a path, which a browser cannot read");
  if (!(image instanceof Uint8Array)) return toRgb(checkImage(image));
  const refuse = (error: unknown): never =>
    fail("format", "picture", "a file that this browser shows", messageOf(error));
  const bitmap = await createImageBitmap(new Blob([image as Uint8Array<ArrayBuffer>])).catch(refuse);
  const pixels = rasterise(bitmap) as RawImage;
  bitmap.close();
  return toRgb(checkImage(pixels));
}
