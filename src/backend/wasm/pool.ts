/**
 * Threads that run kernels together: the caller and its workers (`worker_threads`), on one shared memory. `run` returns
 * when the whole job is done. A worker that has not started yet, or died outside a job, is waited for by nobody.
 * Who the workers are, and what becomes of dead ones: `crew.ts`.
 *
 * When a worker dies, its place is filled by a new one at the next job that is shared. One that died between jobs costs
 * nothing else. One that died inside a job may have taken chunks with it, which cannot be computed again, for kernels
 * may work in place: the call under way is an error, the next one is whole. How soon a death is seen does not rest on a
 * guess of how slow a living thread may be: whoever waits longer than a wait's time asks for proof (`pool-worker.ts`),
 * and waits on without it. Only a thread that lives and makes no progress for a minute, or an engine without that
 * proof, meets the limit of time: then the worker is told to end, and until it has, nothing can run, because it could
 * still write.
 */
import { fail, messageOf } from "../../errors.ts";
import {
  ARGUMENT_COUNT,
  CHUNK,
  CONTROL_BYTES,
  type Control,
  controlAt,
  GENERATION,
  INSIDE,
  KERNEL,
  MAX_ARGUMENTS,
  NEXT,
  OPEN,
  PARTICIPANTS,
  QUIT,
  spinWhile,
  TRAPPED,
  takeChunks,
  UNITS,
  wordOf,
} from "./control.ts";
import { Crew } from "./crew.ts";
import type { KernelArguments, KernelName, Kernels } from "./instantiate.ts";

const INLINE_BELOW_NS = 30_000; // a job shorter than a wake-up or two is done by the caller alone
const MIN_CHUNK_NS = 5_000; // so that taking chunks costs nothing beside the work
const MAX_CHUNKS = 16; // more than threads, because threads of a busy machine are not equally fast
const FLAT_UNITS = 1024; // jobs of so many units are flat runs of elements,
const FLAT_ALIGNMENT = 16; // whose chunks begin on 64-byte lines
const WAIT_MS = 100; // between two looks at workers that are waited for

/** What a pool is made of. */
export interface PoolOptions {
  /** The calling thread included; at least 1, and not more where the memory is not shared. */
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
  /** The script of the workers: tests have others, and pages that serve their own. */
  readonly script?: URL;
}

