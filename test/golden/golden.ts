/**
 * The whole-model goldens of `test/golden/models`, which `test/golden/make/models.py` writes, and the weights that belong to
 * them. It reads files and knows no Tensor and no Module: what runs a model, and how, is the tests' own business.
 * `compare-trace.ts` compares traces with a golden, `src/conformance/match-rows.ts` detections.
 */
import { fileURLToPath } from "node:url";
import { fail } from "../../src/errors.ts";
import { randomWords } from "../../src/weights/generator.ts";
import type { SafetensorsFile } from "../../src/weights/safetensors.ts";
import { openSafetensors } from "../../src/weights/safetensors.ts";
import { seededTensor } from "../../src/weights/seeded-state.ts";

/** Detectors have BatchNorm eps 1e-3 throughout and 80 classes; stand-alone backbones have eps 1e-5. */
export type ModelKind = "detector" | "backbone";

/** A module's output: where it is in the network, its shape, and the golden's row that holds its samples. */
export interface GoldenModule {
  readonly path: string;
  readonly shape: readonly number[];
  /** Modules that hand the same tensor on (a container and its last child) share a row. */
  readonly row: number;
}

/** An output that a golden keeps: complete, or values at {@link samplePositions} of its name. */
export interface GoldenOutput {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  readonly sampled: boolean;
}

/** One run of PyTorch. */
export interface ModelGolden {
  /** Name of the case, for messages: "MobileNetV4ConvSmall.detector.320x320". */
  readonly name: string;
  /** In the order in which they run. A module that runs several times has its last run's output. */
  readonly modules: readonly GoldenModule[];
  /** For each row the path that names its sample positions: the module that made the tensor. */
  readonly samplePaths: readonly string[];
  /** Values at {@link samplePositions}, [rows, samplesPerRow]. */
  readonly samples: Float32Array;
  readonly samplesPerRow: number;
  /** Over the whole tensor: min, max, mean, mean |x|, standard deviation (population); [rows, 5]. */
  readonly stats: Float64Array;
  /** PyTorch's own rounding: max |f32 - f64| over the whole tensor, in standard deviations; [rows]. */
  readonly noise: Float32Array;
  readonly outputs: ReadonlyMap<string, GoldenOutput>;
  /** Detector: tokens that were chosen, best first. Empty for a backbone. */
  readonly index: Int32Array;
  /** All else that is known of the run: torch, margin, smallestGap, scoreNoise, rowNoiseMedian, rowNoiseMax, ... */
  readonly metadata: ReadonlyMap<string, string>;
}

/** One case: which model, on which picture. */
export interface ModelCase {
  /** A variant, or the name of a YAML file in test/golden/models without ".yaml". */
  readonly model: string;
  readonly kind: ModelKind;
  readonly height: number;
  readonly width: number;
}

/** The five networks of the paper. */
export const VARIANTS = ["ConvSmall", "ConvMedium", "ConvLarge", "HybridMedium", "HybridLarge"].map(
  (name) => `MobileNetV4${name}`,
);

/** Every case there is a golden for. */
export const MODEL_CASES: readonly ModelCase[] = [
  ...VARIANTS.flatMap((model) =>
    (["detector", "backbone"] as const).flatMap((kind) =>
      [320, 640].map((side): ModelCase => ({ model, kind, height: side, width: side })),
    ),
  ),
  { model: "MobileNetV4ConvSmall", kind: "detector", height: 256, width: 416 },
  { model: "narrow", kind: "detector", height: 320, width: 320 },
];

/** Path of a file of test/golden. */
export function goldenPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** Where a golden looks into a tensor of `numel` elements, row-major; drawn with replacement, the same as in Python. */
export function samplePositions(path: string, numel: number, count: number): Uint32Array {
  return randomWords(0, `sample:${path}`, count).map((word) => word % numel);
}

/** Reads a case's golden. */
export function loadModelGolden(of: ModelCase): ModelGolden {
  const name = `${of.model}.${of.kind}.${of.height}x${of.width}`;
  return readGolden(goldenPath(`models/${name}.safetensors`), name);
}

/** Reads a golden file: any that `tracing.py`'s summary went into. */
export function readGolden(path: string, name: string): ModelGolden {
  using file = openSafetensors(path);
  const listed = JSON.parse(metadataOf(file, "modules")) as [string, number[], number][];
  const modules = listed.map(([modulePath, shape, row]): GoldenModule => ({ path: modulePath, shape, row }));
  const samplePaths: string[] = [];
  for (const { path: modulePath, row } of modules) samplePaths[row] ??= modulePath;
  const samples = file.read("samples") as Float32Array;
  const shapes = JSON.parse(metadataOf(file, "outputs")) as Record<string, number[]>;
  const outputs = new Map<string, GoldenOutput>();
  for (const [output, shape] of Object.entries(shapes)) {
    if (output === "index") continue;
    const data = file.read(output) as Float32Array;
    const numel = shape.reduce((product, side) => product * side, 1);
    outputs.set(output, { shape, data, sampled: data.length !== numel });
  }
  return {
    name,
    modules,
    samplePaths,
    samples,
    samplesPerRow: samples.length / samplePaths.length,
    stats: file.read("stats") as Float64Array,
    noise: file.has("noise") ? (file.read("noise") as Float32Array) : new Float32Array(samplePaths.length),
    outputs,
    index: file.has("index") ? (file.read("index") as Int32Array) : new Int32Array(0),
    metadata: file.metadata,
  };
}

/** A golden's number of that name in its metadata. */
export function factOf(golden: ModelGolden, fact: string): number {
  const text = golden.metadata.get(fact);
  if (text === undefined) fail("argument", golden.name, `metadata "${fact}"`, "none");
  return Number(text);
}

/** Gives the tensors of a state dict by name; `num_batches_tracked` as one whole number. */
export type WeightSource = (name: string, shape: readonly number[]) => Float32Array;

/**
 * The weights of a case's model, one tensor at a time: seeded, but for the calibrated BatchNorm statistics. Names are the
 * model's own (a stand-alone backbone's without "model.0."); `has` tells whether the model has an entry of that name.
 */
export function goldenWeights(of: ModelCase, has: (name: string) => boolean): WeightSource {
  const prefix = of.kind === "backbone" ? "model.0." : "";
  using file = openSafetensors(goldenPath(`models/${of.model}.${of.kind}.bn.safetensors`));
  const statistics = new Map(file.names.map((name) => [name, file.read(name) as Float32Array]));
  const options = {
    has: (name: string): boolean => name.startsWith(prefix) && has(name.slice(prefix.length)),
    seed: Number(metadataOf(file, "seed")),
    attnGain: Number(metadataOf(file, "attnGain")),
  };
  return (name, shape) => statistics.get(name)?.slice() ?? seededTensor(prefix + name, shape, options);
}

function metadataOf(file: SafetensorsFile, key: string): string {
  return file.metadata.get(key) ?? fail("format", file.name, `metadata "${key}"`, "none");
}
