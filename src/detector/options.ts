/** Options of the detector: what there is, and the one place where they are checked. */
import type { Pair } from "../backend/backend.ts";
import { availableThreads } from "../backend/wasm/available-threads.ts";
import { type Preprocess, RESIZES } from "../choices.ts";
import { fail, isCount, need, show } from "../errors.ts";
import type { AbortSignalLike } from "./abort.ts";
import type { ModelChoice } from "./model-files.ts";
import { isWeightsInput } from "./sources.ts";

/** How far something is. */
export interface Progress {
  /**
   * Loading: "read" the weights' bytes (fetched, from a Blob, or layer by layer), "compile" rewrites of the network, "pack" its
   * operations with their weights. Detecting: "infer" the kernels of the network, over all tiles; without a plan 0 or 1 of 1.
   */
  readonly phase: "read" | "compile" | "pack" | "infer";
  /** Done of `total`. */
  readonly loaded: number;
  /** Undefined where a server does not tell. */
  readonly total: number | undefined;
}

/** What can be given to everything that takes its time. */
export interface Watching {
  /** Ends the wait at once, with its reason. */
  readonly signal?: AbortSignalLike;
  /** Is told how far it is, now and then. What it throws is what the call rejects with. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Options of `loadDetector`. */
export interface DetectorOptions extends ModelChoice, Watching {
  /** Side of the square that pictures are brought to, or [height, width]; rounded up to multiples of 32. 640. */
  readonly imgsz?: number | Pair;
  /** How pictures are brought there; the model's own way unless said, else stretched by OpenCV's rules. */
  readonly preprocess?: Preprocess;
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
  /** false runs the network layer by layer instead of as a compiled plan: slower, and can be looked into. true. */
  readonly compile?: boolean;
  /**
   * false keeps every BatchNorm and RepConv as in training: slower still, every module comparable with PyTorch's. It
   * implies `compile: false`. true.
   */
  readonly fuse?: boolean;
  /** "reference" computes in plain TypeScript: slow, and the oracle. "wasm". */
  readonly backend?: "wasm" | "reference";
  /**
   * true compiles the kernels to 256-bit vectors by an experiment of V8's: faster, the same bits, in Node 24 on x64 alone.
   * Refused where the engine cannot; tried in a child process first. false.
   */
  readonly revectorize?: boolean;
  /**
   * Address of the package's `dist/browser/worker.js`, served by you with the folder `chunks` beside it: for pages whose Content-Security-Policy forbids `blob:`
   * workers. Browsers alone look at it.
   */
  readonly workerUrl?: string;
  /** Largest picture that is decoded, in pixels; 2^27 (134 megapixels). */
  readonly maxPixels?: number;
}

/** Options of one `detect` call; they take the place of the loaded ones. */
export interface DetectOptions
  extends Pick<DetectorOptions, "conf" | "classes" | "max_det" | "sort">,
    Watching {
  /**
   * true gives the picture's bytes or pixels away instead of copying them: the caller's buffer is empty from then on; frames and
   * bitmaps are closed when they were read. false.
   */
  readonly transfer?: boolean;
}

const SIZE_STEP = 32; // pixels: the coarsest stride
const MAX_THREADS = 64; // more than any machine that runs this gains from

/** Checks everything that can be told without the model; errors of code "argument" name the option. */
export function checkDetectorOptions(options: DetectorOptions): void {
  checkDetectOptions(options);
  const {
    model,
    weights,
    nc,
    scale,
    imgsz,
    preprocess,
    threads,
    compile,
    fuse,
    backend,
    revectorize,
    maxPixels,
    workerUrl,
  } = options;
  const text = (v: unknown): boolean => typeof v === "string" && v !== "";
  need(
    "model",
    model,
    (v) => text(v) || isModelSource(v),
    "a name, a YAML file's path, or an object { name, yaml, weights }",
  );
  need("weights", weights, isWeightsInput, "a path, a Uint8Array, ArrayBuffer or Blob, or a URL object");
  need("nc", nc, isCount, "a whole number >= 1");
  need("scale", scale, text, "a name");
  need("compile", compile, isFlag, "true or false");
  need("fuse", fuse, isFlag, "true or false");
  need("backend", backend, (v) => v === "wasm" || v === "reference", '"wasm" or "reference"');
  need("revectorize", revectorize, isFlag, "true or false");
  need("workerUrl", workerUrl, (v) => isWholeUrl(v), "a whole URL as a string");
  need("maxPixels", maxPixels, isCount, "a whole number >= 1");
  if (compile && (fuse === false || backend === "reference")) {
    fail(
      "argument",
      "compile",
      'no true beside fuse: false or backend: "reference"',
      "true",
      "a plan is fused, and WASM",
    );
  }
  if (revectorize && backend === "reference") {
    fail(
      "argument",
      "revectorize",
      'no true beside backend: "reference"',
      "true",
      "it compiles WASM kernels",
    );
  }
  if (imgsz !== undefined) inputSize(imgsz);
  if (threads !== undefined) countThreads(threads);
  if (preprocess !== undefined) checkPreprocess(preprocess);
}

function checkPreprocess(preprocess: unknown): void {
  if (typeof preprocess !== "object" || preprocess === null || Array.isArray(preprocess)) {
    fail("argument", "preprocess", "an object { resize, letterbox }", show(preprocess));
  }
  const { resize, letterbox, ...others } = preprocess as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) fail("argument", "preprocess", "resize and letterbox alone", other);
  need(
    "preprocess.resize",
    resize,
    (v) => RESIZES.some((name) => name === v),
    `one of ${RESIZES.join(", ")}`,
  );
  need("preprocess.letterbox", letterbox, isFlag, "true or false");
}

