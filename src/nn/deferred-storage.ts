/** Memory of a parameter whose numbers are still where they come from: read when they are asked for. */
import type { Backend, DType, Storage, TypedArray } from "../backend/backend.ts";
import { newTypedArray } from "../backend/heap.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { fail } from "../errors.ts";

/**
 * On the reference backend, so that a deferred parameter works as any other: whoever takes `data` has it on the heap from
 * then on. `compile` does not; it has the numbers written where they are packed.
 */
export class DeferredStorage implements Storage {
  readonly backend: Backend = referenceBackend;
  readonly dtype: DType;
  readonly length: number;
  readonly address = 0;
  /** Undefined once released. */
  #read: ((out: TypedArray) => void) | undefined;
  #data: TypedArray | undefined;

  /** `read` writes all elements to an array of the type and length. */
  constructor(dtype: DType, length: number, read: (out: TypedArray) => void) {
    this.dtype = dtype;
    this.length = length;
    this.#read = read;
  }

  get data(): TypedArray {
    if (!this.#data) {
      const data = newTypedArray(this.dtype, this.length);
      this.readInto(data);
      this.#data = data;
    }
    return this.#data;
  }

  /** True where somebody took `data`, which is in memory since. */
  get isHeld(): boolean {
    return this.#data !== undefined;
  }

  /** Writes all elements to an array of the type and length, and holds none. Throws after `release`. */
  readInto(out: TypedArray): void {
    if (!this.#read) fail("state", "storage", "memory that is still held", "memory that was released");
    if (this.#data) (out as Float32Array).set(this.#data as Float32Array);
    else this.#read(out);
  }

  get released(): boolean {
    return this.#read === undefined;
  }

  release(): void {
    this.#read = undefined;
    this.#data = undefined;
  }
}
