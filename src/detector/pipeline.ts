/**
 * The whole detector on one page, synchronous: image to tensor to network to detections. It blocks the thread that
 * calls it; `loadDetector` runs it on a thread of its own and is what most callers want.
 */
import { readFileSync } from "node:fs";
import type { Backend, Pair } from "../backend/backend.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { availableThreads } from "../backend/wasm/available-threads.ts";
import { createWasmBackend, type WasmBackend } from "../backend/wasm/wasm-backend.ts";
import { fail, messageOf } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import { checkImage, type ImageData8, type RawImage, toRgb } from "../image/image.ts";
import { toFloatHwc } from "../image/preprocess.ts";
import { resizeBilinear } from "../image/resize.ts";
import { modelInfo } from "../models/rtdetr/info.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import { loadStateDict } from "../nn/state-dict.ts";
import { Tensor } from "../tensor/tensor.ts";
import { classNumbers, type Detection, selectDetections } from "./detections.ts";
import { classNames, findModel, isNeverRun, type ModelChoice, openWeights } from "./model-files.ts";

/** A picture: a file's path, a file's bytes (JPEG or PNG), or pixels. */
export type ImageInput = string | Uint8Array | RawImage;

/** Options of `loadDetector`. */
export interface DetectorOptions extends ModelChoice {
  /** Side of the square that pictures are stretched to, or [height, width]; rounded up to multiples of 32. 640. */
  readonly imgsz?: number | Pair;
  /** Threads that compute, or "auto" for as many as this process may use. "auto". */
  readonly threads?: number | "auto";
  /** Scores must be greater than this; the model's own threshold unless said, else 0.25. */
  readonly conf?: number;
  /** Class numbers or names wanted; all unless said. */
  readonly classes?: readonly (number | string)[];
  /** At most so many detections per picture, the best by score; all unless said. */
  readonly max_det?: number;
  /** Best score first, instead of query order. */
  readonly sort?: boolean;
  /** false keeps every BatchNorm and RepConv as in training: slower, layer by layer comparable. true. */
  readonly fuse?: boolean;
  /** "reference" computes in plain TypeScript: slow, and the oracle. "wasm". */
  readonly backend?: "wasm" | "reference";
  /** Largest picture that is decoded, in pixels. */
  readonly maxPixels?: number;
}

/** Options of one `detect` call; they take the place of the loaded ones. */
export type DetectOptions = Pick<DetectorOptions, "conf" | "classes" | "max_det" | "sort">;

/** Milliseconds per step of one picture. */
export interface Speed {
  /** From bytes to pixels; 0 for raw pixels. */
  readonly decode: number;
  /** From pixels to the input tensor. */
  readonly preprocess: number;
  readonly inference: number;
  readonly postprocess: number;
}

/** What `detect` returns. */
export interface Detections {
  /** The picture's path, where it was given by path. */
  readonly source?: string;
  /** Of the picture, after its EXIF orientation, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly detections: readonly Detection[];
  readonly speed: Speed;
}

/** What was loaded and how it runs. */
export interface DetectorInfo {
  /** "codes", a backbone's name, or the YAML's file name. */
  readonly model: string;
  /** Where the weights came from. */
  readonly weights: string;
  readonly backend: "wasm" | "reference";
  /** Threads that compute. */
  readonly threads: number;
  /** Height and width of the network's input, in pixels. */
  readonly imgsz: Pair;
  /** Class names by number. */
  readonly names: readonly string[];
  /** The score threshold in force. */
  readonly conf: number;
  readonly fused: boolean;
  readonly parameters: number;
  /** 2 x multiply-adds at `imgsz`, in 1e9. */
  readonly gflops: number;
}

const DEFAULT_IMGSZ = 640; // pixels
const DEFAULT_CONF = 0.25; // as Ultralytics
const SIZE_STEP = 32; // pixels: the coarsest stride

/** A loaded network and all that stands around it. Close it to end its threads and free its memory. */
export class Pipeline {
  readonly info: DetectorInfo;
  readonly model: RTDETRDetectionModel;
  readonly backend: Backend;
  readonly #options: DetectorOptions;
  readonly #wasm?: WasmBackend;

