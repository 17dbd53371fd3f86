/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The detector as most callers use it: asynchronous, on a thread of its own, so that the caller's event loop stays free
 * from the picture's bytes to its boxes. The work itself is in `pipeline.ts`. A thread that dies takes the calls with it
 * that were under way; the next call starts another, one for all that wait. Files are then read again by the paths given.
 */
import { fail, MobileDetrError } from "../errors.ts";
import {
  checkDetectOptions,
  checkDetectorOptions,
  type DetectOptions,
  type DetectorOptions,
} from "./options.ts";
import type { Detections, DetectorInfo } from "./pipeline.ts";
import type { PlainError, Reply } from "./protocol.ts";
import { type PictureInput, type Posted, takeModel, takePicture, takeWeights } from "./sources.ts";
import { Thread } from "./thread.ts";

interface Waiting {
  resolve(result: Detections): void;
  reject(error: Error): void;
}

/**
 * Loads a detector: the embedded default model unless another is named. Rejects with a MobileDetrError: "argument"
 * (unknown model, bad option, no weights), "file", "format" (YAML, safetensors), "weights" (names or shapes that do not
 * fit, NaN), "size" (an imgsz that the network cannot take).
 */
export async function loadDetector(options: DetectorOptions = {}): Promise<Detector> {
  checkDetectorOptions(options);
  const own = await ownOptions(options);
  let thread: Thread | undefined;
  try {
    const info = await new Promise<DetectorInfo>((resolve, reject) => {
      thread = new Thread(own, {
        reply: (reply) => {
          if (reply.kind === "ready") resolve(reply.info);
          else if (reply.kind === "refused") reject(revive(reply.error));
          else reject(new Error(`detector thread: unexpected ${reply.kind}`));
        },
        ended: reject,
      });
    });
    return new Detector(thread as unknown as Thread, info, own);
  } catch (error) {
    await thread?.terminate();
    throw error;
  }
}

/** Options that the caller cannot change any more, and that a thread can be started from again and again. */
async function ownOptions({ model, weights, ...others }: DetectorOptions): Promise<DetectorOptions> {
  const own = structuredClone(others);
  const [ownModel, ownWeights] = await Promise.all([
    model === undefined ? undefined : takeModel(model, weights === undefined),
    takeWeights(weights),
  ]);
  return { ...own, model: ownModel, weights: ownWeights };
}

/** A loaded network on a thread of its own. Make one with {@link loadDetector}; `close()` it when done. */
export class Detector {
  /** What was loaded and how it runs. */
  readonly info: DetectorInfo;
  readonly #options: DetectorOptions;
  /** Undefined where the last one died: the next call starts another. */
  #thread: Thread | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  /** Calls whose bytes are still waited for, and those behind them. */
  #queue: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** @internal A loaded thread, without listeners, and what another can be started from. */
  constructor(thread: Thread, info: DetectorInfo, options: DetectorOptions) {
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
  async detect(image: PictureInput, options: DetectOptions = {}): Promise<Detections> {
    if (this.#closing) {
      fail("state", "detector", "one that is open", "one that was closed", "load another");
    }
    checkDetectOptions(options);
    const own = structuredClone(options);
    const taken = takePicture(image, this.#options.maxPixels);
    if (!(taken instanceof Promise) && !this.#queue) return this.#send(taken, own);
    // Behind those that came before, whose bytes may be later than these.
    const before = this.#queue;
    let sent: Promise<Detections> | undefined;
    const queued = (async () => {
      const [picture] = await Promise.allSettled([taken, before]);
      if (picture.status === "rejected") throw picture.reason;
      sent = this.#send(picture.value, own);
    })();
    const settled = queued.catch(() => undefined);
    this.#queue = settled;
    void settled.then(() => {
      if (this.#queue === settled) this.#queue = undefined;
    });
    await queued;
    return sent as unknown as Promise<Detections>;
  }

  /** Posts a picture; the promise of its answer. */
  #send({ image, transfer, source, decodeMs }: Posted, options: DetectOptions): Promise<Detections> {
    const id = this.#nextId++;
    return new Promise((settle, reject) => {
      const resolve = (result: Detections): void => {
        if (decodeMs === undefined) settle(result);
        else settle({ ...result, source, speed: { ...result.speed, decode: decodeMs } });
      };
      const thread = this.#thread ?? this.#start();
      thread.ref();
      this.#waiting.set(id, { resolve, reject });
      try {
        thread.post({ kind: "detect", id, image, options }, transfer);
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
    if (reply.kind !== "done" && reply.kind !== "failed") return;
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    this.#rest();
    if (reply.kind === "done") waiting?.resolve(reply.result);
    else waiting?.reject(revive(reply.error));
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
