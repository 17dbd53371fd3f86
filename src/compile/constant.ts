/**
 * Numbers that are known when a plan is made. Most of them are not in memory: a constant says how its numbers are made (read
 * from a file, read and multiplied by a pass), and lowering has them written where they are packed, one weight at a time.
 * What is asked for again is made again.
 */
import type { DType, TypedArray } from "../backend/backend.ts";
import { newTypedArray } from "../backend/heap.ts";

/** The elements of a constant value, row-major. */
export class Constant {
  readonly dtype: DType;
  readonly length: number;
  readonly #write: ((out: TypedArray) => void) | undefined;
  #held: TypedArray | undefined;

  private constructor(dtype: DType, length: number, held?: TypedArray, write?: (out: TypedArray) => void) {
    this.dtype = dtype;
    this.length = length;
    this.#held = held;
    this.#write = write;
  }

  /** Numbers that are there. They may lie in the memory of a model: nobody writes to them afterwards. */
  static of(dtype: DType, data: TypedArray): Constant {
    return new Constant(dtype, data.length, data);
  }

  /** Numbers that `write` puts, all of them, into an array of the type and length; always the same ones. */
  static made(dtype: DType, length: number, write: (out: TypedArray) => void): Constant {
    return new Constant(dtype, length, undefined, write);
  }

  /** The numbers where they are in memory, or nothing. */
  get held(): TypedArray | undefined {
    return this.#held;
  }

  /** The numbers in memory, where they stay from then on: for small ones that are needed again and again. */
  get data(): TypedArray {
    if (!this.#held) {
      this.#held = newTypedArray(this.dtype, this.length);
      this.#write?.(this.#held);
    }
    return this.#held;
  }

  /** Writes all numbers to an array of the type and length, which may lie in shared memory. */
  writeTo(out: TypedArray): void {
    if (this.#held) (out as Float32Array).set(this.#held as Float32Array);
    else this.#write?.(out);
  }
}
