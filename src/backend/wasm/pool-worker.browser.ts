/**
 * `pool-worker.ts` for browsers: web workers, on memory that a cross-origin isolated page shares with them.
 * QUIRK: browsers tell nobody of a worker's end. One whose script fails says so by an event, one that was told to end is
 * taken for ended after a while (browsers let a script finish for up to two seconds); for one that dies without a word the
 * pool's limit of time is what is left. They do not die in practice: a browser that runs out of memory ends the whole page.
 */
import { type PoolThread, startPoolThread } from "./pool-thread.ts";

const ENDED_MS = 3000; // after which no browser lets a worker's script go on that was told to end

/** What every worker of a pool is started with. */
export interface WorkerShared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Byte address of the control block. */
  readonly control: number;
}

/** A worker thread that was started. */
export class PoolWorker {
  readonly index: number;
  readonly #thread: PoolThread;
  readonly #onEnd: (worker: PoolWorker) => void;
  #told = false;
  #ended = false;
  #cause: string | undefined;

  /** Starts it; `onEnd` is called when the event loop hears of its end. Throws where no thread can be made. */
  constructor(index: number, shared: WorkerShared, onEnd: (worker: PoolWorker) => void, url?: URL) {
    this.index = index;
    this.#onEnd = onEnd;
    this.#thread = startPoolThread({ role: "pool", ...shared, index }, url?.href, (how) => this.#end(how));
  }

  /** Why it ended, as far as is known. */
  get cause(): string {
    return this.#cause ?? "it ended";
  }

  /** Whether the thread has ended, as far as is known: see the file's head. */
  hasEnded(): boolean {
    return this.#ended;
  }

  /** Tells it to end, whatever it does. */
  async end(): Promise<void> {
    if (this.#told) return;
    this.#told = true;
    this.#thread.end();
    if (!this.#ended) setTimeout(() => this.#end("it was told to end"), ENDED_MS);
  }

  #end(cause: string): void {
    if (this.#ended) return;
    this.#cause ??= cause;
    this.#ended = true;
    this.#onEnd(this);
  }
}
