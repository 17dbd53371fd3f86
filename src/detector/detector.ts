/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The detector as most callers use it: asynchronous, on a thread of its own, so that the caller's event loop stays free
 * from the picture's bytes to its boxes. The work itself is in `pipeline.ts`.
 */
import { Worker } from "node:worker_threads";
import { MobileDetrError } from "../errors.ts";
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
  const worker = new Worker(workerUrl(), {
    workerData: options,
    execArgv: [], // the process's loaders, hooks and --input-type are not for the worker
  });
  try {
    const info = await new Promise<DetectorInfo>((resolve, reject) => {
      worker.once("message", (reply: Reply) => {
        if (reply.kind === "ready") resolve(reply.info);
        else if (reply.kind === "refused") reject(revive(reply.error));
        else reject(new Error(`detector thread: unexpected ${reply.kind}`));
      });
      worker.once("error", (error) => reject(died(error.message)));
      worker.once("exit", (code) => reject(died(`it exited with code ${code} while loading`)));
    });
    return new Detector(worker, info);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

/** The source runs from `src` under a test runner, but a worker needs plain JavaScript: the built one. */
function workerUrl(): URL {
  const file = import.meta.url.endsWith(".ts") ? "../../dist/detector/worker.js" : "./worker.js";
  return new URL(file, import.meta.url);
}

/** A loaded network on a thread of its own. Make one with {@link loadDetector}; `close()` it when done. */
export class Detector {
  /** What was loaded and how it runs. */
  readonly info: DetectorInfo;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #gone: MobileDetrError | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(worker: Worker, info: DetectorInfo) {
    this.info = info;
    this.#worker = worker;
    worker.removeAllListeners("message").removeAllListeners("error").removeAllListeners("exit");
    worker.on("message", (reply: Reply) => this.#receive(reply));
    worker.on("error", (error) => this.#lose(died(error.message)));
    worker.on("exit", (code) => this.#lose(died(`it exited with code ${code}`)));
    worker.unref(); // an idle detector does not keep the process alive
  }

  /**
   * Finds the objects in one picture: a path, the bytes of a JPEG or PNG file, or pixels
   * `{ data, width, height, channels }` (8 bits, RGB order, 1, 3 or 4 channels; alpha is dropped). Calls are answered in
   * order. Rejects with a MobileDetrError of code "argument", "file", "format", "memory" or "state".
   */
  async detect(image: ImageInput, options: DetectOptions = {}): Promise<Detections> {
    if (this.#gone) throw this.#gone;
    checkDetectOptions(options);
    const id = this.#nextId++;
    const own = ownBytes(image);
    return new Promise((resolve, reject) => {
      this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
      try {
        this.#worker.postMessage(
          { kind: "detect", id, image: own.image, options } satisfies Request,
          own.transfer,
        );
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
    if (this.#gone) return;
    const worker = this.#worker;
    const done = new Promise<void>((resolve) => {
      worker.on("message", (reply: Reply) => {
        if (reply.kind === "closed") resolve();
      });
      worker.once("exit", () => resolve());
    });
    worker.ref();
    worker.postMessage({ kind: "close" } satisfies Request);
    this.#gone = new MobileDetrError(
      "state",
      "detector: expected one that is open, got one that was closed (load another)",
    );
    await done;
    await worker.terminate();
  }

  #receive(reply: Reply): void {
    if (reply.kind !== "done" && reply.kind !== "failed") return;
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    this.#rest();
    if (reply.kind === "done") waiting?.resolve(reply.result);
    else waiting?.reject(revive(reply.error));
  }

  #rest(): void {
    if (this.#waiting.size === 0 && !this.#closing) this.#worker.unref();
  }

  #lose(reason: MobileDetrError): void {
    this.#gone ??= reason;
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

function died(how: string): MobileDetrError {
  return new MobileDetrError(
    "state",
    `detector: expected its thread to live, got its end: ${how} (load another)`,
  );
}

function revive({ code, message, stack }: PlainError): Error {
  const error = code ? new MobileDetrError(code, message) : new Error(message);
  if (stack) error.stack = stack;
  return error;
}
