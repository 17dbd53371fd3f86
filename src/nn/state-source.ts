/**
 * Where a state dict comes from: anything that has named tensors and reads one of them into memory. An opened
 * `.safetensors` file (`src/weights`) is one as it stands; {@link stateSourceOf} makes one of tensors.
 */
import type { DType, TypedArray } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Type and shape of a stored tensor. */
export interface StateEntry {
  /** As `.safetensors` spells it: "F32", "F16", "BF16", "F64", "I64", ... */
  readonly dtype: string;
  /** Outermost first; [] is a scalar. */
  readonly shape: readonly number[];
}

/** Named tensors that can be read one by one. */
export interface StateSource {
  /** What messages call it: a file's path. */
  readonly name: string;
  /** In the source's own order. */
  readonly names: Iterable<string>;
  /** Type and shape of a tensor; throws for a name that is not there. */
  entry(name: string): StateEntry;
  /** Writes a tensor's elements, row-major and converted to the type of `out`, into `out` of exactly its size. */
  readInto(name: string, out: TypedArray): void;
}

const STORED_AS: Readonly<Record<DType, string>> = { f32: "F32", i32: "I32", i64: "I64", u8: "U8" };

/** A source of tensors that are in memory, of any backend and strides, such as another module's `stateDict()`. */
export function stateSourceOf(tensors: ReadonlyMap<string, Tensor>, name = "state dict"): StateSource {
  const find = (key: string): Tensor =>
    tensors.get(key) ?? fail("argument", name, "a tensor that it has", JSON.stringify(key));
  return {
    name,
    get names(): Iterable<string> {
      return tensors.keys();
    },
    entry: (key) => ({ dtype: STORED_AS[find(key).dtype], shape: find(key).shape }),
    readInto: (key, out) => {
      const from = find(key).toArray();
      if (out instanceof BigInt64Array) {
        for (let i = 0; i < out.length; i++) out[i] = BigInt(from[i]);
      } else if (from instanceof BigInt64Array) {
        for (let i = 0; i < out.length; i++) out[i] = Number(from[i]);
      } else out.set(from);
    },
  };
}
