/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The detector as most callers use it: asynchronous, on a thread of its own, so that the caller's event loop stays free
 * from the picture's bytes to its boxes. The work itself is in `pipeline.ts`. A thread that dies takes the calls with it
 * that were under way; the next call starts another, one for all that wait. Files are then read again by the paths given.
 */
import { fail, MobileDetrError } from "../errors.ts";
import { type AbortSignalLike, throwIfAborted, untilAborted } from "./abort.ts";
import { type DetectAllOptions, detectAll, type FailedPicture } from "./detect-all.ts";
import {
  checkDetectOptions,
  checkDetectorOptions,
  type DetectOptions,
  type DetectorOptions,
  type Progress,
  type Watching,
} from "./options.ts";
import type { DetectorInfo } from "./pipeline.ts";
import type { CallOptions, PlainError, Reply, ThreadOptions } from "./protocol.ts";
import { Results } from "./results.ts";
import { type PictureInput, type Posted, takeModel, takePicture, takeWeights } from "./sources.ts";
import { Thread } from "./thread.ts";
import { checkedTiling, type TiledOptions, type Tiling } from "./tiles.ts";

/** One call, from when it was made. */
interface Call {
  readonly image: PictureInput;
  readonly options: CallOptions;
  readonly onProgress?: (progress: Progress) => void;
  /** Kept for the results; not where it was given away. */
  readonly kept: PictureInput | undefined;
  /** Set when it was posted. */
  id?: number;
  /** Nobody waits for it any more. */
  dropped?: boolean;
}

interface Waiting extends Pick<Posted, "source" | "decodeMs"> {
  readonly call: Call;
  resolve(result: Results): void;
  reject(error: unknown): void;
}

/**
 * Loads a detector: the embedded default model unless another is named. Rejects with a MobileDetrError: "argument"
 * (unknown model, bad option, no weights), "file", "format" (YAML, safetensors), "weights" (names or shapes that do not
 * fit, NaN), "size" (an imgsz that the network cannot take).
 */
export async function loadDetector(options: DetectorOptions = {}): Promise<Detector> {
  checkDetectorOptions(options);
  const { signal, onProgress, ...others } = options;
  throwIfAborted(signal);
  let thread: Thread | undefined;
  const loading = new Promise<Detector>((resolve, reject) => {
    const told = onProgress && guarded(onProgress, reject);
    const load = async (): Promise<void> => {
      const own = await ownOptions(others, { signal, onProgress: told });
      throwIfAborted(signal);
      const listener = {
        reply: (reply: Reply) => {
          if (reply.kind === "ready") resolve(new Detector(thread as unknown as Thread, reply.info, own));
          else if (reply.kind === "progress") told?.(reply.progress);
          else if (reply.kind === "refused") reject(revive(reply.error));
          else reject(new Error(`detector thread: unexpected ${reply.kind}`));
        },
        ended: reject,
      };
      thread = new Thread({ ...own, progress: told !== undefined }, listener);
    };
    load().catch(reject);
  });
  try {
    return await untilAborted(signal, loading, () => void thread?.terminate());
  } catch (error) {
    if (!signal?.aborted) await thread?.terminate();
    throw error;
  }
}

/** What a callback throws goes to `reject`. */
function guarded(
  onProgress: (progress: Progress) => void,
  reject: (error: unknown) => void,
): (progress: Progress) => void {
  return (progress) => {
    try {
      onProgress(progress);
    } catch (error) {
      reject(error);
    }
  };
}

/** Options that the caller cannot change any more, and that a thread can be started from again and again. */
async function ownOptions(
  { model, weights, ...others }: DetectorOptions,
  watching: Watching,
): Promise<ThreadOptions> {
  const own = structuredClone(others);
  const [ownModel, ownWeights] = await Promise.all([
    model === undefined ? undefined : takeModel(model, weights === undefined, watching),
    takeWeights(weights, watching),
  ]);
  return { ...own, model: ownModel, weights: ownWeights };
}

