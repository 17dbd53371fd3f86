/**
 * The worker threads of a pool: each has a place, which is filled again when its worker has died. What a death means for
 * the job under way is the pool's affair (`pool.ts`), how it is proved that of `pool-worker.ts`.
 */
import { fail, MobileDetrError, messageOf } from "../../errors.ts";
import { bitOf, INSIDE, STARTED, wordOf } from "./control.ts";
import { PoolWorker, type WorkerShared } from "./pool-worker.ts";

const END_MS = 1000; // for a worker that was told to end
const MAX_FAILED_STARTS = 3; // in one place, in a row

/** A place for a worker. */
interface Slot {
  readonly index: number;
  /** Undefined where none could be started, or the last one died. */
  worker: PoolWorker | undefined;
  /** True where the worker was told to end. */
  ending: boolean;
  /** Workers in a row that died before they had started. */
  failedStarts: number;
  /** Why the last one is not there. */
  cause: string;
}

/** The workers of one pool. */
export class Crew {
  /** False where a place wants a look before the next job: call {@link mend}. */
  whole = true;
  readonly #words: Int32Array;
  readonly #shared: WorkerShared;
  readonly #script: URL | undefined;
  readonly #slots: Slot[];
  #closed = false;

  /** Starts `count` workers, with indices from 1, on the control block whose words are given. */
  constructor(count: number, shared: WorkerShared, words: Int32Array, script?: URL) {
    this.#words = words;
    this.#shared = shared;
    this.#script = script;
    this.#slots = Array.from({ length: count }, (_, i) => ({
      index: i + 1,
      worker: undefined,
      ending: false,
      failedStarts: 0,
      cause: "",
    }));
    for (const slot of this.#slots) this.#start(slot);
  }

  /** Workers that have started and are not known to have died. */
  get size(): number {
    return this.#slots.filter((slot) => slot.worker && this.#has(STARTED, slot)).length;
  }

  /** Buries the workers that died inside a job; what happened to one of them. */
  buryInside(word: number): string | undefined {
    let lost: string | undefined;
    for (const slot of this.#slots) {
      const { worker } = slot;
      if (INSIDE + wordOf(slot.index) !== word || !this.#has(INSIDE, slot) || !worker?.hasEnded()) continue;
      this.#bury(slot, worker);
      lost = `one that died: ${worker.cause}`;
    }
    return lost;
  }

  /** Tells the workers to end that are inside a job and get nowhere, and gives them a little time for it. */
  endInside(word: number): void {
    const words = this.#words;
    for (const slot of this.#slots) {
      if (INSIDE + wordOf(slot.index) !== word || !this.#has(INSIDE, slot)) continue;
      slot.ending = true;
      this.whole = false;
      void slot.worker?.end();
    }
    const end = performance.now() + END_MS;
    for (;;) {
      this.buryInside(word);
      const inside = Atomics.load(words, word);
      if (inside === 0 || performance.now() > end) return;
      Atomics.wait(words, word, inside, 5);
    }
  }

  /** Starts a worker in an empty place. */
  #start(slot: Slot): void {
    Atomics.and(this.#words, STARTED + wordOf(slot.index), ~bitOf(slot.index));
    try {
      slot.worker = new PoolWorker(
        slot.index,
        this.#shared,
        (worker) => this.#bury(slot, worker),
        this.#script,
      );
    } catch (error) {
      if (error instanceof MobileDetrError) throw error; // no script: not a thing that mends itself
      slot.cause = messageOf(error);
      slot.failedStarts++;
      this.whole = false;
    }
  }

  /** Clears up after a worker that has ended, unless that was done already. */
  #bury(slot: Slot, worker: PoolWorker): void {
    if (slot.worker !== worker || this.#closed) return;
    slot.failedStarts = this.#has(STARTED, slot) ? 0 : slot.failedStarts + 1;
    slot.cause = worker.cause;
    slot.worker = undefined;
    slot.ending = false;
    this.whole = false;
    Atomics.and(this.#words, INSIDE + wordOf(slot.index), ~bitOf(slot.index));
  }

  /** Fills empty places. Throws where workers die at their start again and again, or one that must end has not. */
  mend(): void {
    let whole = true;
    for (const slot of this.#slots) {
      if (slot.ending) {
        if (slot.worker?.hasEnded()) this.#bury(slot, slot.worker);
        if (slot.worker) {
          fail("state", "WASM backend", "threads that end when told to", "one that has not yet", "try later");
        }
      }
      if (slot.worker === undefined) this.#start(slot);
      if (slot.worker && this.#has(STARTED, slot)) slot.failedStarts = 0;
      if (slot.failedStarts >= MAX_FAILED_STARTS) {
        fail("state", "WASM backend", "worker threads that start", `one that died: ${slot.cause}`);
      }
      whole &&= slot.worker !== undefined && slot.failedStarts === 0;
    }
    this.whole = whole;
  }

  /** Ends every worker; resolves when they have exited. */
  async end(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#slots.map((slot) => slot.worker?.end()));
  }

  #has(set: number, slot: Slot): boolean {
    return (Atomics.load(this.#words, set + wordOf(slot.index)) & bitOf(slot.index)) !== 0;
  }
}
