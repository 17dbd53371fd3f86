/**
 * The detector's own thread, seen from its owner: a worker thread that loads what options say, and then answers. A browser
 * build takes `thread.browser.ts` in its place.
 */
import { Worker } from "node:worker_threads";
import { builtScript } from "../backend/wasm/built-script.ts";
import { prepareRevectorize } from "../backend/wasm/revectorize.ts";
import { describe, MobileDetrError } from "../errors.ts";
import type { Reply, Request, ThreadListener, ThreadOptions } from "./protocol.ts";

/** A thread. */
export class Thread {
  readonly #worker: Worker;
  /** Who listens; may be set anew. */
  listener: ThreadListener;

  /** Starts it. Throws where no thread can be made. */
  constructor(options: ThreadOptions, listener: ThreadListener) {
    this.listener = listener;
    if (options.revectorize) prepareRevectorize();
    this.#worker = new Worker(workerUrl(), {
      workerData: options,
      execArgv: [], // the process's loaders, hooks and --input-type are not for the worker
    });
    this.#worker.on("message", (reply: Reply) => this.listener.reply(reply));
    this.#worker.on("error", (error) => this.listener.ended(died(error.message)));
    this.#worker.on("exit", (code) => this.listener.ended(died(`exit code ${code}`)));
  }

  /** Sends a request, which it takes when it has loaded. Throws for what cannot be sent. */
  post(request: Request, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  /** Keeps the process alive while it runs. */
  ref(): void {
    this.#worker.ref();
  }

  /** Lets the process end if it has nothing else to do. */
  unref(): void {
    this.#worker.unref();
  }

  /** Ends it, whatever it does; resolves when it has ended. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}

function died(how: string): MobileDetrError {
  const mend = "call again: another is started";
  return new MobileDetrError("state", describe("detector", "its thread to live", `its end: ${how}`, mend));
}

/** The source runs from `src` under a test runner, but a worker needs plain JavaScript: the built one. */
function workerUrl(): URL {
  return builtScript(new URL("./worker.js", import.meta.url));
}
