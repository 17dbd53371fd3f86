/**
 * One worker thread of a pool, seen from its owner: its start, its end, and the proof of its end.
 *
 * A thread that died tells nobody: its "exit" event comes when the owner's event loop turns, and the owner waits for its
 * workers synchronously. Time proves nothing either: a thread that has done nothing for a second may be dead, or may
 * just not have been given a processor, and then it will go on to write into the memory. So each worker holds one end of
 * a message channel, which the engine closes when the thread has ended, after its last instruction; the owner tries to
 * hand its own end to itself, which the specification of structured cloning forbids for an end that is closed. That
 * answer is synchronous and never wrong in the dangerous direction: a slow thread's channel is open. Where an engine does
 * not close channels at once (Deno), or cannot hand them over ({@link channelsTell}), the event and the pool's limit of
 * time are what is left.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { messageOf } from "../../errors.ts";
import { builtScript } from "./built-script.ts";

/** What every worker of a pool is started with. */
export interface WorkerShared {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Byte address of the control block. */
  readonly control: number;
}

/** What one worker is started with. */
export interface WorkerData extends WorkerShared {
  /** Its number in the pool, from 1. */
  readonly index: number;
  /** Held, never used: closed by the engine when the thread ends. */
  readonly life: MessagePort;
}

/** A worker thread that was started. */
export class PoolWorker {
  readonly index: number;
  readonly #worker: Worker;
  #port: MessagePort;
  #ended = false;
  #cause: string | undefined;

  /** Starts it; `onEnd` is called when the event loop hears of its end. Throws where no thread can be made. */
  constructor(index: number, shared: WorkerShared, onEnd: (worker: PoolWorker) => void, url = workerUrl()) {
    this.index = index;
    const { port1, port2: life } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(url, {
      workerData: { ...shared, index, life } satisfies WorkerData,
      transferList: [life],
      execArgv: [], // the owner's loaders, hooks and --input-type are not for workers
    });
    this.#worker.on("error", (error) => {
      this.#cause ??= messageOf(error);
    });
    this.#worker.on("exit", (code) => {
      this.#cause ??= `it exited with code ${code}`;
      this.#ended = true;
      this.#port.close();
      onEnd(this);
    });
    this.#worker.unref(); // a process that has nothing else to do may end
  }

  /** Why it ended, as far as is known. */
  get cause(): string {
    return this.#cause ?? "it ended";
  }

  /** Whether the thread is proved to have ended; asks the engine, about 0.1 ms. Never true of one that only is slow. */
  hasEnded(): boolean {
    if (this.#ended) return true;
    const port = passOn(this.#port);
    if (port) this.#port = port;
    else this.#ended = channelsTell();
    return this.#ended;
  }

  /** Tells it to end, whatever it does; resolves when it has. */
  async end(): Promise<void> {
    this.#worker.ref(); // or the process could end before the promise
    await this.#worker.terminate();
  }
}

/** The same port, handed over to this very thread; undefined where it is closed. */
function passOn(port: MessagePort): MessagePort | undefined {
  try {
    receiveMessageOnPort(port); // takes in that the other side was closed, if that is what waits there
    return structuredClone(port, { transfer: [port] });
  } catch {
    return undefined;
  }
}

/** Whether this engine hands open ports over, and over again: else nothing follows from one that it does not hand over. */
function channelsTell(): boolean {
  const { port1 } = new MessageChannel();
  const once = passOn(port1);
  const twice = once && passOn(once);
  twice?.close();
  return twice !== undefined;
}

function workerUrl(): URL {
  return builtScript(new URL("./worker.js", import.meta.url));
}
