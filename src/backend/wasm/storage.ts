/** Tensor memory in the shared WebAssembly memory. */
import { fail } from "../../errors.ts";
import type { Backend, DType, Storage, TypedArray } from "../backend.ts";
import { BYTES_PER_ELEMENT } from "../backend.ts";
import { track } from "../scope.ts";
import type { Arena } from "./arena.ts";

// A storage that the collector finds unreleased gives its memory back. Holds the address alone, never the storage.
const collected = new FinalizationRegistry<{ arena: Arena; address: number }>(({ arena, address }) => {
  arena.free(address);
});

/** A block of the arena; enters the innermost scope, which releases it. */
export class WasmStorage implements Storage {
  readonly backend: Backend;
  readonly dtype: DType;
  readonly length: number;
  readonly address: number;
  readonly #memory: WebAssembly.Memory;
  readonly #arena: Arena;
  #data: TypedArray | undefined;
  #released = false;

  constructor(backend: Backend, memory: WebAssembly.Memory, arena: Arena, dtype: DType, length: number) {
    if (!Number.isSafeInteger(length) || length < 0) {
      fail("argument", "allocate", "a whole number of elements >= 0", String(length));
    }
    this.backend = backend;
    this.dtype = dtype;
    this.length = length;
    this.#memory = memory;
    this.#arena = arena;
    this.address = arena.allocate(length * BYTES_PER_ELEMENT[dtype]);
    collected.register(this, { arena, address: this.address }, this);
    track(this);
  }

  get data(): TypedArray {
    if (this.#released) fail("state", "storage", "memory that is still held", "memory that was released");
    // Made late, when the memory has its length, and again when an unshared memory has grown, which empties views on it.
    if (this.#data?.length !== this.length) {
      this.#data = viewOf(this.#memory.buffer, this.dtype, this.address, this.length);
    }
    return this.#data;
  }

  get released(): boolean {
    return this.#released;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#data = undefined;
    collected.unregister(this);
    this.#arena.free(this.address);
  }
}

/** A storage's numbers where they stay: a copy of those that lie in memory which moves when it grows. */
export function lastingData(storage: Storage): TypedArray {
  const { data } = storage;
  return storage instanceof WasmStorage && data.buffer instanceof ArrayBuffer ? data.slice() : data;
}

/** A typed array on WebAssembly memory. */
export function viewOf(buffer: ArrayBufferLike, dtype: DType, address: number, length: number): TypedArray {
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer as ArrayBuffer, address, length);
    case "i32":
      return new Int32Array(buffer as ArrayBuffer, address, length);
    case "i64":
      return new BigInt64Array(buffer as ArrayBuffer, address, length);
    case "u8":
      return new Uint8Array(buffer as ArrayBuffer, address, length);
  }
}
