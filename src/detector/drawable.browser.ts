/** `drawable.ts` for browsers: whatever a canvas can draw, drawn and read back. */
import { fail, messageOf } from "../errors.ts";
import type { RawImage } from "../image/image.ts";

/** Whether a value is of a class that this browser has. */
function isA<K extends keyof typeof globalThis>(
  value: unknown,
  name: K,
): value is InstanceType<Extract<(typeof globalThis)[K], abstract new (...args: never) => unknown>> {
  const known: unknown = globalThis[name];
  return typeof known === "function" && value instanceof known;
}

/** Width and height in pixels of what a canvas can draw; undefined for anything else. */
function sizeOf(image: unknown): [width: number, height: number] | undefined {
  if (isA(image, "HTMLImageElement")) return [image.naturalWidth, image.naturalHeight];
  if (isA(image, "HTMLVideoElement")) return [image.videoWidth, image.videoHeight];
  if (isA(image, "VideoFrame")) return [image.displayWidth, image.displayHeight];
  if (isA(image, "HTMLCanvasElement") || isA(image, "OffscreenCanvas") || isA(image, "ImageBitmap")) {
    return [image.width, image.height];
  }
  return undefined;
}

/** The pixels of a drawable, or a promise of them where it is still loading; undefined for what is none. */
export function rasterise(image: unknown): RawImage | Promise<RawImage> | undefined {
  if (isA(image, "HTMLImageElement") && !image.complete) {
    const refuse = (error: unknown): never =>
      fail("format", "detect", "an image element that can be shown", messageOf(error));
    return image.decode().then(() => pixelsOf(image), refuse);
  }
  return sizeOf(image) && pixelsOf(image as CanvasImageSource);
}

function pixelsOf(image: CanvasImageSource): RawImage {
  const [width, height] = sizeOf(image) ?? [0, 0];
  if (width < 1 || height < 1) {
    fail(
      "argument",
      "detect",
      "a picture that has loaded",
      `one of ${width} x ${height} pixels`,
      "wait for its load event",
    );
  }
  const canvas =
    typeof OffscreenCanvas === "function"
      ? new OffscreenCanvas(width, height)
      : Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" }) as
    | CanvasRenderingContext2D
    | OffscreenCanvasRenderingContext2D
    | null;
  if (!context)
    fail("memory", "detect", `a canvas of ${width} x ${height} pixels`, "none", "shrink the picture");
  context.drawImage(image, 0, 0, width, height);
  try {
    return { data: context.getImageData(0, 0, width, height).data, width, height, channels: 4 };
  } catch (error) {
    const mend = 'load it with crossorigin="anonymous", or give its bytes';
    return fail("argument", "detect", "a picture whose pixels this page may read", messageOf(error), mend);
  }
}
