/** Cases from bytes on this package: a picture file to the network's input, raw output to detections. No network runs here. */
import { selectDetections } from "../../detector/detections.ts";
import { fail } from "../../errors.ts";
import { decodeImage } from "../../image/decode.ts";
import type { ImageData8 } from "../../image/image.ts";
import { toFloatChw } from "../../image/preprocess.ts";
import { resizeBilinear } from "../../image/resize.ts";
import { formatShape } from "../../tensor/shape.ts";
import type { HostTensor } from "../host-tensor.ts";

/** The pixels of a picture file that stands as bytes. */
export function decodeBytes(picture: HostTensor, name: string): ImageData8 {
  if (picture.dtype !== "U8") fail("argument", name, "the bytes of a file, U8", picture.dtype);
  return decodeImage(picture.data, { source: name });
}

/** Pixels to the network's input [1, 3, H, W]: stretched, divided by 255. */
export function toImages(pixels: ImageData8, [height, width]: readonly [number, number]): HostTensor {
  const sized = resizeBilinear(pixels, height, width);
  const data = new Float32Array(3 * height * width);
  toFloatChw(sized, data);
  return { dtype: "F32", shape: [1, 3, height, width], data };
}

/** Raw output [1, Q, 4 + K] to detections [n, 6]: x1, y1, x2, y2 in pixels, score, class. */
export function toDetections(
  output0: HostTensor,
  conf: number,
  [height, width]: readonly [number, number],
): HostTensor {
  const { dtype, shape, data } = output0;
  if (dtype !== "F32" || shape.length !== 3 || shape[0] !== 1 || shape[2] < 5) {
    fail("argument", "postprocess", "output0 F32 [1, Q, 4 + K]", `${dtype} ${formatShape(shape)}`);
  }
  const names = Array.from({ length: shape[2] - 4 }, (_, i) => String(i));
  const found = selectDetections(data, names, width, height, { conf });
  const rows = found.flatMap(({ box, score, class: number }) => [...box, score, number]);
  return { dtype: "F32", shape: [found.length, 6], data: Float32Array.from(rows) };
}
