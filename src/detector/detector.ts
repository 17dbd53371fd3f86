/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The detector as most callers use it: asynchronous, on a thread of its own, so that the caller's event loop stays free
 * from the picture's bytes to its boxes. The work itself is in `pipeline.ts`. A thread that dies takes the calls with it
 * that were under way; the next call starts another, one for all that wait. Files are then read again by the paths given.
 */
import { Worker } from "node:worker_threads";
import { builtScript } from "../backend/wasm/built-script.ts";
import { prepareRevectorize } from "../backend/wasm/revectorize.ts";
import { describe, fail, MobileDetrError } from "../errors.ts";
import { checkImage } from "../image/image.ts";
import {
  checkDetectOptions,
  checkDetectorOptions,
  type DetectOptions,
  type DetectorOptions,
} from "./options.ts";
import type { ImageInput } from "./pictures.ts";
import type { Detections, DetectorInfo } from "./pipeline.ts";
import type { PlainError, Reply, Request } from "./protocol.ts";

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
  const own = structuredClone({ ...options, weights: sharedBytes(options.weights) }); // what the caller cannot change
  const worker = startThread(own);
  try {
    const info = await new Promise<DetectorInfo>((resolve, reject) => {
      worker.once("message", (reply: Reply) => {
        if (reply.kind === "ready") resolve(reply.info);
        else if (reply.kind === "refused") reject(revive(reply.error));
        else reject(new Error(`detector thread: unexpected ${reply.kind}`));
      });
      worker.once("error", (error) => reject(died(error.message, "load another")));
      worker.once("exit", (code) => reject(died(`exit code ${code} while loading`, "load another")));
    });
    worker.removeAllListeners("message").removeAllListeners("error").removeAllListeners("exit");
    return new Detector(worker, info, own);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

/** A thread that loads what options say, and then answers. */
function startThread(options: DetectorOptions): Worker {
  if (options.revectorize) prepareRevectorize();
  return new Worker(workerUrl(), {
    workerData: options,
    execArgv: [], // the process's loaders, hooks and --input-type are not for the worker
  });
}

/**
 * Weights in memory that every thread sees: the one copy that the package keeps, for the thread and for starting it again.
 */
function sharedBytes(weights: DetectorOptions["weights"]): DetectorOptions["weights"] {
  if (!(weights instanceof Uint8Array)) return weights;
  const shared = new Uint8Array(new SharedArrayBuffer(weights.byteLength));
  shared.set(weights);
  return shared;
}

/** The source runs from `src` under a test runner, but a worker needs plain JavaScript: the built one. */
function workerUrl(): URL {
  return builtScript(new URL("./worker.js", import.meta.url));
}

/** A loaded network on a thread of its own. Make one with {@link loadDetector}; `close()` it when done. */
export class Detector {
  /** What was loaded and how it runs. */
  readonly info: DetectorInfo;
  readonly #options: DetectorOptions;
  /** Undefined where the last one died: the next call starts another. */
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #closing: Promise<void> | undefined;

  /** @internal A loaded thread, without listeners, and what another can be started from. */
  constructor(worker: Worker, info: DetectorInfo, options: DetectorOptions) {
    this.info = info;
    this.#options = options;
    this.#adopt(worker);
    worker.unref(); // an idle detector does not keep the process alive
  }

  /**
   * Finds the objects in one picture: a path, the bytes of a JPEG or PNG file, or pixels
   * `{ data, width, height, channels }` (8 bits, RGB order, 1, 3 or 4 channels; alpha is dropped). Calls are answered in
   * order. Rejects with a MobileDetrError of code "argument", "file", "format", "memory" or "state"; a "state" that speaks
   * of the thread's end costs the calls that were under way, and the next call loads anew: it may also reject with what
   * `loadDetector` does.
   */
  async detect(image: ImageInput, options: DetectOptions = {}): Promise<Detections> {
    if (this.#closing) {
      fail("state", "detector", "one that is open", "one that was closed", "load another");
    }
    checkDetectOptions(options);
    const id = this.#nextId++;
    const own = ownBytes(image);
    const worker = this.#worker ?? this.#adopt(startThread(this.#options));
    return new Promise((resolve, reject) => {
      worker.ref();
      this.#waiting.set(id, { resolve, reject });
      try {
        worker.postMessage({ kind: "detect", id, image: own.image, options } satisfies Request, own.transfer);
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
    const worker = this.#worker;
    if (!worker) return;
    const done = new Promise<void>((resolve) => {
      worker.on("message", (reply: Reply) => {
        if (reply.kind === "closed") resolve();
      });
      worker.once("exit", () => resolve());
    });
    worker.ref();
    worker.postMessage({ kind: "close" } satisfies Request);
    await done;
    await worker.terminate();
  }

  /** Listens to a thread, which answers from now on. Requests may be sent before it has loaded: it takes them then. */
  #adopt(worker: Worker): Worker {
    this.#worker = worker;
    worker.on("message", (reply: Reply) => this.#receive(worker, reply));
    worker.on("error", (error) => this.#lose(worker, died(error.message, "call again: another is started")));
    worker.on("exit", (code) => {
      this.#lose(worker, died(`exit code ${code}`, "call again: another is started"));
    });
    return worker;
  }

  #receive(worker: Worker, reply: Reply): void {
    if (reply.kind === "refused") {
      void worker.terminate();
      this.#lose(worker, revive(reply.error)); // what loaded once does not load again: the file is gone, perhaps
    }
    if (reply.kind !== "done" && reply.kind !== "failed") return;
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    this.#rest();
    if (reply.kind === "done") waiting?.resolve(reply.result);
    else waiting?.reject(revive(reply.error));
  }

  #rest(): void {
    if (this.#waiting.size === 0 && !this.#closing) this.#worker?.unref();
  }

  /** Gives up a thread that has ended, and the calls that it had; tells nothing about threads before or after it. */
  #lose(worker: Worker, reason: Error): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}

/**
 * The image with bytes of its own: posting a view copies the whole buffer behind it. What was copied here is handed over;
 * the caller's own bytes stay the caller's.
 */
function ownBytes(image: ImageInput): { image: ImageInput; transfer: ArrayBuffer[] } {
  const copy = (bytes: Uint8Array | Uint8ClampedArray): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);
  if (image instanceof Uint8Array) {
    const bytes = copy(image);
    return { image: bytes, transfer: [bytes.buffer] };
  }
  if (typeof image === "object" && image !== null && ArrayBuffer.isView(image.data)) {
    const { width, height, channels } = image;
    checkImage(image);
    const data = copy(image.data);
    return { image: { data, width, height, channels }, transfer: [data.buffer] };
  }
  return { image, transfer: [] };
}

function died(how: string, mend: string): MobileDetrError {
  return new MobileDetrError("state", describe("detector", "its thread to live", `its end: ${how}`, mend));
}

function revive({ code, message, stack }: PlainError): Error {
  const error = code ? new MobileDetrError(code, message) : new Error(message);
  if (stack) error.stack = stack;
  return error;
}
