/** `available-threads.ts` for browsers. */
import { mayWait, sharesMemory } from "./environment.ts";

/**
 * How many threads this page may keep busy: the browser's count of processors, which it may understate; 1 where memory
 * cannot be shared, and on the page's own thread, which may not wait for others.
 */
export function availableThreads(parallelism: number = navigator.hardwareConcurrency): number {
  return sharesMemory() && mayWait() ? Math.max(1, parallelism || 1) : 1;
}
