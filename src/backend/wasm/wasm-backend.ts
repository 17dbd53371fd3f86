/**
 * The WASM backend: SIMD kernels over a pool of threads on one shared memory. What has no kernel (top-k, gather,
 * embedding, pooling, reductions, bilinear resizing, border and nearest grid sampling, other dtypes than f32) runs the
 * reference's plain loops on the same memory. The same bits for every number of threads.
 */
import { fail, messageOf } from "../../errors.ts";
import type {
  Backend,
  BinaryOp,
  ConvOptions,
  DType,
  GridSampleOptions,
  InterpolateOptions,
  Pair,
  PoolOptions,
  ReduceOp,
  Storage,
  Strided,
  UnaryOp,
} from "../backend.ts";
import { referenceBackend } from "../reference/reference.ts";
import { Arena } from "./arena.ts";
import { CONTROL_BYTES } from "./control.ts";
import { convView } from "./conv.ts";
import { copyView, fillView } from "./copy.ts";
import { binaryView, clampView, unaryView } from "./elementwise.ts";
import { Engine, sizeOf } from "./engine.ts";
import { linearView, matmulView } from "./gemm.ts";
import { instantiateKernels } from "./instantiate.ts";
import { affineView, layerNormView, softmaxView } from "./norm.ts";
import { Pool } from "./pool.ts";
import { readKernels } from "./read-kernels.ts";
import { deformableView, gridSampleView, nearestView } from "./sampling.ts";
import { WasmStorage } from "./storage.ts";

const PAGE_BYTES = 65536;
const INITIAL_PAGES = 16; // as the kernels' import says
const MAX_PAGES = 65536; // 4 GiB, all that 32-bit addresses reach

/** Options of {@link createWasmBackend}. */
export interface WasmBackendOptions {
  /** Threads that compute, the calling one included: a whole number of at least 1; 1 unless given. */
  readonly threads?: number;
  /** Bound of the whole memory in bytes, rounded down to pages of 64 KiB: at most 4 GiB, which is the default. */
  readonly maxMemoryBytes?: number;
  /** @internal Jobs estimated shorter than this many nanoseconds are not shared; tests set 0. */
  readonly inlineBelowNs?: number;
}

/**
 * A new backend with a memory and threads of its own; workers start in the background and join when they are ready.
 * Errors: "argument" for options out of range, "file" without built kernels, "memory" where none can be reserved.
 */
export function createWasmBackend(options: WasmBackendOptions = {}): WasmBackend {
  return new WasmBackend(options);
}

function isF32(...tensors: (Strided | undefined)[]): boolean {
  return tensors.every((t) => t === undefined || t.dtype === "f32");
}

/** See {@link createWasmBackend}. */
export class WasmBackend implements Backend {
  readonly name = "wasm";
  readonly #engine: Engine;

