/** `mobiledetr/image`: pictures in and out. */
export { type Preprocess, RESIZES, type Resize } from "../choices.ts";
export { classColour } from "./colours.ts";
export { type DecodeOptions, decodeImage } from "./decode.ts";
export { type Decoder, registerDecoder } from "./decoders.ts";
export { type DrawnDetection, type DrawOptions, drawDetections } from "./draw.ts";
export { type EncodeOptions, encodeImage } from "./encode.ts";
export { formatFromPath } from "./format-from-path.ts";
export { type Channels, checkImage, type ImageData8, type RawImage, toRgb } from "./image.ts";
export { DEFAULT_MAX_PIXELS } from "./limits.ts";
export { writeInput } from "./network-input.ts";
export { toFloatChw, toFloatHwc } from "./preprocess.ts";
export { type Resized, resample } from "./resample.ts";
export { resizeBilinear } from "./resize.ts";
export type { ForeignFormat, ImageFormat } from "./sniff.ts";
