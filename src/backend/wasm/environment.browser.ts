/** `environment.ts` for browsers: memory is shared where the page is cross-origin isolated, and its own thread never waits. */

/** An engine, for people to read. */
export type EngineName = "node" | "deno" | "bun" | "browser";

/** Which engine runs this. */
export function engineName(): EngineName {
  return "browser";
}

/** Whether memory can be shared with other threads: shared memory that cannot be posted is of no use. */
export function sharesMemory(): boolean {
  return globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === "function";
}

/** Whether this thread may wait for others: the page's own may not, workers may. */
export function mayWait(): boolean {
  return typeof document === "undefined";
}
