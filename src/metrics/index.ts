/** Average precision and recall of detections, as COCO defines them and pycocotools computes them, bit for bit. */

export {
  type BoxXywh,
  type CocoAnnotation,
  type CocoCategory,
  type CocoDataset,
  type CocoImage,
  type CocoReadOptions,
  type CocoResult,
  readCocoDataset,
  readCocoResults,
} from "./coco-dataset.ts";
export {
  type BoxEvaluation,
  type EvaluateOptions,
  evaluateBoxes,
  MAX_DETS,
  RECALLS,
} from "./coco-evaluation.ts";
export type { ClassFigures, CocoSummary } from "./coco-summary.ts";
export { AREAS, IOU_THRESHOLDS } from "./match-boxes.ts";
