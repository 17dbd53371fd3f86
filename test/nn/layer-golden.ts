/** Reads test/golden/layers (written by test/golden/make/layers.py) and builds the layers that it lists. */
import { readFileSync } from "node:fs";
import type { DType, TypedArray } from "../../src/backend/backend.ts";
import * as nn from "../../src/nn/index.ts";
import { tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { SmallNet } from "./small-net.ts";

/** A layer as Python wrote it down: class and arguments, which may hold layers. */
export interface LayerSpec {
  readonly class: string;
  readonly args: readonly unknown[];
}

interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly offset: number;
}

/** One case; tensors are on the reference backend, row-major. */
export interface LayerCase {
  readonly title: string;
  readonly spec: LayerSpec;
  readonly repr: string;
  /** In PyTorch's order. */
  readonly state: ReadonlyMap<string, Tensor>;
  readonly inputs: readonly Tensor[];
  /** undefined where PyTorch gives None. Empty where the layer is not called. */
  readonly outputs: readonly (Tensor | undefined)[];
  /** Further options of the call: numbers, booleans and tensors. */
  readonly options: Readonly<Record<string, unknown>>;
}

interface StoredCase {
  readonly module: LayerSpec;
  readonly note: string;
  readonly repr: string;
  readonly state: readonly (StoredTensor & { readonly name: string })[];
  readonly inputs?: readonly StoredTensor[];
  readonly outputs?: readonly (StoredTensor | null)[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly tensors?: Readonly<Record<string, StoredTensor>>;
}

const FOLDER = new URL("../golden/layers/", import.meta.url);
const BYTES = readFileSync(new URL("layers.bin", FOLDER));
const STORED = JSON.parse(readFileSync(new URL("layers.json", FOLDER), "utf8")) as { cases: StoredCase[] };

/** All cases. */
export const LAYER_CASES: readonly LayerCase[] = STORED.cases.map((stored, i) => ({
  title: `${i} ${describe(stored)}`,
  spec: stored.module,
  repr: stored.repr,
  state: new Map(stored.state.map((s) => [s.name, read(s)])),
  inputs: (stored.inputs ?? []).map(read),
  outputs: (stored.outputs ?? []).map((s) => (s ? read(s) : undefined)),
  options: {
    ...stored.options,
    ...Object.fromEntries(Object.entries(stored.tensors ?? {}).map(([name, s]) => [name, read(s)])),
  },
}));

function describe({ module, note, options, tensors }: StoredCase): string {
  const args =
    module.class === "Sequential" || module.class === "ModuleList" ? "..." : module.args.map(short);
  const call = { ...options, ...Object.fromEntries(Object.keys(tensors ?? {}).map((k) => [k, "given"])) };
  const calling = Object.keys(call).length > 0 ? ` called with ${short(call)}` : "";
  return `${module.class}(${args})${calling}${note && `: ${note}`}`;
}

function short(value: unknown): string {
  return JSON.stringify(value).replaceAll('"', "");
}

function read({ dtype, shape, offset }: StoredTensor): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const slice = (bytes: number): ArrayBuffer =>
    new Uint8Array(BYTES.subarray(offset, offset + count * bytes)).buffer;
  const arrays: Record<DType, () => TypedArray> = {
    f32: () => new Float32Array(slice(4)),
    i32: () => new Int32Array(slice(4)),
    i64: () => new BigInt64Array(slice(8)),
    u8: () => new Uint8Array(slice(1)),
  };
  return tensor(arrays[dtype](), shape);
}

type AnyLayer = new (...args: unknown[]) => nn.AnyModule;
const CLASSES = { ...nn, SmallNet } as unknown as Record<string, AnyLayer>;

/** Builds a layer from its class and arguments. */
export function build(spec: LayerSpec): nn.AnyModule {
  return new CLASSES[spec.class](...spec.args.map(buildArgument));
}

function buildArgument(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(buildArgument);
  if (typeof value !== "object" || value === null) return value;
  if ("class" in value && "args" in value) return build(value as LayerSpec);
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, buildArgument(v)]));
}
