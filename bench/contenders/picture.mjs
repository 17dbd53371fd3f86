/**
 * From a picture's file to boxes around another runtime's network: decoding, resizing, scaling and choosing are those of
 * mobiledetr's own pipeline, so that they cost every contender the same. They are loaded when they are needed: the peers'
 * cold start to the first output is not to hold them.
 */

/** Boxes above this score are found: said here for all contenders. */
export const CONF = 0.25;

/**
 * The boxes that `infer` finds: it takes the picture as planes [3, H, W] and gives output0. `facts` are a case's; classes
 * go by their numbers, since their names are in none of a case's files.
 */
export async function detectWith({ classes, size: [height, width] }, path, infer) {
  const { selectDetections } = await import("../../lib/detector/detections.js");
  const { readPicture } = await import("../../lib/detector/pictures.js");
  const { toFloatChw } = await import("../../lib/image/preprocess.js");
  const { resizeBilinear } = await import("../../lib/image/resize.js");
  const { pixels } = readPicture(path);
  const planes = new Float32Array(3 * height * width);
  toFloatChw(resizeBilinear(pixels, height, width), planes);
  const names = Array.from({ length: classes }, (_, i) => String(i));
  return selectDetections(await infer(planes), names, pixels.width, pixels.height, { conf: CONF });
}
