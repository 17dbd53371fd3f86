/**
 * `mobiledetr run`: raw tensors in, raw tensors out, nothing of pictures. For comparison with other runtimes: the files are
 * those that a PyTorch script writes and reads, and the network is not fused unless asked.
 */
import { accessSync, constants } from "node:fs";
import { basename, dirname } from "node:path";
import type { Backend } from "../backend/backend.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { createWasmBackend, type WasmBackend } from "../backend/wasm/wasm-backend.ts";
import { findModel, isNeverRun, type ModelFiles, openWeights } from "../detector/model-files.ts";
import { countThreads } from "../detector/options.ts";
import { fail } from "../errors.ts";
import { recordTrace, type TracedTensor } from "../inspect/trace.ts";
import { fuse } from "../models/fuse.ts";
import { FEATURE_STRIDES, MobileNetV4 } from "../models/mobilenetv4/network.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import type { AnyModule } from "../nn/index.ts";
import { loadStateDict } from "../nn/state-dict.ts";
import { formatShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import {
  type SafetensorsFile,
  type SafetensorsTensor,
  saveSafetensors,
  withSafetensors,
} from "../weights/safetensors.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { EXIT_DONE, EXIT_FAILED } from "./exit-codes.ts";
import { absolutePath, identityOf, statusOf } from "./file-status.ts";
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

const IMAGES = "images";
const INDEX = "index";
const FLOATS: readonly string[] = ["F64", "F32", "F16", "BF16"];

/** `mobiledetr run` */
export const runCommand: Command = {
  name: "run",
  summary: "Run a network on raw tensors, for comparison with other runtimes.",
  description:
    `Reads "${IMAGES}" [N, 3, H, W] (RGB in [0, 1], floating-point) from a safetensors file and writes what the network ` +
    `makes of it to another: "output0", "${INDEX}", "enc_bboxes" and "enc_scores" for a detector, "stride4" to "stride32" ` +
    "for a backbone. Weights must fit exactly, but for parameters that inference never reads.",
  options: [
    { ...MODEL_OPTION, help: `Required: ${MODEL_OPTION.help}` },
    WEIGHTS_OPTION,
    { name: "input", value: "FILE", help: `Required: the safetensors file with "${IMAGES}".` },
    {
      name: "output",
      value: "FILE",
      help: "Required: the safetensors file to write; replaced if it is there.",
    },
    ...CONFIG_OPTIONS,
    {
      name: "backbone",
      help: "Run the model's backbone alone, as a network of its own: BatchNorm eps 1e-5 (in a detector: 1e-3), names without model.0.",
    },
    { name: "trace", help: "Write every module's output as well, by its path." },
    { name: "fuse", help: "Fold batch norms and RepConvs into convolutions first." },
    {
      name: "use-index",
      help: `Use the input file's "${INDEX}" [N, queries] (I64 or I32) as the detector's queries instead of the best tokens.`,
    },
    ...BACKEND_OPTIONS,
  ],
  examples: [
    [
      "mobiledetr run --model MobileNetV4ConvSmall --weights w.safetensors --input in.safetensors --output out.safetensors --trace",
      "A detector with 80 classes, with every module's output.",
    ],
    [
      "mobiledetr run --model MobileNetV4HybridLarge --backbone --weights b.safetensors --input in.safetensors --output out.safetensors",
      "A backbone alone.",
    ],
  ],
  run,
};

/** The network, ready to be loaded. */
type Network =
  | { readonly kind: "detector"; readonly model: RTDETRDetectionModel }
  | { readonly kind: "backbone"; readonly model: MobileNetV4 };

async function run(args: Arguments, terminal: Terminal): Promise<number> {
  args.need("model");
  const [input, output] = [args.need("input"), args.need("output")];
  const files = findModel(modelChoice(args));
  const threads = args.threads("threads") ?? "auto";
  const backendName = args.choice("backend", BACKEND_NAMES) ?? "wasm";
  const network = buildNetwork(args, files);
  if (args.has("use-index") && network.kind === "backbone") {
    fail("argument", "--use-index", "a detector", "a backbone, which has no queries");
  }
  checkOutput(output, [input, args.text("model"), args.text("weights")]);
  const weights = openWeights(files);
  const wasm = backendName === "wasm" ? startWasm(threads) : undefined;
  const backend = wasm ?? referenceBackend;
  try {
    loadStateDict(network.model as unknown as AnyModule, weights, { backend, mayMiss: isNeverRun });
    if (args.has("fuse")) fuse(network.model);
    const start = performance.now();
    const tensors = runNetwork(network, input, args, backend);
    const ms = performance.now() - start;
    exitOnSignals(); // only now: before, nothing is half done and signals may end the process at once
    saveSafetensors(output, tensors, {
      model: files.name,
      network: network.kind,
      weights: basename(weights.name),
      backend: backendName,
      threads: String(wasm?.threads ?? 1),
      fused: String(args.has("fuse")),
      mobiledetr: packageVersion(),
    });
    terminal.print(describeRun(output, tensors, ms));
    return EXIT_DONE;
  } catch (error) {
    terminal.report(error, input); // options are checked by now: whatever fails is the input's fault
    return EXIT_FAILED;
  } finally {
    weights.close();
    await wasm?.close();
  }
}

function buildNetwork(args: Arguments, { config }: ModelFiles): Network {
  const detector = new RTDETRDetectionModel(config);
  if (!args.has("backbone")) return { kind: "detector", model: detector };
  return { kind: "backbone", model: new MobileNetV4(detector.backbone.variant) };
}

function startWasm(threads: number | "auto"): WasmBackend {
  return createWasmBackend({ threads: countThreads(threads) });
}

/** Refuses an output that would overwrite an input, or that cannot be written, before anything is computed. */
function checkOutput(output: string, inputs: readonly (string | undefined)[]): void {
  const target = statusOf(output);
  const taken = inputs.map((path) => path && identityOf(path));
  if (target && taken.includes(identityOf(output))) {
    fail("argument", "--output", "a file of its own", `${output}, which is read`);
  }
  if (target && !target.isFile()) {
    fail(
      "file",
      output,
      "a file that can be written",
      target.isDirectory() ? "a directory" : "a device or pipe",
    );
  }
  const folder = dirname(absolutePath(output));
  if (!statusOf(folder)?.isDirectory()) {
    fail("file", output, "a file in a folder that exists", `no folder ${folder}`);
  }
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch {
    fail("file", output, "a file that can be written", `no permission to write in ${folder}`);
  }
}

/** Everything that will stand in the output file, on the JavaScript heap. */
function runNetwork(
  network: Network,
  inputPath: string,
  args: Arguments,
  backend: Backend,
): Map<string, SafetensorsTensor> {
  const { images, index } = withSafetensors(inputPath, (input) => ({
    images: readImages(input, backend),
    index: args.has("use-index") ? readIndex(input, backend) : undefined,
  }));
  const call = (): Map<string, SafetensorsTensor> => outputsOf(network, images, index);
  if (!args.has("trace")) return call();
  const { result, trace } = recordTrace(network.model as unknown as AnyModule, call);
  for (const [path, traced] of trace) result.set(path, f32(traced));
  return result;
}

function outputsOf(
  network: Network,
  images: Tensor,
  index: Tensor | undefined,
): Map<string, SafetensorsTensor> {
  const out = new Map<string, SafetensorsTensor>();
  const add = (name: string, x: Tensor): void => {
    out.set(name, x.dtype === "f32" ? f32({ shape: x.shape, data: x.toFloat32Array() }) : i64(x));
  };
  if (network.kind === "backbone") {
    network.model.call(images).forEach((map, i) => void add(`stride${FEATURE_STRIDES[i]}`, map));
  } else {
    for (const [name, x] of Object.entries(network.model.call(images, { index }))) add(name, x as Tensor);
  }
  return out;
}

function f32({ shape, data }: TracedTensor): SafetensorsTensor {
  return { dtype: "F32", shape, data };
}

/** Indices are I64 in PyTorch. */
function i64(x: Tensor): SafetensorsTensor {
  return {
    dtype: "I64",
    shape: x.shape,
    data: BigInt64Array.from(x.toArray() as Int32Array, (n) => BigInt(n)),
  };
}

function readImages(input: SafetensorsFile, backend: Backend): Tensor {
  const { dtype, shape } = needTensor(input, IMAGES);
  if (!FLOATS.includes(dtype) || shape.length !== 4 || shape[1] !== 3 || shape.includes(0)) {
    const want = "floating-point numbers of shape [N, 3, H, W], RGB in [0, 1]";
    fail("format", `${input.name}, tensor "${IMAGES}"`, want, `${dtype} of shape ${formatShape(shape)}`);
  }
  const images = Tensor.empty(backend, shape).keep();
  input.readInto(IMAGES, images.storage.data);
  return images;
}

function readIndex(input: SafetensorsFile, backend: Backend): Tensor {
  const { dtype, shape } = needTensor(input, INDEX);
  if (!["I64", "I32"].includes(dtype) || shape.length !== 2) {
    const want = "I64 or I32 of shape [N, queries]";
    fail("format", `${input.name}, tensor "${INDEX}"`, want, `${dtype} of shape ${formatShape(shape)}`);
  }
  const index = Tensor.empty(backend, shape, "i32").keep();
  input.readInto(INDEX, index.storage.data);
  return index;
}

function needTensor(input: SafetensorsFile, name: string): { dtype: string; shape: readonly number[] } {
  if (input.has(name)) return input.entry(name);
  const names = input.names.slice(0, 5).map((n) => JSON.stringify(n));
  const more = input.names.length > 5 ? ", ..." : "";
  return fail(
    "format",
    input.name,
    `a tensor "${name}"`,
    names.length === 0 ? "none at all" : names.join(", ") + more,
  );
}

const LISTED = 8; // the outputs themselves; traces have hundreds

function describeRun(output: string, tensors: ReadonlyMap<string, SafetensorsTensor>, ms: number): string {
  const rows = [...tensors]
    .slice(0, LISTED)
    .map(([name, { dtype, shape }]) => [name, dtype, formatShape(shape)]);
  const lines = textTable(rows, ["left", "left", "left"]).map((line) => `  ${line}`);
  const rest = tensors.size - rows.length;
  if (rest > 0) lines.push(`  and ${rest} more`);
  return [`${printable(output)}: ${tensors.size} tensors, ${ms.toFixed(0)} ms`, ...lines].join("\n");
}
