/**
 * Threads that run kernels together: the caller and its workers (`worker_threads`), on one shared memory. `run` returns
 * when the whole job is done. A worker that has not started yet, or died outside a job, is waited for by nobody.
 */
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { fail, messageOf } from "../../errors.ts";
import {
  ARGUMENT_COUNT,
  CHUNK,
  type Control,
  controlAt,
  GENERATION,
  INSIDE,
  KERNEL,
  MAX_ARGUMENTS,
  NEXT,
  OPEN,
  QUIT,
  spinWhile,
  TRAPPED,
  takeChunks,
  UNITS,
} from "./control.ts";
import type { KernelArguments, KernelName, Kernels } from "./instantiate.ts";

const INLINE_BELOW_NS = 30_000; // a job shorter than a wake-up or two is done by the caller alone
const MIN_CHUNK_NS = 5_000; // so that taking chunks costs nothing beside the work
const MAX_CHUNKS = 16; // more than threads, because threads of a busy machine are not equally fast
const FLAT_UNITS = 1024; // jobs of so many units are flat runs of elements,
const FLAT_ALIGNMENT = 16; // whose chunks begin on 64-byte lines
const WAIT_MS = 100;

/** What a pool is made of. */
export interface PoolOptions {
  /** The calling thread included; at least 1. */
  readonly threads: number;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  /** Byte address of the control block. */
  readonly control: number;
  /** A job without any progress for so long is given up; 60 s unless given. */
  readonly stallMs?: number;
  /** Jobs that are estimated shorter are not shared; tests set 0. */
  readonly inlineBelowNs?: number;
}

/** A pool of threads on one shared memory. */
export class Pool {
  readonly threads: number;
  readonly #control: Control;
  readonly #kernels: Kernels;
  readonly #indexOf: ReadonlyMap<KernelName, number>;
  readonly #workers: Worker[] = [];
  readonly #stallMs: number;
  readonly #inlineBelowNs: number;
  #broken: string | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    const { threads, module, memory, kernels, control } = options;
    this.threads = threads;
    this.#kernels = kernels;
    this.#indexOf = new Map(kernels.names.map((name, i) => [name, i]));
    this.#control = controlAt(memory, control);
    this.#stallMs = options.stallMs ?? 60_000;
    this.#inlineBelowNs = options.inlineBelowNs ?? INLINE_BELOW_NS;
    this.#control.words.fill(0);
    for (let i = 1; i < threads; i++) {
      const worker = new Worker(workerUrl(), {
        workerData: { module, memory, control },
        execArgv: [], // the owner's loaders, hooks and --input-type are not for workers
      });
      worker.on("error", (error) => {
        this.#broken ??= `a worker that died: ${messageOf(error)}`;
      });
      worker.unref(); // a process that has nothing else to do may end
      this.#workers.push(worker);
    }
  }

  /** Throws where the pool can no longer run anything. */
  check(): void {
    if (this.#closed)
      fail("state", "WASM backend", "an open backend", "one that was closed", "make a new one");
    if (this.#broken) {
      fail("state", "WASM backend", "live worker threads", this.#broken, "close it and make a new one");
    }
  }

  /**
   * Runs a kernel over [0, units), which takes about `nsPerUnit` each. Small jobs run on the calling thread alone; the
   * result does not depend on it.
   */
  run<K extends KernelName>(name: K, args: KernelArguments<K>, units: number, nsPerUnit: number): void {
    this.check();
    if (units <= 0) return;
    const index = this.#indexOf.get(name);
    if (index === undefined) {
      fail("state", "kernels", `a kernel ${name}`, "a build without it", "run `npm run build:wasm`");
    }
    const list: readonly number[] = args;
    if (this.#workers.length === 0 || units === 1 || units * nsPerUnit < this.#inlineBelowNs) {
      try {
        this.#kernels.functions[index](...list, 0, units);
      } catch (error) {
        this.#trap(name, "the calling thread", error);
      }
      return;
    }
    const least = Math.ceil(MIN_CHUNK_NS / nsPerUnit);
    let chunk = Math.max(Math.ceil(units / MAX_CHUNKS), Math.min(least, Math.ceil(units / this.threads)));
    if (units >= FLAT_UNITS) chunk = Math.ceil(chunk / FLAT_ALIGNMENT) * FLAT_ALIGNMENT;
    this.#fork(index, list, units, chunk);
  }

  #fork(index: number, list: readonly number[], units: number, chunk: number): void {
    const { words, args } = this.#control;
    if (list.length > MAX_ARGUMENTS) {
      fail("argument", "kernel", `at most ${MAX_ARGUMENTS} arguments`, String(list.length));
    }
    args.set(list);
    words[UNITS] = units;
    words[CHUNK] = chunk;
    words[KERNEL] = index;
    words[ARGUMENT_COUNT] = list.length;
    Atomics.store(words, TRAPPED, 0);
    Atomics.store(words, NEXT, 0);
    Atomics.store(words, OPEN, 1);
    Atomics.add(words, GENERATION, 1);
    Atomics.notify(words, GENERATION);
    let caught: { error: unknown } | undefined;
    try {
      takeChunks(this.#control, this.#kernels);
    } catch (error) {
      caught = { error };
    }
    Atomics.store(words, OPEN, 0);
    this.#join();
    const name = this.#kernels.names[index];
    if (caught) this.#trap(name, "the calling thread", caught.error);
    if (Atomics.load(words, TRAPPED) !== 0) this.#trap(name, "a worker thread");
  }

  /** Waits until no worker is inside the job. */
  #join(): void {
    const { words } = this.#control;
    let inside = Atomics.load(words, INSIDE);
    if (inside === 0) return;
    spinWhile(words, INSIDE, inside);
    let progress = -1;
    let since = performance.now();
    for (;;) {
      inside = Atomics.load(words, INSIDE);
      if (inside === 0) return;
      Atomics.wait(words, INSIDE, inside, Math.min(WAIT_MS, this.#stallMs));
      const now = inside * 65536 + Atomics.load(words, NEXT);
      if (now !== progress) {
        progress = now;
        since = performance.now();
      } else if (performance.now() - since > this.#stallMs) {
        this.#broken = `${inside} that made no progress for ${this.#stallMs} ms`;
        this.check();
      }
    }
  }

  #trap(name: string, where: string, cause?: unknown): never {
    const detail = cause === undefined ? "" : `: ${messageOf(cause)}`;
    fail("state", name, "a kernel that ends", `a trap in ${where}${detail}`, "please report this as a bug");
  }

  /** Ends every worker; resolves when they have exited. Later calls give the same promise. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const { words } = this.#control;
    Atomics.store(words, QUIT, 1);
    Atomics.add(words, GENERATION, 1);
    Atomics.notify(words, GENERATION);
    await Promise.all(
      this.#workers.map((worker) => {
        worker.ref(); // or the process could end before the promise
        return worker.terminate();
      }),
    );
  }
}

/** Node cannot run a .ts worker: from the sources, the built one is used. */
function workerUrl(): URL {
  if (import.meta.url.endsWith(".js")) return new URL("./worker.js", import.meta.url);
  const url = new URL("../../../dist/backend/wasm/worker.js", import.meta.url);
  if (!existsSync(url)) fail("file", "WASM backend", url.pathname, "no such file", "run `npm run build`");
  return url;
}
