/**
 * `thread.ts` for browsers: a web worker. QUIRK: a browser does not tell of a worker's end, but of an error that nobody
 * caught, and of a script that it did not run.
 */
import { refused, startWorker } from "../backend/wasm/worker-script.ts";
import { describe, MobileDetrError } from "../errors.ts";
import { PoolHost, type PoolRequest } from "./pool-host.ts";
import type { Reply, Request, ThreadListener, ThreadOptions } from "./protocol.ts";

/** The first message to a detector's worker. */
export interface DetectorStart {
  readonly role: "detector";
  readonly options: ThreadOptions;
}

/** A thread. */
export class Thread {
  readonly #worker: Worker;
  readonly #pool: PoolHost;
  #answered = false;
  /** Who listens; may be set anew. */
  listener: ThreadListener;

  /** Starts it. Throws code "state" where the browser refuses at once; refusals that come later are told to the listener. */
  constructor(options: ThreadOptions, listener: ThreadListener) {
    this.listener = listener;
    const { workerUrl } = options;
    const worker = startWorker(workerUrl);
    this.#worker = worker;
    this.#pool = new PoolHost((failure) => worker.postMessage(failure));
    worker.onmessage = ({ data }: MessageEvent<Reply | PoolRequest>) => {
      this.#answered = true;
      if (!this.#pool.take(data)) this.listener.reply(data);
    };
    worker.onerror = (event) => {
      event.preventDefault(); // it is told here, and not on the console as well
      void this.terminate();
      const how = event.message || "an error event without a word";
      const mend = "call again: another is started";
      this.listener.ended(
        this.#answered
          ? new MobileDetrError("state", describe("detector", "its thread to live", `its end: ${how}`, mend))
          : refused(how, workerUrl),
      );
    };
    worker.postMessage({ role: "detector", options } satisfies DetectorStart);
  }

  /** Sends a request, which it takes when it has loaded. Throws for what cannot be sent. */
  post(request: Request, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, [...transfer]);
  }

  /** Nothing: a page lives as long as it is open. */
  ref(): void {}

  /** Nothing. */
  unref(): void {}

  /** Ends it and the workers of its pool, whatever they do. */
  async terminate(): Promise<void> {
    this.#worker.terminate();
    this.#pool.end();
  }
}
