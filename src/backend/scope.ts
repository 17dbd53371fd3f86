/**
 * Scopes: who frees WASM memory. Every storage made inside `withScope` is released when it ends, but for those that the
 * caller keeps. `Module.call` opens one per call, so that a network's forward needs no bookkeeping and holds only what
 * is alive. Storages made outside any scope live until released or garbage-collected.
 */
import { fail } from "../errors.ts";
import type { Storage } from "./backend.ts";

const stack: Set<Storage>[] = [];

/** Enters a storage into the innermost scope. Backends call it when they allocate memory that must be freed. */
export function track(storage: Storage): void {
  stack.at(-1)?.add(storage);
}

/**
 * Takes a storage out of every scope: its memory lives on until released or garbage-collected. True if it was in one, so that
 * it is the caller's to release.
 */
export function untrack(storage: Storage): boolean {
  let found = false;
  for (const scope of stack) if (scope.delete(storage)) found = true;
  return found;
}

/**
 * Runs `body`; then releases what it allocated, except the storages that `kept` names in the result, which pass to the
 * scope around (if any). On an error everything is released.
 */
export function withScope<R>(body: () => R, kept: (result: R) => Iterable<Storage>): R {
  const scope = new Set<Storage>();
  const depth = stack.push(scope);
  try {
    const result = body();
    if (typeof (result as { then?: unknown } | undefined | null)?.then === "function") {
      fail(
        "argument",
        "withScope",
        "a synchronous function",
        "a promise",
        "what it computes would be freed too early",
      );
    }
    for (const storage of kept(result)) {
      if (scope.delete(storage)) stack[depth - 2]?.add(storage);
    }
    return result;
  } finally {
    stack.length = depth - 1;
    for (const storage of scope) storage.release();
  }
}
