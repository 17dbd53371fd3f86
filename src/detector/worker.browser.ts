/**
 * The one script of all web workers, embedded in browser builds and published as `worker.js`. The first message says what the
 * worker is: a detector's thread (`serve.ts`), or one of the threads of a pool (`backend/wasm/control.ts`).
 */
import { controlAt, serve as servePool } from "../backend/wasm/control.ts";
import { instantiateKernels } from "../backend/wasm/instantiate.ts";
import { type PoolStart, startPoolThreadsBy } from "../backend/wasm/pool-thread.ts";
import { type PoolFailure, PoolGuest } from "./pool-host.ts";
import type { Request } from "./protocol.ts";
import { serve } from "./serve.ts";
import type { DetectorStart } from "./thread.ts";

/** What this needs of a dedicated worker's global scope, whose types do not go together with a page's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}

const scope = self as unknown as WorkerScope;

scope.onmessage = ({ data }: MessageEvent<PoolStart | DetectorStart>) => {
  if (data.role === "pool") {
    const { module, memory, control, index } = data;
    servePool(controlAt(memory, control), instantiateKernels(module, memory), index);
    return;
  }
  const guest = new PoolGuest((request) => scope.postMessage(request));
  startPoolThreadsBy(guest.start);
  // Requests that were sent meanwhile wait in the queue until this returns.
  const answer = serve(data.options, (message) => scope.postMessage(message));
  scope.onmessage = ({ data }: MessageEvent<Request | PoolFailure>) => {
    if (!guest.take(data)) answer?.(data as Request);
  };
};
