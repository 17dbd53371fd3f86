/**
 * A network that runs layer by layer, and its input, as the options of `golden`, `trace`, `step` and `layers` name them. A compiled
 * plan has no modules left to look into.
 */
import { basename } from "node:path";
import type { Backend } from "../backend/backend.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { createWasmBackend } from "../backend/wasm/wasm-backend.ts";
import type { Preprocess } from "../choices.ts";
import { type GoldenNetwork, IMAGES, imagesOn, twinOf } from "../conformance/golden.ts";
import { seededSource } from "../conformance/seeded-source.ts";
import { findModel, isNeverRun, type ModelFiles, openWeights } from "../detector/model-files.ts";
import { countThreads } from "../detector/options.ts";
import { readPicture } from "../detector/pictures.ts";
import { fail } from "../errors.ts";
import type { ImageData8 } from "../image/image.ts";
import { writeInput } from "../image/network-input.ts";
import { fuse } from "../models/fuse.ts";
import { MobileNetV4 } from "../models/mobilenetv4/network.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import type { AnyModule } from "../nn/index.ts";
import { loadStateDict } from "../nn/state-dict.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type SafetensorsTensor, withSafetensors, writeSafetensors } from "../weights/safetensors.ts";
import { seededImage } from "../weights/seeded-image.ts";
import type { Arguments } from "./arguments.ts";
import type { OptionSpec } from "./command.ts";
import {
  BACKEND_NAMES,
  BACKEND_OPTIONS,
  CONFIG_OPTIONS,
  MODEL_OPTION,
  modelChoice,
  WEIGHTS_OPTION,
} from "./model-options.ts";
import { packageVersion } from "./version.ts";

const DEFAULT_SIZE = [640, 640] as const; // pixels, as `detect`
const MAX_SIDE_PX = 8192; // as detectors take at most
const SEED = /^seed:(\d{1,10})$/;

/** What the input may be, for help texts. */
export const INPUT_HELP = `A picture, brought to --imgsz as the model wants it; a safetensors file with "${IMAGES}" [N, 3, H, W]; or seed:N, a generated picture (docs/generator.md).`;

/** Which network. */
export const NETWORK_OPTIONS: readonly OptionSpec[] = [
  { name: "imgsz", value: "N|HxW", help: "Size in pixels of the network's input.", default: "640" },
  ...CONFIG_OPTIONS,
  {
    name: "backbone",
    help: "The model's backbone alone: BatchNorm eps 1e-5 (in a detector: 1e-3), names without model.0.",
  },
  { name: "fuse", help: "Fold batch norms and RepConvs into convolutions first." },
];

/** Which weights, and how they run. */
export const RUN_OPTIONS: readonly OptionSpec[] = [
  MODEL_OPTION,
  {
    ...WEIGHTS_OPTION,
    value: "FILE|seed:N",
    help: "Weights: a safetensors file, or generated ones (docs/generator.md).",
    default: "the model's own, if any",
  },
  {
    name: "attention-gain",
    value: "X",
    help: "Factor on generated weights of the Hybrids' attention, which a constant 1e-5 hides otherwise; 1e5 shows it.",
    default: "1",
  },
  ...NETWORK_OPTIONS,
  ...BACKEND_OPTIONS,
];

/** A network and its input, before anything is loaded. */
export interface NamedNetwork {
  readonly files: ModelFiles;
  readonly network: GoldenNetwork;
  /** Makes the same without weights, fused if that is asked for. */
  readonly twin: () => GoldenNetwork;
  readonly input: NetworkInput;
}

/** A network's input, row-major. */
export interface NetworkInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** The picture as it was decoded, where it was one that the network sees as a whole. */
  readonly picture?: ImageData8;
}

/** Ready to run. */
export interface LoadedNetwork {
  readonly backend: Backend;
  readonly images: Tensor;
  /** How it was made, for files. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Ends the backend's threads. */
  close(): Promise<void>;
}

/** What the options and a word name; reads the input, and checks that the network can take it. */
export function nameNetwork(args: Arguments, word: string): NamedNetwork {
  const files = findModel(modelChoice(args));
  const network = buildNetwork(args, files);
  const twin = (): GoldenNetwork => {
    const built = buildNetwork(args, files);
    return args.has("fuse") ? fuse(built) : built;
  };
  const input = readInput(word, args, files.config.preprocess);
  checkSize(network, input.shape);
  return { files, network, twin, input };
}

/** Checks the options about weights and how to run, without reading anything. */
export function checkRunOptions(args: Arguments): void {
  const gain = args.number("attention-gain", 0, Number.POSITIVE_INFINITY);
  if (gain !== undefined && seedOf(args.text("weights")) === undefined) {
    fail(
      "argument",
      "--attention-gain",
      "generated weights, --weights seed:N",
      args.text("weights") ?? "the model's own",
    );
  }
}

