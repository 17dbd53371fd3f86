/**
 * The whole detector on one page, synchronous: image to tensor to network to detections. It blocks the thread that
 * calls it; `loadDetector` runs it on a thread of its own and is what most callers want.
 */
import type { Backend, Pair } from "../backend/backend.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { type EngineName, engineName, sharesMemory } from "../backend/wasm/environment.ts";
import { createWasmBackend, type WasmBackend } from "../backend/wasm/wasm-backend.ts";
import { type Preprocess, preprocessOf } from "../choices.ts";
import { compile, type Plan } from "../compile/index.ts";
import { mergeRepConv } from "../compile/passes/merge-rep-conv.ts";
import { type ImageData8, partOf } from "../image/image.ts";
import { writeInput } from "../image/network-input.ts";
import { modelInfo, parameterCount } from "../models/rtdetr/info.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import type { DetectorOutput } from "../models/rtdetr/rtdetr-decoder.ts";
import { deferStateDict } from "../nn/deferred.ts";
import type { AnyModule } from "../nn/index.ts";
import { loadStateDict } from "../nn/state-dict.ts";
import type { StateSource } from "../nn/state-source.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { SafetensorsFile } from "../weights/safetensors-file.ts";
import { throwIfAborted } from "./abort.ts";
import { bestOf, classNumbers, type Detection, selectDetections } from "./detections.ts";
import type { EmbedOptions, FeatureSheet, LayerProfile, ProfileOptions, VisualizeOptions } from "./look.ts";
import { classNames, findModel, isNeverRun, openWeights } from "./model-files.ts";
import {
  checkDetectOptions,
  checkDetectorOptions,
  countThreads,
  type DetectOptions,
  type DetectorOptions,
  inputSize,
  type Progress,
} from "./options.ts";
import { type ImageInput, readPicture } from "./pictures.ts";
import { type Detections, Results, type Speed } from "./results.ts";
import { checkedTiling, mergeDetections, type TiledOptions, tilesOf } from "./tiles.ts";

export type { Detections, Speed };

/** What was loaded and how it runs. */
export interface DetectorInfo {
  /** "codes", a backbone's name, or the YAML's file name. */
  readonly model: string;
  /** Where the weights came from. */
  readonly weights: string;
  /** "reference" is plain JavaScript, for comparison. */
  readonly backend: "wasm" | "reference";
  /** What runs it. */
  readonly engine: EngineName;
  /**
   * Whether memory can be shared among threads: always, but for browser pages that are not cross-origin isolated, where one
   * thread computes.
   */
  readonly isolated: boolean;
  /** Threads that compute. */
  readonly threads: number;
  /** Height and width of the network's input, in pixels. */
  readonly imgsz: Pair;
  /** How pictures come to that size. */
  readonly preprocess: Required<Preprocess>;
  /** Class names by number. */
  readonly names: readonly string[];
  /** The score threshold in force. */
  readonly conf: number;
  /** True where a compiled plan runs, false where the network runs layer by layer. */
  readonly compiled: boolean;
  /** True where BatchNorm and RepConv are folded into convolutions. */
  readonly fused: boolean;
  /** True where the kernels run with 256-bit vectors: see `revectorize`. */
  readonly revectorized: boolean;
  /** Numbers in all parameters; buffers do not count. */
  readonly parameters: number;
  /** 2 x multiply-adds at `imgsz`, in 1e9. */
  readonly gflops: number;
}

const DEFAULT_IMGSZ = 640; // pixels
const DEFAULT_CONF = 0.25; // as Ultralytics

/** A loaded network and all that stands around it. Close it to end its threads and free its memory. */
export class Pipeline {
  readonly info: DetectorInfo;
  /** The network; shapes alone where a plan holds its weights. */
  readonly model: RTDETRDetectionModel;
  /** What runs, unless options asked for the network layer by layer. */
  readonly plan?: Plan<DetectorOutput>;
  readonly backend: Backend;
  readonly #options: DetectorOptions;
  readonly #wasm?: WasmBackend;

