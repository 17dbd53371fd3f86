/**
 * What runs this program, and what it lets a thread do. Not what it is called: no decision rests on `engineName`. A browser
 * build takes `environment.browser.ts` in its place.
 */

/** An engine, for people to read. */
export type EngineName = "node" | "deno" | "bun" | "browser";

/** Which engine runs this. */
export function engineName(): EngineName {
  const { deno, bun } = process.versions;
  return deno ? "deno" : bun ? "bun" : "node";
}

/** Whether memory can be shared with other threads. */
export function sharesMemory(): boolean {
  return true;
}

/** Whether this thread may wait for others; where it may not, it computes alone. */
export function mayWait(): boolean {
  return true;
}
