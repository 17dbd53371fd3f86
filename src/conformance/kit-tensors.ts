/**
 * Where a case's tensors come from: files of the case, files that cases share, the generator. Bytes are handed in already
 * verified; shapes and dtypes are checked here against the manifest.
 */
import { fail } from "../errors.ts";
import { BELL_STD, bellSums, randomUniform, randomWords } from "../weights/generator.ts";
import { f16ToF32 } from "../weights/half.ts";
import type { SafetensorsFile } from "../weights/safetensors.ts";
import { seededImage } from "../weights/seeded-image.ts";
import { seededTensor } from "../weights/seeded-state.ts";
import { readHostTensor } from "./host-files.ts";
import type { HostDtype, HostTensor } from "./host-tensor.ts";
import type { Source } from "./manifest.ts";

/** What a {@link Source} may refer to; both throw `file` or `format` where they cannot give it. */
export interface SourceFiles {
  /** A file's bytes; `shared` paths are from the kit's folder, others from the case's. */
  bytes(path: string, shared: boolean): Uint8Array;
  /** The same as an open safetensors file. */
  tensors(path: string, shared: boolean): SafetensorsFile;
}

/** What a tensor must turn out to be. */
export interface TensorSpec {
  readonly dtype: HostDtype;
  readonly shape: readonly number[];
}

/**
 * Makes or reads a tensor. `entries` are the names of the state dict's entries as the generator knows them. `where` is for
 * messages. Throws `format` where a file's tensor is not what the manifest says.
 */
export function makeTensor(
  source: Source,
  spec: TensorSpec,
  files: SourceFiles,
  entries: ReadonlySet<string>,
  where: string,
): HostTensor {
  if ("file" in source || "shared" in source) return stored(source, spec, files, where);
  if ("bytes" in source || "sharedBytes" in source) {
    const path = "bytes" in source ? source.bytes : source.sharedBytes;
    const data = files.bytes(path, "sharedBytes" in source);
    checkSpec(where, spec, { dtype: "U8", shape: [data.length] });
    return { dtype: "U8", shape: spec.shape, data };
  }
  const count = elementsOf(spec.shape);
  if (source.generator === "integers") return integers(source, spec, count, where);
  if (spec.dtype !== "F32") fail("format", where, "dtype F32 of generated numbers", spec.dtype);
  const f32 = (data: Float32Array): HostTensor => ({ dtype: "F32", shape: spec.shape, data });
  switch (source.generator) {
    case "uniform": {
      const out = randomUniform(source.seed, source.stream, count);
      const span = source.high - source.low;
      for (let i = 0; i < count; i++) out[i] = out[i] * span + source.low;
      return f32(out);
    }
    case "normal": {
      const sums = bellSums(source.seed, source.stream, count);
      const scale = source.std / BELL_STD;
      return f32(Float32Array.from(sums, (sum) => sum * scale + source.shift));
    }
    case "image": {
      const [n, c, h, w] = spec.shape;
      if (spec.shape.length !== 4 || n !== 1 || c !== 3) {
        fail("format", where, "shape [1, 3, H, W] of a generated picture", `[${spec.shape.join(", ")}]`);
      }
      return f32(seededImage(source.seed, h, w));
    }
    case "state": {
      const { seed, entry, attentionGain: attnGain } = source;
      return f32(seededTensor(entry, spec.shape, { has: (name) => entries.has(name), seed, attnGain }));
    }
  }
}

/** The product of a shape. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

function stored(
  source: Extract<Source, { key: string }>,
  spec: TensorSpec,
  files: SourceFiles,
  where: string,
): HostTensor {
  const shared = "shared" in source;
  const file = files.tensors(shared ? source.shared : source.file, shared);
  const row = shared ? undefined : source.row;
  const from = `${where}, ${JSON.stringify(source.key)} of ${file.name}`;
  if (!file.has(source.key))
    fail("format", where, `a tensor ${JSON.stringify(source.key)} in ${file.name}`, "none");
  const whole = widened(readHostTensor(file, source.key), spec.dtype);
  if (row === undefined) {
    checkSpec(from, spec, whole);
    return whole;
  }
  const [rows, ...rest] = whole.shape;
  if (whole.shape.length === 0 || row >= rows) {
    fail("format", from, `at least ${row + 1} rows`, `shape [${whole.shape.join(", ")}]`);
  }
  checkSpec(from, spec, { dtype: whole.dtype, shape: rest });
  const length = elementsOf(rest);
  return {
    ...whole,
    shape: spec.shape,
    data: whole.data.slice(row * length, (row + 1) * length),
  } as HostTensor;
}

/** F16 as F32 where that is wanted. */
function widened(tensor: HostTensor, dtype: HostDtype): HostTensor {
  if (tensor.dtype !== "F16" || dtype !== "F32") return tensor;
  return { dtype: "F32", shape: tensor.shape, data: f16ToF32(tensor.data) };
}

function checkSpec(where: string, want: TensorSpec, got: TensorSpec): void {
  if (want.dtype === got.dtype && String(want.shape) === String(got.shape)) return;
  const text = ({ dtype, shape }: TensorSpec): string => `${dtype} of shape [${shape.join(", ")}]`;
  fail("format", where, text(want), text(got));
}

function integers(
  source: Extract<Source, { generator: "integers" }>,
  { dtype, shape }: TensorSpec,
  count: number,
  where: string,
): HostTensor {
  const words = randomWords(source.seed, source.stream, count);
  if (dtype === "I64") {
    return { dtype, shape, data: BigInt64Array.from(words, (word) => BigInt(word % source.below)) };
  }
  if (dtype === "I32") return { dtype, shape, data: Int32Array.from(words, (word) => word % source.below) };
  if (dtype === "U8") return { dtype, shape, data: Uint8Array.from(words, (word) => word % source.below) };
  return fail("format", where, "dtype I64, I32 or U8 of generated integers", dtype);
}