  /** Reads the model and its weights. Errors as `loadDetector`. */
  constructor(options: DetectorOptions = {}) {
    checkDetectorOptions(options);
    const files = findModel(options);
    const imgsz = inputSize(options.imgsz ?? DEFAULT_IMGSZ);
    const threads = countThreads(options.threads ?? "auto");
    throwIfAborted(options.signal);
    this.#options = options;
    this.model = new RTDETRDetectionModel(files.config);
    this.model.checkInputSize(imgsz);
    const weights = openWeights(files);
    try {
      if (options.backend !== "reference") {
        this.#wasm = createWasmBackend({
          threads,
          revectorize: options.revectorize,
          workerUrl: options.workerUrl,
        });
      }
      this.backend = this.#wasm ?? referenceBackend;
      const { fuse = true } = options;
      const planned = this.#wasm && fuse && options.compile !== false ? this.#wasm : undefined;
      if (planned) {
        // A plan packs the weights: until then each stays in its file, so that none is in memory twice.
        const state = deferStateDict(this.model, weights, { mayMiss: isNeverRun, skip: isNeverRun });
        const how = { shape: [1, 3, ...imgsz], memoryFormat: "channels_last" } as const;
        this.plan = compile(this.model, { ...how, backend: planned, onProgress: options.onProgress });
        state.finish();
        this.model.dispose();
      } else {
        const source = options.onProgress ? told(weights, options.onProgress) : weights;
        loadStateDict(this.model, source, { backend: this.backend, mayMiss: isNeverRun });
      }
      if (fuse) this.model.fuse();
      const names = classNames(files.config, weights.metadata);
      if (options.classes) classNumbers(options.classes, names);
      this.info = {
        model: files.name,
        weights: weights.name,
        backend: options.backend ?? "wasm",
        engine: engineName(),
        isolated: sharesMemory(),
        threads: this.#wasm?.threads ?? 1,
        imgsz,
        preprocess: preprocessOf(files.config.preprocess, options.preprocess),
        names,
        conf: options.conf ?? files.config.conf ?? DEFAULT_CONF,
        compiled: this.plan !== undefined,
        fused: fuse,
        revectorized: this.#wasm?.revectorized ?? false,
        parameters: parameterCount(this.model as unknown as AnyModule),
        gflops: this.plan ? (2 * fusedMultiplyAdds(this.plan)) / 1e9 : modelInfo(this.model, imgsz).gflops,
      };
    } catch (error) {
      void this.close();
      throw error;
    } finally {
      weights.close();
    }
  }

  /** Finds the objects in one picture. `signal` is looked at before; `onProgress` is told after every kernel. */
  detect(image: ImageInput, options: DetectOptions = {}): Results {
    const { pixels, source, speed } = this.#read(image, options);
    const tell = teller(options, this.#steps);
    const detections = this.#detect(pixels, options, speed, (step) => tell(step));
    return this.#results(image, { source, width: pixels.width, height: pixels.height, detections, speed });
  }

  /** {@link detect} tile by tile; see {@link TiledOptions}. */
  detectTiled(image: ImageInput, options: TiledOptions = {}): Results {
    const tiling = checkedTiling(options);
    const { pixels, source, speed } = this.#read(image, options);
    const { width, height } = pixels;
    const { tile = this.info.imgsz, overlap = 0.2, full = true } = tiling;
    const tiles = tilesOf(height, width, tile, overlap);
    if (full && tiles.length > 1) tiles.push([0, 0, width, height]);
    const tell = teller(options, this.#steps * tiles.length);
    const each = { ...options, max_det: Number.POSITIVE_INFINITY, sort: false };
    const found = tiles.flatMap(([x0, y0, x1, y1], i) => {
      const part = partOf(pixels, x0, y0, x1, y1);
      const detections = this.#detect(part, each, speed, (step) => tell(i * this.#steps + step));
      return detections.map((one): Detection => ({ ...one, box: moved(one.box, x0, y0) }));
    });
    const start = performance.now();
    const { max_det = this.#options.max_det, sort = this.#options.sort } = options;
    const detections = bestOf(mergeDetections(found, tiling), max_det, sort);
    speed.postprocess += performance.now() - start;
    return this.#results(image, { source, width, height, detections, speed });
  }

  /** Feature maps of layers as pictures, for `compile: false`; see {@link VisualizeOptions}. */
  async visualize(image: ImageInput, options: VisualizeOptions = {}): Promise<FeatureSheet[]> {
    const { visualize } = await import("./look.ts");
    return visualize(this, readPicture(image, this.#options.maxPixels).pixels, options);
  }

  /** Means over height and width of layers' maps, one behind the other, for `compile: false`; see {@link EmbedOptions}. */
  async embed(image: ImageInput, options: EmbedOptions = {}): Promise<Float32Array> {
    const { embed } = await import("./look.ts");
    return embed(this, readPicture(image, this.#options.maxPixels).pixels, options);
  }

  /** What every layer takes: time, multiply-adds, share; for `console.table`. See {@link ProfileOptions}. */
  async profile(options: ProfileOptions = {}): Promise<LayerProfile[]> {
    const { profile } = await import("./look.ts");
    const { image } = options;
    const read = image === undefined ? undefined : readPicture(image, this.#options.maxPixels).pixels;
    return profile(this, options, read);
  }

  #read(
    image: ImageInput,
    options: DetectOptions,
  ): { pixels: ImageData8; source?: string; speed: Mutable<Speed> } {
    checkDetectOptions(options);
    throwIfAborted(options.signal);
    options.onProgress?.({ phase: "infer", loaded: 0, total: this.#steps }); // before anything is done, so that it can be left
    const start = performance.now();
    const { pixels, source } = readPicture(image, this.#options.maxPixels);
    const encoded = typeof image === "string" || image instanceof Uint8Array;
    const decode = encoded ? performance.now() - start : 0;
    return { pixels, source, speed: { decode, preprocess: 0, inference: 0, postprocess: 0 } };
  }

  /** Adds its times to `speed`. */
  #detect(
    pixels: ImageData8,
    options: DetectOptions,
    speed: Mutable<Speed>,
    onStep: (step: number) => void,
  ): Detection[] {
    const start = performance.now();
    const input = this.preprocess(pixels, this.plan?.input);
    const prepared = performance.now();
    let output: Float32Array;
    try {
      output = this.infer(input, options.onProgress && onStep);
    } finally {
      if (input !== this.plan?.input) input.dispose();
    }
    const inferred = performance.now();
    const detections = this.select(output, pixels, options);
    speed.preprocess += prepared - start;
    speed.inference += inferred - prepared;
    speed.postprocess += performance.now() - inferred;
    return detections;
  }

  #results(image: ImageInput, found: Detections): Results {
    return new Results(found, { names: this.info.names, image, maxPixels: this.#options.maxPixels });
  }

  /** Of a run, for who is told of them. */
  get #steps(): number {
    return this.plan?.steps.length ?? 1;
  }

  /**
   * RGB pixels to the network's input [1, 3, H, W] in [0, 1], channels-last, as `info.preprocess` says; no mean, no
   * deviation. It goes to `into`, if that is given, which is the plan's own input.
   */
  preprocess(pixels: ImageData8, into?: Tensor): Tensor {
    const [height, width] = this.info.imgsz;
    const input = into ?? Tensor.empty(this.backend, [1, 3, height, width], "f32", "channels_last").keep();
    writeInput(pixels, [height, width], input.storage.data as Float32Array, this.info.preprocess);
    return input;
  }

  /** The network's output for one image, [Q, 4 + K] row-major. `onStep` is told after every kernel of a plan, else at the end. */
  infer(input: Tensor, onStep?: (done: number) => void): Float32Array {
    if (this.plan) return this.plan.run(input, onStep).output0.toFloat32Array();
    const result = this.model.call(input);
    const output = result.output0.toFloat32Array();
    for (const tensor of Object.values(result)) tensor.dispose();
    onStep?.(1);
    return output;
  }

  /** Boxes in pixels of the original picture. */
  select(output: Float32Array, pixels: ImageData8, options: DetectOptions = {}): Detection[] {
    const { names, conf, imgsz, preprocess } = this.info;
    const classes = options.classes ?? this.#options.classes;
    return selectDetections(output, names, pixels.width, pixels.height, {
      conf: options.conf ?? conf,
      classes: classes && classNumbers(classes, names),
      max_det: options.max_det ?? this.#options.max_det,
      sort: options.sort ?? this.#options.sort,
      letterboxed: preprocess.letterbox ? imgsz : undefined,
    });
  }

  /** Ends every thread and frees all memory. */
  async close(): Promise<void> {
    if (this.#wasm) await this.#wasm.close();
    else this.model.dispose();
  }
}

/** Multiply-adds of the network that a plan was made of, fused: what its other passes saved is still counted. */
function fusedMultiplyAdds({ multiplyAdds, reports }: Plan<DetectorOutput>): number {
  const saved = reports.filter(({ pass }) => pass !== mergeRepConv.name).map((report) => report.saved);
  return saved.reduce((sum, n) => sum + n, multiplyAdds);
}

type Mutable<T> = { -readonly [field in keyof T]: T[field] };

/** Tells how many of `total` are done; nothing where nobody asked. */
function teller({ onProgress }: DetectOptions, total: number): (loaded: number) => void {
  return (loaded) => onProgress?.({ phase: "infer", loaded, total });
}

function moved([x1, y1, x2, y2]: Detection["box"], x: number, y: number): Detection["box"] {
  return [Math.fround(x1 + x), Math.fround(y1 + y), Math.fround(x2 + x), Math.fround(y2 + y)];
}

/** A source that tells of the bytes that were read from it. */
function told(file: SafetensorsFile, onProgress: (progress: Progress) => void): StateSource {
  const { name, names } = file;
  const total = names.reduce((sum, each) => sum + file.entry(each).byteLength, 0);
  let loaded = 0;
  return {
    name,
    names,
    entry: (each) => file.entry(each),
    readInto: (each, out) => {
      file.readInto(each, out);
      loaded += file.entry(each).byteLength;
      onProgress({ phase: "read", loaded, total });
    },
  };
}
