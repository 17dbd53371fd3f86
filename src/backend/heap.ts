/** Storage on the JavaScript heap: what the reference backend allocates, and where results go that outlive a scope. */
import { fail } from "../errors.ts";
import type { Backend, DType, Storage, TypedArray } from "./backend.ts";

/** A zero-filled typed array of an element type. */
export function newTypedArray(dtype: DType, length: number): TypedArray {
  switch (dtype) {
    case "f32":
      return new Float32Array(length);
    case "i32":
      return new Int32Array(length);
    case "i64":
      return new BigInt64Array(length);
    case "u8":
      return new Uint8Array(length);
  }
}

/** The element type of a typed array, or undefined where tensors have none for it. */
export function dtypeOf(data: unknown): DType | undefined {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Int32Array) return "i32";
  if (data instanceof BigInt64Array) return "i64";
  if (data instanceof Uint8Array) return "u8";
  return undefined;
}

/** Wraps a typed array; the garbage collector frees it. */
export class HeapStorage implements Storage {
  readonly backend: Backend;
  readonly dtype: DType;
  readonly length: number;
  readonly address = 0;
  #data: TypedArray | undefined;

  constructor(backend: Backend, data: TypedArray) {
    const dtype = dtypeOf(data);
    if (!dtype)
      fail("argument", "HeapStorage", "a Float32Array, Int32Array, BigInt64Array or Uint8Array", typeof data);
    this.backend = backend;
    this.dtype = dtype;
    this.length = data.length;
    this.#data = data;
  }

  get data(): TypedArray {
    if (!this.#data) fail("state", "storage", "memory that is still held", "memory that was released");
    return this.#data;
  }

  get released(): boolean {
    return this.#data === undefined;
  }

  release(): void {
    this.#data = undefined;
  }
}
