/**
 * Overlap of boxes as pycocotools takes it (maskApi, bbIou): in double precision, corners by addition, areas by the product of
 * the sides. Equal operations in equal order, so that overlaps at a threshold fall on the same side of it.
 */
import type { BoxXywh } from "./coco-dataset.ts";

/**
 * Area that two boxes share, by that of their union; where `crowd`, by that of the detection alone: it may lie anywhere in it.
 * 0 where they share none.
 */
export function boxIou(detection: BoxXywh, truth: BoxXywh, crowd: boolean): number {
  const [dx, dy, dw, dh] = detection;
  const [gx, gy, gw, gh] = truth;
  const width = Math.min(dw + dx, gw + gx) - Math.max(dx, gx);
  if (width <= 0) return 0;
  const height = Math.min(dh + dy, gh + gy) - Math.max(dy, gy);
  if (height <= 0) return 0;
  const shared = width * height;
  return shared / (crowd ? dw * dh : dw * dh + gw * gh - shared);
}