/** Loads weights, fuses if asked to, and brings the input to the backend. */
export async function loadNetwork(args: Arguments, named: NamedNetwork): Promise<LoadedNetwork> {
  checkRunOptions(args);
  const { files, network, input } = named;
  const backendName = args.choice("backend", BACKEND_NAMES) ?? "wasm";
  const threads = countThreads(args.threads("threads") ?? "auto");
  const wasm = backendName === "wasm" ? createWasmBackend({ threads }) : undefined;
  const backend: Backend = wasm ?? referenceBackend;
  const close = async (): Promise<void> => void (await wasm?.close());
  try {
    const gain = args.number("attention-gain", 0, Number.POSITIVE_INFINITY);
    const weights = load(network, files, backend, seedOf(args.text("weights")), gain);
    if (args.has("fuse")) fuse(network);
    const metadata = {
      model: files.name,
      network: network instanceof MobileNetV4 ? "backbone" : "detector",
      weights,
      input: input.name,
      backend: backendName,
      threads: String(wasm?.threads ?? 1),
      fused: String(args.has("fuse")),
      mobiledetr: packageVersion(),
    };
    return { backend, images: imagesOn(backend, input.shape, input.data), metadata, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The network that the options name, without weights. */
export function buildNetwork(args: Arguments, { config }: ModelFiles): GoldenNetwork {
  const detector = new RTDETRDetectionModel(config);
  return args.has("backbone") ? (twinOf(detector.backbone) as GoldenNetwork) : detector;
}

/** Generated weights, where the options ask for some, as a safetensors file's bytes; undefined where they do not. */
export function seededWeights(args: Arguments, { config }: ModelFiles): Uint8Array | undefined {
  const seed = seedOf(args.text("weights"));
  if (seed === undefined) return undefined;
  const attentionGain = args.number("attention-gain", 0, Number.POSITIVE_INFINITY);
  const source = seededSource(new RTDETRDetectionModel(config) as unknown as AnyModule, {
    seed,
    attentionGain,
  });
  function* tensors(): Generator<readonly [string, SafetensorsTensor]> {
    for (const name of source.names) {
      const { dtype, shape } = source.entry(name);
      const size = shape.reduce((product, side) => product * side, 1);
      const data = dtype === "I64" ? new BigInt64Array(size) : new Float32Array(size);
      source.readInto(name, data);
      yield [name, { dtype, shape, data } as SafetensorsTensor];
    }
  }
  return writeSafetensors(tensors());
}

function readInput(word: string, args: Arguments, preprocess: Preprocess | undefined): NetworkInput {
  const [height, width] = args.size("imgsz") ?? DEFAULT_SIZE;
  if (Math.max(height, width) > MAX_SIDE_PX) {
    fail("size", "--imgsz", `sides of at most ${MAX_SIDE_PX} pixels`, `${height}x${width}`);
  }
  const shape = [1, 3, height, width];
  const seed = seedOf(word);
  if (seed !== undefined) return { name: word, shape, data: seededImage(seed, height, width) };
  if (/\.safetensors$/i.test(word)) return readImages(word);
  const data = new Float32Array(3 * height * width);
  const picture = readPicture(word).pixels;
  const pixels = new Float32Array(data.length); // channels-last
  writeInput(picture, [height, width], pixels, preprocess);
  const plane = height * width;
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) data[c * plane + i] = pixels[3 * i + c];
  // What is drawn upon has the input's proportions.
  return { name: basename(word), shape, data, picture: preprocess?.letterbox ? undefined : picture };
}

function readImages(path: string): NetworkInput {
  return withSafetensors(path, (file) => {
    if (!file.has(IMAGES))
      fail("format", path, `a tensor "${IMAGES}"`, file.names.slice(0, 5).join(", ") || "none at all");
    const { dtype, shape } = file.entry(IMAGES);
    if (
      !["F64", "F32", "F16", "BF16"].includes(dtype) ||
      shape.length !== 4 ||
      shape[1] !== 3 ||
      shape.includes(0)
    ) {
      const want = "floating-point numbers of shape [N, 3, H, W], RGB in [0, 1]";
      fail("format", `${path}, tensor "${IMAGES}"`, want, `${dtype} of shape ${formatShape(shape)}`);
    }
    const data = new Float32Array(shape.reduce((product, side) => product * side, 1));
    file.readInto(IMAGES, data);
    return { name: basename(path), shape, data };
  });
}

/** The number of "seed:N"; undefined for anything else. */
function seedOf(text: string | undefined): number | undefined {
  const digits = text === undefined ? undefined : SEED.exec(text)?.[1];
  if (digits === undefined) return undefined;
  const seed = Number(digits);
  return seed <= 0xffffffff ? seed : fail("argument", "seed", "a whole number in 0 .. 4294967295", digits);
}

function checkSize(network: GoldenNetwork, shape: readonly number[]): void {
  if (network instanceof RTDETRDetectionModel) network.checkInputSize([shape[2], shape[3]]);
}

/** Loads the weights; returns what to call them. */
function load(
  network: GoldenNetwork,
  files: ModelFiles,
  backend: Backend,
  seed: number | undefined,
  attentionGain: number | undefined,
): string {
  const module = network as unknown as AnyModule;
  if (seed !== undefined) {
    const prefix = network instanceof MobileNetV4 ? "model.0." : "";
    loadStateDict(module, seededSource(module, { seed, attentionGain, prefix }), { backend });
    return attentionGain === undefined ? `seed:${seed}` : `seed:${seed}, attention gain ${attentionGain}`;
  }
  const weights = openWeights(files);
  try {
    loadStateDict(module, weights, { backend, mayMiss: isNeverRun });
    return basename(weights.name);
  } finally {
    weights.close();
  }
}
