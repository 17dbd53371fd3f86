/** Many pictures, one after another, with a few under way at a time. Knows no detector: it is given what detects one. */

import { isCount, need } from "../errors.ts";
import { type AbortSignalLike, throwIfAborted } from "./abort.ts";
import type { DetectOptions } from "./options.ts";
import type { PictureInput } from "./sources.ts";

/** Options of `detectAll`. */
export interface DetectAllOptions extends Omit<DetectOptions, "onProgress"> {
  /** What becomes of a picture that fails: "throw" ends there with its error, "yield" tells it and goes on. "throw". */
  readonly onError?: "throw" | "yield";
  /** Pictures that are held at a time: those under way, and done ones that were not asked for yet. 2. */
  readonly inFlight?: number;
}

/** A picture that failed, where `onError` is "yield". */
export interface FailedPicture {
  readonly error: unknown;
  readonly image: PictureInput;
  /** Its number, from 0. */
  readonly index: number;
}

interface Entry<R> {
  /** What to do about it, once that is known. */
  outcome?: { readonly value: R | FailedPicture } | { readonly thrown: unknown };
}

/** See `Detector.detectAll`. Where `isOver`, errors end it whatever `onError` says. */
export async function* detectAll<R>(
  images: Iterable<PictureInput> | AsyncIterable<PictureInput>,
  detect: (image: PictureInput, signal: AbortSignalLike) => Promise<R>,
  isOver: () => boolean,
  { onError = "throw", inFlight = 2, signal }: DetectAllOptions,
): AsyncGenerator<R | FailedPicture, void, undefined> {
  const many = (v: object): boolean =>
    typeof v === "object" && (Symbol.iterator in v || Symbol.asyncIterator in v) && !ArrayBuffer.isView(v);
  need("images", images ?? null, (v) => v !== null && many(v), "an array, or something else to iterate over");
  need("onError", onError, (v) => v === "throw" || v === "yield", '"throw" or "yield"');
  need("inFlight", inFlight, isCount, "a whole number >= 1");
  throwIfAborted(signal);
  const source = Symbol.asyncIterator in images ? images[Symbol.asyncIterator]() : images[Symbol.iterator]();
  const entries: Entry<R>[] = [];
  const rest = new AbortController(); // ends what is under way when nobody waits for it any more
  let wake = (): void => {};
  let [index, pulling, ended] = [0, false, false];
  /** Takes pictures from the source while there is room: one at a time, for generators are asked so. */
  const fill = async (): Promise<void> => {
    if (pulling) return;
    pulling = true;
    try {
      while (!ended && entries.length < inFlight) {
        const { done, value: image } = await source.next();
        if (done) ended = true;
        else if (!ended) start(image, index++);
      }
    } catch (thrown) {
      ended = true;
      entries.push({ outcome: { thrown } }); // the source's own error, after the pictures before it
    }
    pulling = false;
    wake();
  };
  const start = (image: PictureInput, number: number): void => {
    const entry: Entry<R> = {};
    entries.push(entry);
    const failed = (error: unknown): Entry<R>["outcome"] =>
      onError === "throw" || isOver() ? { thrown: error } : { value: { error, image, index: number } };
    void detect(image, rest.signal)
      .then((value) => ({ value }), failed)
      .then((outcome) => {
        entry.outcome = outcome;
        wake();
      });
  };
  const abort = (): void => wake();
  signal?.addEventListener("abort", abort);
  try {
    for (;;) {
      throwIfAborted(signal);
      const [first] = entries;
      if (first?.outcome) {
        if ("thrown" in first.outcome) throw first.outcome.thrown;
        entries.shift();
        void fill();
        yield first.outcome.value;
        continue;
      }
      if (!first && ended && !pulling) return;
      void fill();
      if (entries[0]?.outcome || (ended && !pulling && entries.length === 0)) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    const early = !ended;
    ended = true;
    rest.abort();
    // Not waited for where the signal said so: a source may be in the middle of anything.
    if (early) {
      const closing = Promise.resolve(source.return?.()).catch(() => undefined);
      if (!signal?.aborted && !pulling) await closing;
    }
  }
}
