/** Asks the worker, and keeps the last tensors that it gave. */
import type { CallRecord, Numbers, Questions, Reply, RunRecord, TensorRef } from "./protocol.ts";

const CACHE_BYTES = 64e6;

/** The page's side of the worker. */
export class Client {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #cache = new Map<number, Numbers>();
  #cacheBytes = 0;
  #runs = 0;
  #next = 0;

  constructor(url: URL) {
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ("error" in data) waiting?.reject(new Error(data.error));
      else waiting?.resolve(data.value);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`the worker could not go on: ${event.message || "its script was refused"}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
  }

  /** Asks. */
  ask<K extends keyof Questions>(
    kind: K,
    ask: Questions[K]["ask"],
    transfer: Transferable[] = [],
  ): Promise<Questions[K]["answer"]> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage({ id, kind, ...ask }, transfer);
    });
  }

  /** Runs a network. */
  async run(ask: Questions["run"]["ask"]): Promise<RunRecord> {
    const buffers = [ask.picture, ask.network?.weights].filter((buffer) => buffer !== undefined);
    const record = await this.ask("run", ask, buffers);
    this.#runs++;
    this.#cache.clear();
    this.#cacheBytes = 0;
    return record;
  }

  /** A tensor of the run. */
  async tensor(ref: TensorRef): Promise<Numbers> {
    const known = this.#cache.get(ref.id);
    if (known) return known;
    const run = this.#runs;
    const numbers = await this.ask("tensor", { tensor: ref.id });
    if (run !== this.#runs) return numbers; // of the run before: not to be kept as this one's
    this.#cache.set(ref.id, numbers);
    this.#cacheBytes += numbers.data.byteLength;
    for (const [id, { data }] of this.#cache) {
      if (this.#cacheBytes <= CACHE_BYTES || id === ref.id) break;
      this.#cache.delete(id);
      this.#cacheBytes -= data.byteLength;
    }
    return numbers;
  }
}

/** A run with its calls by path. */
export class Run {
  readonly record: RunRecord;
  readonly photo: ImageBitmap;
  readonly #producers = new Map<number, CallRecord>();

  constructor(record: RunRecord, photo: ImageBitmap) {
    this.record = record;
    this.photo = photo;
    for (const call of [...record.calls].sort((a, b) => a.finished - b.finished)) {
      for (const { id } of call.outputs) if (!this.#producers.has(id)) this.#producers.set(id, call);
    }
  }

  /** A call by its path and turn. */
  find(path: string, turn = 1): CallRecord | undefined {
    return this.record.calls.find((call) => call.path === path && call.turn === turn);
  }

  /** The call that made a tensor, of those that name it the innermost; undefined where something between modules did. */
  producer({ id }: TensorRef): CallRecord | undefined {
    return this.#producers.get(id);
  }

  /** The detection head. */
  get head(): CallRecord {
    const found = this.record.calls.find(({ kind }) => kind === "RTDETRDecoder");
    if (!found) throw new Error("the network has no detection head");
    return found;
  }
}

/** The bytes of a call's outputs. */
export function bytesOf({ outputs }: CallRecord): number {
  return outputs.reduce((sum, { shape }) => sum + 4 * shape.reduce((n, size) => n * size, 1), 0);
}
