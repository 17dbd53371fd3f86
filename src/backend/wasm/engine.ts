/** What the operators work with: the pool, scratch memory, and tensors as plain addresses. f32 alone. */
import { fail } from "../../errors.ts";
import type { Backend, Strided } from "../backend.ts";
import { referenceBackend } from "../reference/reference.ts";
import type { Arena } from "./arena.ts";
import type { KernelArguments, KernelName } from "./instantiate.ts";
import type { Pool } from "./pool.ts";

/** A strided f32 window by address: element [i0, ...] is at `address + 4 * (i0*strides[0] + ...)`. */
export interface View {
  /** Byte address of element 0. */
  readonly address: number;
  readonly shape: readonly number[];
  /** In elements. */
  readonly strides: readonly number[];
}

/** Gives scratch memory, by bytes, that lives until the operator returns. */
export type Take = (bytes: number) => number;

/** The pool and the memory of one backend. */
export class Engine {
  readonly memory: WebAssembly.Memory;
  readonly arena: Arena;
  readonly pool: Pool;
  readonly #owner: Backend;

  constructor(owner: Backend, memory: WebAssembly.Memory, arena: Arena, pool: Pool) {
    this.#owner = owner;
    this.memory = memory;
    this.arena = arena;
    this.pool = pool;
  }

  /** Runs a kernel over [0, units) on the pool; `nsPerUnit` is an estimate that decides how it is cut. */
  run<K extends KernelName>(name: K, args: KernelArguments<K>, units: number, nsPerUnit: number): void {
    this.pool.run(name, args, units, nsPerUnit);
  }

  /** Runs an operator with scratch memory, which is freed whatever happens. */
  scratch(body: (take: Take) => void): void {
    const taken: number[] = [];
    const take: Take = (bytes) => {
      const address = this.arena.allocate(bytes);
      taken.push(address);
      return address;
    };
    try {
      body(take);
    } finally {
      for (const address of taken) this.arena.free(address);
    }
  }

  /** A new row-major f32 view in scratch memory. */
  temporary(take: Take, shape: readonly number[]): View {
    return { address: take(sizeOf(shape) * 4), shape, strides: rowMajor(shape) };
  }

  /** A table of i32 in scratch memory. */
  table(take: Take, values: ArrayLike<number>): number {
    const address = take(values.length * 4);
    new Int32Array(this.memory.buffer as ArrayBuffer, address, values.length).set(values);
    return address;
  }

  /** Checks that a tensor is this backend's and still held. */
  check(x: Strided): void {
    if (x.storage.backend !== this.#owner) {
      fail(
        "argument",
        "WASM backend",
        "tensors on this backend",
        `one on ${x.storage.backend.name}`,
        "use to(backend)",
      );
    }
    if (x.storage.released) {
      fail("state", "WASM backend", "memory that is still held", "a tensor whose memory was released");
    }
  }

  /** What runs an operator that has no kernel: the reference's loops, after the checks that a kernel would have made. */
  plain(...tensors: (Strided | undefined)[]): Backend {
    this.pool.check();
    for (const t of tensors) if (t) this.check(t);
    return referenceBackend;
  }

  /** The view of an f32 or i32 tensor of this backend. */
  view(x: Strided): View {
    this.check(x);
    return { address: x.storage.address + x.offset * 4, shape: x.shape, strides: x.strides };
  }
}

/** Number of elements. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/** Row-major strides, in elements. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

/** The view at index `i` of axis 0, without that axis. */
export function select(x: View, i: number): View {
  return {
    address: x.address + i * x.strides[0] * 4,
    shape: x.shape.slice(1),
    strides: x.strides.slice(1),
  };
}

/** The view with its axes in another order. */
export function permute(x: View, order: readonly number[]): View {
  return {
    address: x.address,
    shape: order.map((i) => x.shape[i]),
    strides: order.map((i) => x.strides[i]),
  };
}
