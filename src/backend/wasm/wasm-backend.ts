/**
 * The WASM backend: SIMD kernels over a pool of threads on one shared memory; `operators.ts` tells what runs where. The
 * same bits for every number of threads.
 */
import { fail, messageOf } from "../../errors.ts";
import type { Backend, DType, Storage } from "../backend.ts";
import { Arena } from "./arena.ts";
import { CONTROL_BYTES } from "./control.ts";
import { Engine } from "./engine.ts";
import { mayWait, sharesMemory } from "./environment.ts";
import { instantiateKernels } from "./instantiate.ts";
import { WasmOperators } from "./operators.ts";
import { Pool } from "./pool.ts";
import { readKernels } from "./read-kernels.ts";
import { compileRevectorized } from "./revectorize.ts";
import { WasmStorage } from "./storage.ts";
import { withUnsharedMemory } from "./unshared.ts";

const PAGE_BYTES = 65536;
const INITIAL_PAGES = 16; // as the kernels' import says
const MAX_PAGES = 65536; // 4 GiB, all that 32-bit addresses reach

/** Options of {@link createWasmBackend}. */
export interface WasmBackendOptions {
  /** Threads that compute, the calling one included: a whole number of at least 1; 1 unless given. */
  readonly threads?: number;
  /** Bound of the whole memory in bytes, rounded down to pages of 64 KiB: at most 4 GiB, which is the default. */
  readonly maxMemoryBytes?: number;
  /** true compiles the kernels to 256-bit vectors, an experiment of V8's (Node 24 on x64): faster, the same bits. false. */
  readonly revectorize?: boolean;
  /** Address of the package's `worker.js`, for browsers whose page allows no `blob:` workers; no other engine looks at it. */
  readonly workerUrl?: string;
  /** @internal false takes memory of one thread's own, as browsers do where none can be shared; tests set it. */
  readonly shared?: boolean;
  /** @internal Jobs estimated shorter than this many nanoseconds are not shared; tests set 0. */
  readonly inlineBelowNs?: number;
}

/**
 * A new backend with a memory and threads of its own; workers start in the background and join when they are ready.
 * Errors: "argument" for options out of range and for a `revectorize` that the engine cannot, "file" without built kernels,
 * "memory" where none can be reserved.
 */
export function createWasmBackend(options: WasmBackendOptions = {}): WasmBackend {
  return new WasmBackend(options);
}

/** See {@link createWasmBackend}. */
export class WasmBackend extends WasmOperators implements Backend {
  readonly name = "wasm";
  /** @internal The pool and the memory; the compiler records against them. */
  readonly engine: Engine;
  /** True where the kernels were compiled to 256-bit vectors. */
  readonly revectorized: boolean;

  constructor(options: WasmBackendOptions) {
    super();
    const where = "createWasmBackend";
    const { threads = 1, maxMemoryBytes = MAX_PAGES * PAGE_BYTES, revectorize = false } = options;
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
    if (typeof revectorize !== "boolean") {
      fail("argument", where, "revectorize: true or false", String(revectorize));
    }
    const { shared = sharesMemory() } = options;
    if (threads > 1 && !(shared && mayWait())) {
      const got = `${threads}${shared ? " on the page's own thread" : ""}`;
      const mend = shared
        ? "run it in a worker"
        : "serve the page with COOP and COEP headers, see docs/browser.md";
      fail("argument", where, "threads: 1 where memory is not shared or a thread may not wait", got, mend);
    }
    const kernelBytes = readKernels();
    const bytes = shared ? kernelBytes : withUnsharedMemory(kernelBytes);
    const module = revectorize ? compileRevectorized(bytes) : new WebAssembly.Module(bytes);
    this.revectorized = revectorize;
    let memory: WebAssembly.Memory;
    try {
      memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared });
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
      script: options.workerUrl === undefined ? undefined : new URL(options.workerUrl),
    });
    this.engine = new Engine(this, memory, arena, pool);
  }

  /** Threads that compute, the calling one included. */
  get threads(): number {
    return this.engine.pool.threads;
  }

  /** The memory: shared among threads where there can be several. */
  get memory(): { readonly buffer: ArrayBufferLike } {
    return this.engine.memory;
  }

  /** Bytes of tensors that are held at this moment. */
  get bytesInUse(): number {
    return this.engine.arena.bytesInUse;
  }

  /** Bytes of the memory as it has grown so far; it never shrinks. */
  get bytesReserved(): number {
    return this.engine.arena.bytesReserved;
  }

  /** Ends the threads; resolves when they have exited. Tensors stay readable, everything else is an error afterwards. */
  close(): Promise<void> {
    return this.engine.pool.close();
  }

  /** As {@link Backend.allocate}; an error of code "memory" where the limit is met. */
  allocate(dtype: DType, length: number): Storage {
    this.engine.pool.check();
    return new WasmStorage(this, this.engine.memory, this.engine.arena, dtype, length);
  }
}
