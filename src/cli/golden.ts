/** `mobiledetr golden`: what a network's modules give on a picture, as a file to compare other implementations with. */
import { basename } from "node:path";
import type { Backend } from "../backend/backend.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { createWasmBackend } from "../backend/wasm/wasm-backend.ts";
import {
  chooseEntries,
  type GoldenNetwork,
  IMAGES,
  imagesOn,
  listGolden,
  twinOf,
  writeGolden,
} from "../conformance/golden.ts";
import { seededSource } from "../conformance/seeded-source.ts";
import { containerOf, type TraceEntry } from "../conformance/trace-file.ts";
import { findModel, isNeverRun, type ModelFiles, openWeights } from "../detector/model-files.ts";
import { countThreads } from "../detector/options.ts";
import { readPicture } from "../detector/pictures.ts";
import { fail } from "../errors.ts";
import { toFloatChw } from "../image/preprocess.ts";
import { resizeBilinear } from "../image/resize.ts";
import { fuse } from "../models/fuse.ts";
import { MobileNetV4 } from "../models/mobilenetv4/network.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import type { AnyModule } from "../nn/index.ts";
import { loadStateDict } from "../nn/state-dict.ts";
import { formatShape } from "../tensor/shape.ts";
import { withSafetensors } from "../weights/safetensors.ts";
import { seededImage } from "../weights/seeded-image.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { identityOf } from "./file-status.ts";
import {
  BACKEND_NAMES,
  BACKEND_OPTIONS,
  CONFIG_OPTIONS,
  MODEL_OPTION,
  modelChoice,
  WEIGHTS_OPTION,
} from "./model-options.ts";
import { printable } from "./printable.ts";
import { exitOnSignals } from "./signals.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";
import { packageVersion } from "./version.ts";

const DEFAULT_SIZE = [640, 640] as const; // pixels, as `detect`
const SEED = /^seed:(\d{1,10})$/;

/** `mobiledetr golden` */
export const goldenCommand: Command = {
  name: "golden",
  summary: "Write what every module gives on a picture, to compare ports with.",
  description:
    "Runs a network layer by layer and writes the outputs that --tensors chooses to a safetensors or npz file, by the names " +
    `that PyTorch's modules have: "${IMAGES}" (the input), every module's path, and the results ("output0", "index", ... or ` +
    '"stride4" to "stride32"). docs/golden.md describes the file.',
  positional: {
    name: "INPUT",
    help: `A picture, stretched to --imgsz; a safetensors file with "${IMAGES}" [N, 3, H, W]; or seed:N, a generated picture (docs/generator.md). Default: seed:0.`,
    least: 0,
    most: 1,
  },
  options: [
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
    {
      name: "output",
      value: "FILE",
      help: "Required unless --list: a .safetensors or .npz file; replaced if it is there.",
    },
    {
      name: "tensors",
      value: "PATTERN,...",
      help: "Which: names with * (within a part), ** (over parts) and ?, as model.0.layer3.**.",
      default: "all",
    },
    {
      name: "samples",
      value: "N",
      help: "Keep N elements of every larger tensor, at positions that the generator draws.",
      default: "whole tensors",
    },
    { name: "list", help: "Print names, types and shapes of what would be written, and write nothing." },
    { name: "imgsz", value: "N|HxW", help: "Size in pixels of the network's input.", default: "640" },
    ...CONFIG_OPTIONS,
    {
      name: "backbone",
      help: "The model's backbone alone: BatchNorm eps 1e-5 (in a detector: 1e-3), names without model.0.",
    },
    { name: "fuse", help: "Fold batch norms and RepConvs into convolutions first." },
    ...BACKEND_OPTIONS,
  ],
  examples: [
    [
      "mobiledetr golden photo.jpg --output golden.safetensors",
      "Everything the default model computes on a picture.",
    ],
    [
      'mobiledetr golden photo.jpg --tensors "model.0.layer3.**,output0" --samples 1024 --output golden.npz',
      "1024 samples of each tensor of a stage, and the result, for NumPy.",
    ],
    [
      "mobiledetr golden seed:2 --model MobileNetV4HybridMedium --weights seed:0 --attention-gain 1e5 --imgsz 320 --list",
      "What there is of a generated network.",
    ],
  ],
  run: golden,
};

