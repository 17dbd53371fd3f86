/** mobiledetr: RT-DETR object detection with MobileNetV4 backbones. This is the detector; see the other entry points. */
export { DEFAULT_MODEL } from "./detector/default-model.ts";
export type { Detection } from "./detector/detections.ts";
export { Detector, loadDetector } from "./detector/detector.ts";
export { EMBEDDED_MODELS, type ModelChoice } from "./detector/model-files.ts";
export type { BlobLike, ModelSource, UrlLike, WeightsData, WeightsInput } from "./detector/model-source.ts";
export type { DetectOptions, DetectorOptions } from "./detector/options.ts";
export type { ImageInput } from "./detector/pictures.ts";
export { type Detections, type DetectorInfo, Pipeline, type Speed } from "./detector/pipeline.ts";
export type { Drawable, PictureInput } from "./detector/sources.ts";
export { type ErrorCode, MobileDetrError } from "./errors.ts";
export type { ImageData8, RawImage } from "./image/image.ts";
export { VARIANT_NAMES, type VariantName } from "./models/mobilenetv4/variants.ts";
export type { Preprocess, Resize } from "./preprocess.ts";
