/**
 * Who starts a pool's workers: the thread that wants them, or, for a detector's thread, the page that started it
 * (`detector/pool-host.browser.ts`).
 * QUIRK: Chromium does not always end a worker whose parent, a worker too, is ended right after it: both stay for ever. The
 * detector's thread is ended when it is closed; so its pool's workers are the page's children, beside it and not below it.
 */
import { startWorker } from "./worker-script.ts";

/** The first message to a worker of a pool. */
export interface PoolStart {
  readonly role: "pool";
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Byte address of the control block. */
  readonly control: number;
  /** Its number in the pool, from 1. */
  readonly index: number;
}

/** A worker that was started. */
export interface PoolThread {
  /** Tells it to end, whatever it does. */
  end(): void;
}

/** Starts a worker; `failed` hears of a script that fails or that the browser refuses. */
export type StartPoolThread = (
  start: PoolStart,
  url: string | undefined,
  failed: (how: string) => void,
) => PoolThread;

/** As a child of this thread. */
export const startOwn: StartPoolThread = (start, url, failed) => {
  const worker = startWorker(url);
  worker.onerror = (event) => {
    event.preventDefault(); // it is told here, and not on the console as well
    failed(event.message || "the browser refused its script");
  };
  worker.postMessage(start);
  return { end: () => worker.terminate() };
};

let starter = startOwn;

/** From now on, workers are started by another. */
export function startPoolThreadsBy(other: StartPoolThread): void {
  starter = other;
}

/** Starts a worker, by whoever does that here. Throws where the browser refuses at once. */
export function startPoolThread(...args: Parameters<StartPoolThread>): PoolThread {
  return starter(...args);
}