/** {@link checkDetectorOptions} for the options of one call. */
export function checkDetectOptions(options: DetectOptions): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    fail("argument", "options", "an object", show(options));
  }
  const { conf, classes, max_det, sort, transfer, signal, onProgress } = options;
  need("conf", conf, (v) => typeof v === "number" && v >= 0 && v < 1, "a number in [0, 1)");
  need("classes", classes, Array.isArray, "a list of class numbers or names");
  need("max_det", max_det, isCount, "a whole number >= 1");
  need("sort", sort, isFlag, "true or false");
  need("transfer", transfer, isFlag, "true or false");
  need("signal", signal, isSignal, "an AbortSignal");
  need("onProgress", onProgress, (v) => typeof v === "function", "a function");
}

/** Height and width of the network's input: rounded up to multiples of 32. */
export function inputSize(imgsz: number | Pair): Pair {
  const sides: readonly unknown[] = Array.isArray(imgsz) ? imgsz : [imgsz, imgsz];
  if (sides.length !== 2 || !sides.every(isCount)) {
    fail("argument", "imgsz", "a whole number of pixels >= 1, or [height, width]", show(imgsz));
  }
  const [height, width] = (sides as readonly number[]).map((n) => Math.ceil(n / SIZE_STEP) * SIZE_STEP);
  return [height, width];
}

/** The number of threads that an option stands for: "auto" is as many as this process may use. */
export function countThreads(threads: number | "auto"): number {
  if (threads === "auto") return Math.min(availableThreads(), MAX_THREADS);
  if (!isCount(threads) || threads > MAX_THREADS) {
    fail("argument", "threads", `"auto" or a whole number in [1, ${MAX_THREADS}]`, show(threads));
  }
  return threads;
}

function isSignal(value: AbortSignalLike): boolean {
  return typeof value?.aborted === "boolean" && typeof value.addEventListener === "function";
}

function isWholeUrl(value: unknown): boolean {
  try {
    return typeof value === "string" && new URL(value).href !== "";
  } catch {
    return false;
  }
}

function isModelSource(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { name, yaml, weights } = value as Record<string, unknown>;
  return (
    typeof name === "string" && typeof yaml === "string" && (weights === undefined || isWeightsInput(weights))
  );
}

function isFlag(value: unknown): boolean {
  return typeof value === "boolean";
}
