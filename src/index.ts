/** mobiledetr: RT-DETR object detection with MobileNetV4 backbones. This is the detector; see the other entry points. */

export type { Preprocess, Resize } from "./choices.ts";
export { DEFAULT_MODEL } from "./choices.ts";
export type { AbortSignalLike } from "./detector/abort.ts";
export type { DetectAllOptions, FailedPicture } from "./detector/detect-all.ts";
export type { Detection } from "./detector/detections.ts";
export { Detector, loadDetector } from "./detector/detector.ts";
export type {
  EmbedOptions,
  FeatureSheet,
  LayerProfile,
  ProfileOptions,
  VisualizeOptions,
} from "./detector/look.ts";
export { EMBEDDED_MODELS, type ModelChoice } from "./detector/model-files.ts";
export type { BlobLike, ModelSource, UrlLike, WeightsData, WeightsInput } from "./detector/model-source.ts";
export type { DetectOptions, DetectorOptions, Progress, Watching } from "./detector/options.ts";
export type { ImageInput } from "./detector/pictures.ts";
export { type DetectorInfo, Pipeline } from "./detector/pipeline.ts";
export {
  Boxes,
  type CocoResult,
  type Crop,
  type CropOptions,
  type Detections,
  type PixelOptions,
  type PlotOptions,
  Results,
  type ResultsOrigin,
  type Speed,
  type SummaryItem,
} from "./detector/results.ts";
export type { Drawable, PictureInput } from "./detector/sources.ts";
export type { Merge, TiledOptions } from "./detector/tiles.ts";
export { type ErrorCode, MobileDetrError } from "./errors.ts";
export type { ImageData8, RawImage } from "./image/image.ts";
export { VARIANT_NAMES, type VariantName } from "./models/mobilenetv4/variants.ts";