/** A loaded network on a thread of its own. Make one with {@link loadDetector}; `close()` it when done. */
export class Detector {
  /** What was loaded and how it runs. */
  readonly info: DetectorInfo;
  readonly #options: ThreadOptions;
  /** Undefined where the last one died: the next call starts another. */
  #thread: Thread | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  /** Calls whose bytes are still waited for, and those behind them. */
  #queue: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** @internal A loaded thread, without listeners, and what another can be started from. */
  constructor(thread: Thread, info: DetectorInfo, options: ThreadOptions) {
    this.info = info;
    this.#options = options;
    this.#adopt(thread);
    thread.unref(); // an idle detector does not keep the process alive
  }

  /**
   * Finds the objects in one picture: a path (not in browsers), the bytes of a JPEG, PNG, BMP or GIF file (Uint8Array,
   * ArrayBuffer, Blob, File), its URL as an object, pixels `{ data, width, height, channels }` (8 bits, RGB order, 1, 3 or 4 channels; alpha is
   * dropped), or, in browsers, what a canvas can draw. Calls are answered in order. Rejects with a MobileDetrError of code
   * "argument", "file", "format", "memory" or "state"; a "state" that speaks of the thread's end costs the calls that were
   * under way, and the next call loads anew: it may also reject with what `loadDetector` does.
   */
  async detect(image: PictureInput, options: DetectOptions = {}): Promise<Results> {
    return this.#call(image, options);
  }

  /**
   * Finds the objects in a large picture, tile by tile, and makes one list of them: see {@link TiledOptions}. Otherwise as
   * `detect`; boxes are in pixels of the whole picture. One tile is in memory at a time beside the decoded picture.
   */
  async detectTiled(image: PictureInput, options: TiledOptions = {}): Promise<Results> {
    checkDetectOptions(options);
    return this.#call(image, options, checkedTiling(options));
  }

  /**
   * Finds the objects in many pictures: arrays, generators, anything to iterate over, in time or not. Results come in order; few
   * pictures are held at a time, and no more are asked for than that. A loop that is left ends what is under way.
   */
  detectAll(
    images: Iterable<PictureInput> | AsyncIterable<PictureInput>,
    options: DetectAllOptions & { onError: "yield" },
  ): AsyncGenerator<Results | FailedPicture, void, undefined>;
  detectAll(
    images: Iterable<PictureInput> | AsyncIterable<PictureInput>,
    options?: DetectAllOptions & { onError?: "throw" },
  ): AsyncGenerator<Results, void, undefined>;
  detectAll(
    images: Iterable<PictureInput> | AsyncIterable<PictureInput>,
    options: DetectAllOptions = {},
  ): AsyncGenerator<Results | FailedPicture, void, undefined> {
    checkDetectOptions(options);
    const { onError: _, inFlight: __, ...each } = options;
    const detect = (image: PictureInput, signal: AbortSignalLike): Promise<Results> =>
      this.#call(image, { ...each, signal });
    return detectAll(images, detect, () => this.#closing !== undefined, options);
  }

  async #call(image: PictureInput, options: DetectOptions, tiling?: Tiling): Promise<Results> {
    if (this.#closing) {
      fail("state", "detector", "one that is open", "one that was closed", "load another");
    }
    checkDetectOptions(options);
    if (Array.isArray(image)) fail("argument", "detect", "one picture", "a list", "detectAll takes many");
    const { conf, classes, max_det, sort, signal, onProgress, transfer } = options;
    throwIfAborted(signal);
    const own: CallOptions = structuredClone({
      conf,
      classes,
      max_det,
      sort,
      tiling,
      progress: !!onProgress,
    });
    const shared = signal && typeof SharedArrayBuffer === "function" && this.info.isolated;
    const dropped = shared ? new Int32Array(new SharedArrayBuffer(4)) : undefined;
    const kept = transfer ? undefined : image;
    const call: Call = { image, options: { ...own, dropped }, onProgress, kept };
    return untilAborted(signal, this.#post(call, { transfer, signal }), () => {
      call.dropped = true;
      if (dropped) Atomics.store(dropped, 0, 1);
      if (call.id === undefined || !this.#waiting.delete(call.id)) return;
      this.#rest();
    });
  }

