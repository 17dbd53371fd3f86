/**
 * Tensors as the conformance kit handles them: plain arrays on the JavaScript heap, row-major, by name. No backend and no
 * Module is involved, so that a foreign runtime's numbers and ours are the same kind of thing.
 */

/** What elements are: the safetensors names. "F64" is for second oracles, "I64" for indices, "U8" for bytes and pixels. */
export type HostDtype = "F32" | "F64" | "F16" | "I32" | "I64" | "U8" | "BOOL";

/** The array that holds elements of a dtype. "F16" stands as its bits. */
export interface HostArrays {
  F32: Float32Array;
  F64: Float64Array;
  /** Bit patterns. */
  F16: Uint16Array;
  I32: Int32Array;
  I64: BigInt64Array;
  U8: Uint8Array;
  /** 0 or 1. */
  BOOL: Uint8Array;
}

/** A named value's content: row-major, `data.length` is the product of `shape`; a scalar has shape []. */
export type HostTensor = {
  [D in HostDtype]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: HostArrays[D] };
}[HostDtype];

/** Tensors by name, in the order in which they were made. */
export type HostTensors = ReadonlyMap<string, HostTensor>;