/** A pool of threads on one shared memory. */
export class Pool {
  readonly threads: number;
  readonly #control: Control;
  readonly #kernels: Kernels;
  readonly #crew: Crew;
  readonly #indexOf: ReadonlyMap<KernelName, number>;
  readonly #stallMs: number;
  readonly #inlineBelowNs: number;
  #participants: number;
  #closed: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    const { threads, module, memory, kernels, control } = options;
    this.threads = threads;
    this.#kernels = kernels;
    this.#indexOf = new Map(kernels.names.map((name, i) => [name, i]));
    // Memory of one thread's own moves when it grows: the block is then not in it, and nobody looks for it there.
    const alone = memory.buffer instanceof ArrayBuffer;
    this.#control = alone
      ? controlAt({ buffer: new ArrayBuffer(CONTROL_BYTES) }, 0)
      : controlAt(memory, control);
    this.#stallMs = options.stallMs ?? 60_000;
    this.#inlineBelowNs = options.inlineBelowNs ?? INLINE_BELOW_NS;
    const { words } = this.#control;
    words.fill(0);
    this.#participants = threads;
    Atomics.store(words, PARTICIPANTS, threads);
    this.#crew = new Crew(threads - 1, { module, memory, control }, words, options.script);
  }

  /** Workers that have started and live, as far as is known; the calling thread is not one. */
  get workers(): number {
    return this.#crew.size;
  }

  /** Throws where nothing can run: the pool was closed, workers cannot be started, one that must end has not. */
  check(): void {
    if (this.#closed)
      fail("state", "WASM backend", "an open backend", "one that was closed", "make a new one");
    if (!this.#crew.whole) this.#crew.mend();
  }

  /**
   * Runs a kernel over [0, units), which takes about `nsPerUnit` each, on at most `threads` threads, the calling one
   * included. Small jobs run on the calling thread alone; the result does not depend on it. Errors, all of code "state":
   * a kernel that trapped, a worker that died inside the job (the outputs are incomplete, the next job is not affected),
   * workers that cannot be started, a closed pool.
   */
  run<K extends KernelName>(
    name: K,
    args: KernelArguments<K>,
    units: number,
    nsPerUnit: number,
    threads: number = this.threads,
  ): void {
    this.check();
    if (units <= 0) return;
    const index = this.#indexOf.get(name);
    if (index === undefined) {
      fail("state", "kernels", `a kernel ${name}`, "a build without it", "run `npm run build:wasm`");
    }
    const list: readonly number[] = args;
    const participants = Math.min(threads, this.threads);
    if (participants <= 1 || units === 1 || units * nsPerUnit < this.#inlineBelowNs) {
      try {
        this.#kernels.functions[index](...list, 0, units);
      } catch (error) {
        this.#trap(name, "the calling thread", error);
      }
      return;
    }
    const least = Math.ceil(MIN_CHUNK_NS / nsPerUnit);
    let chunk = Math.max(Math.ceil(units / MAX_CHUNKS), Math.min(least, Math.ceil(units / participants)));
    if (units >= FLAT_UNITS) chunk = Math.ceil(chunk / FLAT_ALIGNMENT) * FLAT_ALIGNMENT;
    if (participants !== this.#participants) this.#admit(participants);
    this.#fork(index, list, units, chunk);
  }

  #fork(index: number, list: readonly number[], units: number, chunk: number): void {
    const { words, args } = this.#control;
    if (list.length > MAX_ARGUMENTS) {
      fail("argument", "kernel", `at most ${MAX_ARGUMENTS} arguments`, String(list.length));
    }
    for (let i = 0; i < list.length; i++) args[i] = list[i];
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
    const lost = this.#join();
    const name = this.#kernels.names[index];
    if (caught) this.#trap(name, "the calling thread", caught.error);
    if (Atomics.load(words, TRAPPED) !== 0) this.#trap(name, "a worker thread");
    if (lost !== undefined) {
      const mend = "the result is lost; call again, a new thread takes its place";
      fail("state", name, "worker threads that live until the job is done", lost, mend);
    }
  }

  /** Waits until no worker is inside the job. Gives what happened to workers that will never leave it. */
  #join(): string | undefined {
    const { words } = this.#control;
    const last = INSIDE + wordOf(this.threads - 1);
    let lost: string | undefined;
    for (let word = INSIDE; word <= last; word++) {
      const inside = Atomics.load(words, word);
      if (inside === 0) continue;
      spinWhile(words, word, inside);
      if (Atomics.load(words, word) !== 0) lost = this.#wait(word) ?? lost;
    }
    return lost;
  }

  /** {@link #join} for one word of INSIDE, when spinning did not help. */
  #wait(word: number): string | undefined {
    const { words } = this.#control;
    let lost: string | undefined;
    let progress = "";
    let since = performance.now();
    for (;;) {
      const inside = Atomics.load(words, word);
      if (inside === 0) return lost;
      if (Atomics.wait(words, word, inside, Math.min(WAIT_MS, this.#stallMs)) !== "timed-out") continue;
      lost = this.#crew.buryInside(word) ?? lost;
      const now = `${Atomics.load(words, word)} ${Atomics.load(words, NEXT)}`;
      if (now !== progress) {
        progress = now;
        since = performance.now();
      } else if (performance.now() - since > this.#stallMs) {
        this.#crew.endInside(word);
        return `one that made no progress for ${this.#stallMs} ms`;
      }
    }
  }

  /** Lets the first so many threads take part in the jobs to come, the calling one included. */
  #admit(participants: number): void {
    const { words } = this.#control;
    this.#participants = participants;
    Atomics.store(words, PARTICIPANTS, participants);
    Atomics.notify(words, PARTICIPANTS);
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
    this.#admit(0); // wakes those that were kept out, and lets none go to sleep that read QUIT before
    await this.#crew.end();
  }
}