  /** Posts a picture in its turn. */
  async #post(call: Call, options: Pick<DetectOptions, "transfer" | "signal">): Promise<Results> {
    const taken = takePicture(call.image, { ...options, maxPixels: this.#options.maxPixels });
    if (!(taken instanceof Promise) && !this.#queue) return this.#send(taken, call);
    // Behind those that came before, whose bytes may be later than these.
    const before = this.#queue;
    let sent: Promise<Results> | undefined;
    const queued = (async () => {
      const [picture] = await Promise.allSettled([taken, before]);
      if (picture.status === "rejected") throw picture.reason;
      if (!call.dropped) sent = this.#send(picture.value, call);
    })();
    const settled = queued.catch(() => undefined);
    this.#queue = settled;
    void settled.then(() => {
      if (this.#queue === settled) this.#queue = undefined;
    });
    await queued;
    return sent as unknown as Promise<Results>;
  }

  /** Posts a picture; the promise of its answer. */
  #send({ image, transfer, source, decodeMs }: Posted, call: Call): Promise<Results> {
    const id = this.#nextId++;
    call.id = id;
    return new Promise((resolve, reject) => {
      const thread = this.#thread ?? this.#start();
      thread.ref();
      this.#waiting.set(id, { call, source, decodeMs, resolve, reject });
      try {
        thread.post({ kind: "detect", id, image, options: call.options }, transfer);
      } catch (error) {
        this.#waiting.delete(id);
        this.#rest();
        const message =
          "detect: expected a path, bytes or pixels, got something that cannot be sent to a thread";
        reject(new MobileDetrError("argument", message, { cause: error }));
      }
    });
  }

  /** Ends every thread and frees all memory, after the calls that are under way. A second call changes nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** `await using detector = await loadDetector()` closes it at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await this.#queue;
    const thread = this.#thread;
    if (!thread) return;
    const done = new Promise<void>((resolve) => {
      thread.listener = {
        reply: (reply) => {
          this.#receive(thread, reply);
          if (reply.kind === "closed" || reply.kind === "refused") resolve();
        },
        ended: (reason) => {
          this.#lose(thread, reason);
          resolve();
        },
      };
    });
    thread.ref();
    thread.post({ kind: "close" });
    await done;
    await thread.terminate();
  }

  #start(): Thread {
    return this.#adopt(new Thread(this.#options, { reply: () => undefined, ended: () => undefined }));
  }

  /** Listens to a thread, which answers from now on. Requests may be sent before it has loaded: it takes them then. */
  #adopt(thread: Thread): Thread {
    this.#thread = thread;
    thread.listener = {
      reply: (reply) => this.#receive(thread, reply),
      ended: (reason) => this.#lose(thread, reason),
    };
    return thread;
  }

  #receive(thread: Thread, reply: Reply): void {
    if (reply.kind === "refused") {
      void thread.terminate();
      this.#lose(thread, revive(reply.error)); // what loaded once does not load again: the file is gone, perhaps
    }
    if (reply.kind !== "done" && reply.kind !== "failed" && reply.kind !== "progress") return;
    const id = reply.id ?? -1; // news of loading are for who loads
    const waiting = this.#waiting.get(id);
    if (reply.kind === "progress") {
      if (waiting?.call.onProgress) guarded(waiting.call.onProgress, waiting.reject)(reply.progress);
      return;
    }
    this.#waiting.delete(id);
    this.#rest();
    if (!waiting) return; // dropped
    const { kept: image } = waiting.call;
    const { names } = this.info;
    const { source, decodeMs } = waiting;
    if (reply.kind === "failed") {
      waiting.reject(revive(reply.error));
      return;
    }
    // What was decoded here came to the thread as pixels.
    const { result } = reply;
    const found =
      decodeMs === undefined ? result : { ...result, source, speed: { ...result.speed, decode: decodeMs } };
    waiting.resolve(new Results(found, { names, image, maxPixels: this.#options.maxPixels }));
  }

  #rest(): void {
    if (this.#waiting.size === 0 && !this.#closing) this.#thread?.unref();
  }

  /** Gives up a thread that has ended, and the calls that it had; tells nothing about threads before or after it. */
  #lose(thread: Thread, reason: Error): void {
    if (thread !== this.#thread) return;
    this.#thread = undefined;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}

function revive({ code, message, stack }: PlainError): Error {
  const error = code ? new MobileDetrError(code, message) : new Error(message);
  if (stack) error.stack = stack;
  return error;
}
