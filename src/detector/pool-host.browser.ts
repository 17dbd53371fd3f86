/**
 * A detector's thread and the page that started it, about the workers of the thread's pool, which are the page's children:
 * `pool-thread.browser.ts` says why. The thread asks, the page starts and ends.
 */
import {
  type PoolStart,
  type PoolThread,
  type StartPoolThread,
  startOwn,
} from "../backend/wasm/pool-thread.ts";
import { messageOf } from "../errors.ts";

/** From the thread to the page. */
export type PoolRequest =
  | { readonly kind: "pool-start"; readonly id: number; readonly start: PoolStart; readonly url?: string }
  | { readonly kind: "pool-end"; readonly id: number };

/** From the page to the thread. */
export interface PoolFailure {
  readonly kind: "pool-failed";
  readonly id: number;
  readonly how: string;
}

/** The page's side: the pool's workers of one detector. */
export class PoolHost {
  readonly #threads = new Map<number, PoolThread>();
  readonly #tell: (failure: PoolFailure) => void;

  /** `tell` posts to the thread. */
  constructor(tell: (failure: PoolFailure) => void) {
    this.#tell = tell;
  }

  /** Does what the thread asks for; false for a message of another kind. */
  take(message: PoolRequest | { readonly kind: string }): message is PoolRequest {
    if (message.kind === "pool-start") {
      const { id, start, url } = message as Extract<PoolRequest, { kind: "pool-start" }>;
      const failed = (how: string): void => this.#tell({ kind: "pool-failed", id, how });
      try {
        this.#threads.set(id, startOwn(start, url, failed));
      } catch (error) {
        failed(messageOf(error));
      }
      return true;
    }
    if (message.kind !== "pool-end") return false;
    const { id } = message as Extract<PoolRequest, { kind: "pool-end" }>;
    this.#threads.get(id)?.end();
    this.#threads.delete(id);
    return true;
  }

  /** Ends all of them. */
  end(): void {
    for (const thread of this.#threads.values()) thread.end();
    this.#threads.clear();
  }
}

/** The thread's side: what starts workers by asking the page, and what takes the page's messages about them. */
export class PoolGuest {
  readonly #ask: (request: PoolRequest) => void;
  readonly #failed = new Map<number, (how: string) => void>();
  #next = 0;

  /** `ask` posts to the page. */
  constructor(ask: (request: PoolRequest) => void) {
    this.#ask = ask;
  }

  /** As `startOwn`, by the page. */
  readonly start: StartPoolThread = (start, url, failed) => {
    const id = this.#next++;
    this.#failed.set(id, failed);
    this.#ask({ kind: "pool-start", id, start, url });
    return {
      end: () => {
        this.#failed.delete(id);
        this.#ask({ kind: "pool-end", id });
      },
    };
  };

  /** Takes a message of the page; false for one of another kind. */
  take(message: PoolFailure | { readonly kind: string }): boolean {
    if (message.kind !== "pool-failed") return false;
    const { id, how } = message as PoolFailure;
    this.#failed.get(id)?.(how);
    return true;
  }
}