  constructor(options: WasmBackendOptions) {
    const where = "createWasmBackend";
    const { threads = 1, maxMemoryBytes = MAX_PAGES * PAGE_BYTES } = options;
    if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
      fail("argument", where, "threads: a whole number in [1, 256]", String(threads));
    }
    const maximum = Math.min(Math.floor(maxMemoryBytes / PAGE_BYTES), MAX_PAGES);
    if (!(maximum >= INITIAL_PAGES)) {
      fail(
        "argument",
        where,
        `maxMemoryBytes of at least ${INITIAL_PAGES * PAGE_BYTES}`,
        String(maxMemoryBytes),
      );
    }
    const module = new WebAssembly.Module(readKernels());
    let memory: WebAssembly.Memory;
    try {
      memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true });
    } catch (error) {
      fail(
        "memory",
        where,
        `address space for ${maximum * PAGE_BYTES} bytes`,
        messageOf(error),
        "lower maxMemoryBytes",
      );
    }
    const kernels = instantiateKernels(module, memory);
    const control = Math.ceil(kernels.heapBase / 64) * 64;
    const arena = new Arena(memory, control + CONTROL_BYTES, maximum * PAGE_BYTES);
    const pool = new Pool({
      threads,
      module,
      memory,
      kernels,
      control,
      inlineBelowNs: options.inlineBelowNs,
    });
    this.#engine = new Engine(this, memory, arena, pool);
  }

  /** Threads that compute, the calling one included. */
  get threads(): number {
    return this.#engine.pool.threads;
  }

  /** The shared memory. */
  get memory(): { readonly buffer: ArrayBufferLike } {
    return this.#engine.memory;
  }

  /** Bytes of tensors that are held at this moment. */
  get bytesInUse(): number {
    return this.#engine.arena.bytesInUse;
  }

  /** Bytes of the memory as it has grown so far; it never shrinks. */
  get bytesReserved(): number {
    return this.#engine.arena.bytesReserved;
  }

  /** Ends the threads; resolves when they have exited. Tensors stay readable, everything else is an error afterwards. */
  close(): Promise<void> {
    return this.#engine.pool.close();
  }

  /** As {@link Backend.allocate}; an error of code "memory" where the limit is met. */
  allocate(dtype: DType, length: number): Storage {
    this.#engine.pool.check();
    return new WasmStorage(this, this.#engine.memory, this.#engine.arena, dtype, length);
  }

  /** The reference's loops, after the checks that a kernel would have made. */
  #plain(...tensors: (Strided | undefined)[]): Backend {
    this.#engine.pool.check();
    for (const t of tensors) if (t) this.#engine.check(t);
    return referenceBackend;
  }

  fill(out: Strided, value: number): void {
    const engine = this.#engine;
    if (out.dtype === "f32" || out.dtype === "i32") {
      const bits =
        out.dtype === "i32" ? Math.trunc(value) | 0 : new Int32Array(new Float32Array([value]).buffer)[0];
      engine.pool.check();
      if (fillView(engine, engine.view(out), bits)) return;
    }
    this.#plain(out).fill(out, value);
  }

  copy(x: Strided, out: Strided): void {
    const engine = this.#engine;
    if (x.dtype !== out.dtype || (x.dtype !== "f32" && x.dtype !== "i32")) {
      this.#plain(x, out).copy(x, out);
    } else copyView(engine, engine.view(x), engine.view(out));
  }

  unary(op: UnaryOp, x: Strided, out: Strided): void {
    const engine = this.#engine;
    if (isF32(x, out) && unaryView(engine, op, engine.view(x), engine.view(out))) return;
    this.#plain(x, out).unary(op, x, out);
  }

  binary(op: BinaryOp, a: Strided, b: Strided, out: Strided): void {
    const engine = this.#engine;
    if (!isF32(a, b, out)) this.#plain(a, b, out).binary(op, a, b, out);
    else binaryView(engine, op, engine.view(a), engine.view(b), engine.view(out));
  }

  clamp(x: Strided, min: number, max: number, out: Strided): void {
    const engine = this.#engine;
    if (!isF32(x, out)) this.#plain(x, out).clamp(x, min, max, out);
    else clampView(engine, engine.view(x), min, max, engine.view(out));
  }

  matmul(a: Strided, b: Strided, out: Strided): void {
    const engine = this.#engine;
    if (!isF32(a, b, out) || a.shape[a.shape.length - 1] === 0) this.#plain(a, b, out).matmul(a, b, out);
    else matmulView(engine, engine.view(a), engine.view(b), engine.view(out));
  }

  linear(x: Strided, w: Strided, bias: Strided | undefined, out: Strided): void {
    const engine = this.#engine;
    if (!isF32(x, w, bias, out) || w.shape[1] === 0) this.#plain(x, w, bias, out).linear(x, w, bias, out);
    else linearView(engine, engine.view(x), engine.view(w), bias && engine.view(bias), engine.view(out));
  }

  conv2d(x: Strided, w: Strided, bias: Strided | undefined, out: Strided, options: ConvOptions): void {
    const engine = this.#engine;
    if (!isF32(x, w, bias, out) || sizeOf(w.shape) === 0) {
      this.#plain(x, w, bias, out).conv2d(x, w, bias, out, options);
      return;
    }
    const b = bias && engine.view(bias);
    convView(engine, engine.view(x), engine.view(w), b, engine.view(out), options);
  }

  affineChannels(x: Strided, alpha: Strided, beta: Strided, out: Strided): void {
    const engine = this.#engine;
    if (!isF32(x, alpha, beta, out)) this.#plain(x, alpha, beta, out).affineChannels(x, alpha, beta, out);
    else affineView(engine, engine.view(x), engine.view(alpha), engine.view(beta), engine.view(out));
  }

  layerNorm(x: Strided, w: Strided | undefined, b: Strided | undefined, eps: number, out: Strided): void {
    const engine = this.#engine;
    if (!isF32(x, w, b, out)) this.#plain(x, w, b, out).layerNorm(x, w, b, eps, out);
    else {
      const [weight, bias] = [w && engine.view(w), b && engine.view(b)];
      layerNormView(engine, engine.view(x), weight, bias, eps, engine.view(out));
    }
  }

  softmax(x: Strided, axis: number, out: Strided): void {
    const engine = this.#engine;
    if (!isF32(x, out) || x.shape.length === 0) this.#plain(x, out).softmax(x, axis, out);
    else softmaxView(engine, engine.view(x), axis, engine.view(out));
  }

  reduce(op: ReduceOp, x: Strided, axis: number, out: Strided): void {
    this.#plain(x, out).reduce(op, x, axis, out);
  }

  topk(x: Strided, k: number, axis: number, largest: boolean, values: Strided, indices: Strided): void {
    this.#plain(x, values, indices).topk(x, k, axis, largest, values, indices);
  }

  gather(x: Strided, axis: number, index: Strided, out: Strided): void {
    this.#plain(x, index, out).gather(x, axis, index, out);
  }

  embedding(w: Strided, index: Strided, out: Strided): void {
    this.#plain(w, index, out).embedding(w, index, out);
  }

  pool2d(x: Strided, out: Strided, options: PoolOptions): void {
    this.#plain(x, out).pool2d(x, out, options);
  }

  adaptiveAvgPool2d(x: Strided, out: Strided): void {
    this.#plain(x, out).adaptiveAvgPool2d(x, out);
  }

  interpolate(x: Strided, out: Strided, options: InterpolateOptions): void {
    const engine = this.#engine;
    if (!isF32(x, out) || options.mode !== "nearest") this.#plain(x, out).interpolate(x, out, options);
    else nearestView(engine, engine.view(x), engine.view(out), options);
  }

  gridSample(x: Strided, grid: Strided, out: Strided, options: GridSampleOptions): void {
    const engine = this.#engine;
    if (!isF32(x, grid, out) || options.mode !== "bilinear" || options.paddingMode !== "zeros") {
      this.#plain(x, grid, out).gridSample(x, grid, out, options);
      return;
    }
    const view = engine.view(out);
    gridSampleView(engine, engine.view(x), engine.view(grid), view, options.alignCorners);
  }

  deformableAttention(
    value: Strided,
    shapes: readonly Pair[],
    locations: Strided,
    weights: Strided,
    out: Strided,
  ): void {
    const engine = this.#engine;
    if (!isF32(value, locations, weights, out)) {
      this.#plain(value, locations, weights, out).deformableAttention(value, shapes, locations, weights, out);
      return;
    }
    const [v, l, w, y] = [value, locations, weights, out].map((t) => engine.view(t));
    deformableView(engine, v, shapes, l, w, y);
  }
}
