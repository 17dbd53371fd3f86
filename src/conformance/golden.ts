/**
 * Goldens on demand: every module's output of a network, written as it is made. What may be written, with shapes, is known
 * from a run on shapes alone; then the network runs once, layer by layer, and each chosen tensor goes to its place in the
 * file. `mobiledetr golden` is the command on top. Traces of compiled plans do not exist: their modules are fused away.
 */
import type { Backend } from "../backend/backend.ts";
import { metaBackend } from "../backend/meta.ts";
import { fail } from "../errors.ts";
import { globExpression } from "../glob.ts";
import { traceModules } from "../inspect/trace.ts";
import { FEATURE_STRIDES, MobileNetV4 } from "../models/mobilenetv4/network.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import type { AnyModule } from "../nn/index.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { HostTensor } from "./host-tensor.ts";
import { type TraceEntry, TraceWriter } from "./trace-file.ts";

/** A network that goldens can be made of. */
export type GoldenNetwork = RTDETRDetectionModel | MobileNetV4;

/** The input's own name in a trace. */
export const IMAGES = "images";

/** How a golden is made. */
export interface GoldenOptions {
  /** Glob patterns on names, any of which fits ("model.0.layer3.**"); everything where absent. */
  readonly patterns?: readonly string[];
  /** Keep so many elements of every larger tensor. Default: whole tensors. */
  readonly samples?: number;
  /** Also what modules name within forward, as "PATH.name" (docs/step-through.md). Default: outputs alone. */
  readonly values?: boolean;
  /** For the file's header. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What was written. */
export interface GoldenReport {
  readonly entries: readonly TraceEntry[];
  readonly byteLength: number;
}

/**
 * Everything that a network (loaded or not, fused or not) gives for images of `shape` [N, 3, H, W], in the order in which it
 * is made: the input "images", the outputs of modules by path, then the network's results by name ("output0", "index",
 * "enc_bboxes", "enc_scores"; "stride4" to "stride32"). Computes nothing. `twin` builds the same network without weights.
 */
export function listGolden(
  twin: GoldenNetwork,
  shape: readonly number[],
  { values = false }: Pick<GoldenOptions, "values"> = {},
): TraceEntry[] {
  const entries = new Map<string, TraceEntry>();
  const images = Tensor.empty(metaBackend, shape);
  entries.set(IMAGES, entryOf(IMAGES, images));
  const see = (name: string, tensor: Tensor): void => void entries.set(name, entryOf(name, tensor));
  runTraced(twin, images, see, values);
  return [...entries.values()];
}

/** Those that fit one of the patterns. Throws `argument` for a pattern that fits none, naming the nearest. */
export function chooseEntries(
  entries: readonly TraceEntry[],
  patterns: readonly string[] = ["**"],
): TraceEntry[] {
  const expressions = patterns.map((pattern) => globExpression(pattern, "."));
  patterns.forEach((pattern, i) => {
    if (entries.some(({ name }) => expressions[i].test(name))) return;
    const some = nearest(entries, pattern).map(({ name }) => name);
    fail("argument", "tensors", "patterns that fit names", pattern, `there are ${some.join(", ")}, ...`);
  });
  return entries.filter(({ name }) => expressions.some((expression) => expression.test(name)));
}

/** Three names that share most of their first parts with a pattern. */
function nearest(entries: readonly TraceEntry[], pattern: string): readonly TraceEntry[] {
  let stem = pattern.split(/[*?]/)[0];
  while (stem !== "") {
    const near = entries.filter(({ name }) => name.startsWith(stem));
    if (near.length > 0) return near.slice(0, 3);
    stem = stem.slice(0, -1);
  }
  return entries.slice(0, 3);
}

/**
 * Runs `network`, loaded on `backend`, on `images` and writes the chosen tensors to `path` (.safetensors or .npz): complete, or
 * not at all. `twin` is the same network without weights, fused alike. One tensor is in memory at a time, beside the run's own.
 */
export function writeGolden(
  path: string,
  network: GoldenNetwork,
  twin: GoldenNetwork,
  images: Tensor,
  options: GoldenOptions = {},
): GoldenReport {
  const entries = chooseEntries(listGolden(twin, images.shape, options), options.patterns);
  const names = new Set(entries.map(({ name }) => name));
  const writer = new TraceWriter(path, entries, options);
  try {
    let last: { tensor: Tensor; copy: HostTensor } | undefined; // a container's output is its last child's
    const see = (name: string, tensor: Tensor): void => {
      if (!names.has(name)) return;
      if (last?.tensor !== tensor) last = { tensor, copy: hostTensorOf(tensor) };
      writer.write(name, last.copy);
    };
    see(IMAGES, images);
    runTraced(network, images, see, options.values ?? false);
    writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
  return { entries, byteLength: writer.byteLength };
}

/** The same network, with shapes and no weights. */
export function twinOf(network: GoldenNetwork): GoldenNetwork {
  return network instanceof MobileNetV4
    ? new MobileNetV4(network.variant)
    : new RTDETRDetectionModel(network.config);
}

/** Images of `shape` row-major on a backend. */
export function imagesOn(backend: Backend, shape: readonly number[], data: Float32Array): Tensor {
  const images = Tensor.empty(backend, shape).keep();
  images.storage.data.set(data as Float32Array & BigInt64Array);
  return images;
}

function runTraced(
  network: GoldenNetwork,
  images: Tensor,
  see: (name: string, tensor: Tensor) => void,
  values: boolean,
): void {
  const results = new Map<string, Tensor>();
  const run = (): void => {
    if (network instanceof MobileNetV4) {
      network.call(images).forEach((map, i) => void results.set(`stride${FEATURE_STRIDES[i]}`, map));
    } else {
      for (const [name, tensor] of Object.entries(network.call(images))) results.set(name, tensor as Tensor);
    }
  };
  traceModules(network as unknown as AnyModule, run, see, { values });
  for (const [name, tensor] of results) see(name, tensor);
  for (const tensor of results.values()) tensor.dispose();
}

function entryOf(name: string, { dtype, shape }: Tensor): TraceEntry {
  return { name, dtype: dtype === "f32" ? "F32" : "I64", shape };
}

/** A copy on the JavaScript heap, row-major; indices are I64, as in PyTorch. */
function hostTensorOf(tensor: Tensor): HostTensor {
  if (tensor.dtype === "f32") return { dtype: "F32", shape: tensor.shape, data: tensor.toFloat32Array() };
  const data = BigInt64Array.from(tensor.toArray() as Int32Array, (n) => BigInt(n));
  return { dtype: "I64", shape: tensor.shape, data };
}
