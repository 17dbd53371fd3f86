/** Ending a wait when an AbortSignal says so. Nothing is left behind: the listener goes with the wait. */

/** An AbortSignal, named by what is needed of it: programs without the DOM and without Node's types do not know the class. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  /** What waits reject with. */
  readonly reason: unknown;
  /** Hears of the abortion. */
  addEventListener(type: "abort", listener: () => void): void;
  /** Hears of it no longer. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Throws the reason of a signal that was aborted. */
export function throwIfAborted(signal: AbortSignalLike | undefined): void {
  if (signal?.aborted) throw signal.reason;
}

/** The promise's end, or the signal's reason at once; `onAbort` is called before. What the promise says later is dropped. */
export function untilAborted<T>(
  signal: AbortSignalLike | undefined,
  promise: Promise<T>,
  onAbort: () => void,
): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const forget = (): void => signal.removeEventListener("abort", abort);
    const abort = (): void => {
      forget();
      onAbort();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(forget);
    if (signal.aborted) abort();
  });
}
