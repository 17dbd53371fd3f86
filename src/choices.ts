/**
 * What can be chosen, by name, before anything is loaded: the model, and how a picture becomes a network's input (what that does
 * is in image/network-input.ts).
 */

/** The model that is used when none is named: its weights ship in the package. */
export const DEFAULT_MODEL = "codes";

/** Configurations that ship with the package. */
export type EmbeddedYaml = "codes" | "rtdetr-mobilenetv4";

/** Every resize by its name. */
export const RESIZES = [
  "opencv-linear",
  "pillow-bilinear",
  "pillow-bicubic",
  "torchvision-bilinear",
  "torchvision-bicubic",
  "torchvision-bilinear-no-antialias",
  "torchvision-bicubic-no-antialias",
  "torchvision-float-bilinear",
  "torchvision-float-bicubic",
  "torchvision-float-bilinear-no-antialias",
] as const;

/**
 * By whose rules a picture is resized, bit for bit: OpenCV's INTER_LINEAR; Pillow's; torchvision's on an 8-bit tensor or,
 * "float", on single-precision numbers in 0..1.
 */
export type Resize = (typeof RESIZES)[number];

/** From a picture to a network's input. */
export interface Preprocess {
  /** "opencv-linear". */
  readonly resize?: Resize;
  /**
   * true keeps the picture's proportions, centred on grey (114), and clips boxes to the picture, as Ultralytics does; false
   * stretches it. false.
   */
  readonly letterbox?: boolean;
}

/** The caller's choices, else the model's, else the defaults. */
export function preprocessOf(model: Preprocess = {}, wanted: Preprocess = {}): Required<Preprocess> {
  return {
    resize: wanted.resize ?? model.resize ?? "opencv-linear",
    letterbox: wanted.letterbox ?? model.letterbox ?? false,
  };
}