  /** Reads the model and its weights. Errors as `loadDetector`. */
  constructor(options: DetectorOptions = {}) {
    checkOptions(options);
    const files = findModel(options);
    using weights = openWeights(files);
    const imgsz = inputSize(options.imgsz ?? DEFAULT_IMGSZ);
    const threads = countThreads(options.threads ?? "auto");
    this.#options = options;
    this.model = new RTDETRDetectionModel(files.config);
    this.model.checkInputSize(imgsz);
    if (options.backend === "reference") this.backend = referenceBackend;
    else {
      this.#wasm = createWasmBackend({ threads });
      this.backend = this.#wasm;
    }
    const { fuse = true } = options;
    try {
      loadStateDict(this.model, weights, { backend: this.backend, mayMiss: isNeverRun });
      if (fuse) this.model.fuse();
      const names = classNames(files.config, weights.metadata);
      if (options.classes) classNumbers(options.classes, names);
      const { parameters, gflops } = modelInfo(this.model, imgsz);
      this.info = {
        model: files.name,
        weights: weights.name,
        backend: options.backend ?? "wasm",
        threads: this.#wasm?.threads ?? 1,
        imgsz,
        names,
        conf: options.conf ?? files.config.conf ?? DEFAULT_CONF,
        fused: fuse,
        parameters,
        gflops,
      };
    } catch (error) {
      void this.close();
      throw error;
    }
  }

  /** Finds the objects in one picture. */
  detect(image: ImageInput, options: DetectOptions = {}): Detections {
    checkOptions(options);
    const start = performance.now();
    const { pixels, source } = readImage(image, this.#options.maxPixels);
    const decoded = performance.now();
    const input = this.preprocess(pixels);
    const prepared = performance.now();
    let output: Float32Array;
    try {
      output = this.infer(input);
    } finally {
      input.dispose();
    }
    const inferred = performance.now();
    const detections = this.select(output, pixels, options);
    const speed = {
      decode: typeof image === "string" || image instanceof Uint8Array ? decoded - start : 0,
      preprocess: prepared - decoded,
      inference: inferred - prepared,
      postprocess: performance.now() - inferred,
    };
    return { source, width: pixels.width, height: pixels.height, detections, speed };
  }

  /** RGB pixels to the network's input [1, 3, H, W] in [0, 1]: stretched, not letterboxed; no mean, no deviation. */
  preprocess(pixels: ImageData8): Tensor {
    const [height, width] = this.info.imgsz;
    const sized = resizeBilinear(pixels, height, width);
    const input = Tensor.empty(this.backend, [1, 3, height, width], "f32", "channels_last").keep();
    toFloatHwc(sized, input.storage.data as Float32Array);
    return input;
  }

  /** The network's output for one image, [Q, 4 + K] row-major. */
  infer(input: Tensor): Float32Array {
    const result = this.model.call(input);
    const output = result.output0.toFloat32Array();
    for (const tensor of Object.values(result)) tensor.dispose();
    return output;
  }

  /** Boxes in pixels of the original picture. */
  select(output: Float32Array, pixels: ImageData8, options: DetectOptions = {}): Detection[] {
    const { conf, classes, max_det, sort } = { ...this.#options, conf: this.info.conf, ...options };
    return selectDetections(output, this.info.names, pixels.width, pixels.height, {
      conf,
      classes: classes && classNumbers(classes, this.info.names),
      max_det,
      sort,
    });
  }

  /** Ends every thread and frees all memory. */
  async close(): Promise<void> {
    if (this.#wasm) await this.#wasm.close();
    else this.model.dispose();
  }
}

/** Path, bytes or pixels to RGB pixels. */
export function readImage(image: ImageInput, maxPixels?: number): { pixels: ImageData8; source?: string } {
  if (typeof image === "string")
    return { pixels: decodeImage(readBytes(image), { source: image, maxPixels }), source: image };
  if (image instanceof Uint8Array) return { pixels: decodeImage(image, { maxPixels }) };
  return { pixels: toRgb(checkImage(image)) };
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    return fail("file", path, "a readable picture", messageOf(error));
  }
}

function inputSize(imgsz: number | Pair): Pair {
  const [height, width] = typeof imgsz === "number" ? [imgsz, imgsz] : imgsz;
  const up = (n: number): number => {
    if (!Number.isInteger(n) || n < 1) fail("argument", "imgsz", "a whole number of pixels >= 1", String(n));
    return Math.ceil(n / SIZE_STEP) * SIZE_STEP;
  };
  return [up(height), up(width)];
}

const MAX_THREADS = 64; // more than any machine that runs this gains from

function countThreads(threads: number | "auto"): number {
  if (threads === "auto") return Math.min(availableThreads(), MAX_THREADS);
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    fail("argument", "threads", `"auto" or a whole number in [1, ${MAX_THREADS}]`, String(threads));
  }
  return threads;
}

function checkOptions({ conf, max_det }: DetectOptions): void {
  if (conf !== undefined && !(conf >= 0 && conf < 1))
    fail("argument", "conf", "a number in [0, 1)", String(conf));
  if (max_det !== undefined && !(Number.isInteger(max_det) && max_det >= 1)) {
    fail("argument", "max_det", "a whole number >= 1", String(max_det));
  }
}