async function golden(args: Arguments, terminal: Terminal): Promise<number> {
  const files = findModel(modelChoice(args));
  const build = (): GoldenNetwork => buildNetwork(args, files);
  const network = build();
  const twin = args.has("fuse") ? fuse(build()) : build();
  const input = readInput(args.words[0] ?? "seed:0", args);
  checkSize(network, input.shape);
  const patterns = args.list("tensors");
  if (args.has("list")) {
    terminal.print(describeEntries(chooseEntries(listGolden(twin, input.shape), patterns)));
    return EXIT_DONE;
  }
  const output = args.need("output");
  containerOf(output);
  const samples = args.count("samples");
  const gain = args.number("attention-gain", 0, Number.POSITIVE_INFINITY);
  const seed = seedOf(args.text("weights"));
  if (gain !== undefined && seed === undefined) {
    fail(
      "argument",
      "--attention-gain",
      "generated weights, --weights seed:N",
      args.text("weights") ?? "the model's own",
    );
  }
  for (const taken of [args.words[0], args.text("model"), args.text("weights")]) {
    const identity = taken === undefined ? undefined : identityOf(taken);
    if (identity !== undefined && identity === identityOf(output)) {
      fail("argument", "--output", "a file of its own", `${output}, which is read`);
    }
  }
  const backendName = args.choice("backend", BACKEND_NAMES) ?? "wasm";
  const threads = countThreads(args.threads("threads") ?? "auto");
  const wasm = backendName === "wasm" ? createWasmBackend({ threads }) : undefined;
  const backend: Backend = wasm ?? referenceBackend;
  try {
    const weights = load(network, files, backend, seed, gain);
    if (args.has("fuse")) fuse(network);
    exitOnSignals(); // from here on a signal must not leave half a file
    const images = imagesOn(backend, input.shape, input.data);
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
    const start = performance.now();
    const report = writeGolden(output, network, twin, images, { patterns, samples, metadata });
    const ms = performance.now() - start;
    terminal.print(
      `${printable(output)}: ${report.entries.length} tensors, ${report.byteLength} bytes, ${ms.toFixed(0)} ms`,
    );
    return EXIT_DONE;
  } finally {
    await wasm?.close();
  }
}

function buildNetwork(args: Arguments, { config }: ModelFiles): GoldenNetwork {
  const detector = new RTDETRDetectionModel(config);
  return args.has("backbone") ? (twinOf(detector.backbone) as GoldenNetwork) : detector;
}

/** The network's input, row-major. */
interface Input {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

function readInput(word: string, args: Arguments): Input {
  const [height, width] = args.size("imgsz") ?? DEFAULT_SIZE;
  const shape = [1, 3, height, width];
  const seed = seedOf(word);
  if (seed !== undefined) return { name: word, shape, data: seededImage(seed, height, width) };
  if (/\.safetensors$/i.test(word)) return readImages(word);
  const data = new Float32Array(3 * height * width);
  toFloatChw(resizeBilinear(readPicture(word).pixels, height, width), data);
  return { name: basename(word), shape, data };
}

function readImages(path: string): Input {
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

function describeEntries(entries: readonly TraceEntry[]): string {
  const rows = entries.map(({ name, dtype, shape }) => [name, dtype, formatShape(shape)]);
  const count = entries.reduce(
    (sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1),
    0,
  );
  return [...textTable(rows, ["left", "left", "left"]), `${entries.length} tensors, ${count} elements`].join(
    "\n",
  );
}
