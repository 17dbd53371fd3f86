/**
 * The one script of all web workers, embedded in browser builds and published as `worker.js`. The first message says what the
 * worker is: a detector's thread (`serve.ts`), or one of the threads of its pool (`backend/wasm/control.ts`).
 */
import { controlAt, serve as servePool } from "../backend/wasm/control.ts";
import { instantiateKernels } from "../backend/wasm/instantiate.ts";
import type { PoolStart } from "../backend/wasm/pool-worker.ts";
import { serve } from "./serve.ts";
import type { DetectorStart } from "./thread.ts";

/** What this needs of a dedicated worker's global scope, whose types do not go together with a page's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

const scope = self as unknown as WorkerScope;

scope.onmessage = ({ data }: MessageEvent<PoolStart | DetectorStart>) => {
  if (data.role === "pool") {
    const { module, memory, control, index } = data;
    servePool(controlAt(memory, control), instantiateKernels(module, memory), index);
    scope.close(); // told to quit
    return;
  }
  // Requests that were sent meanwhile wait in the queue until this returns.
  const answer = serve(data.options, (message) => scope.postMessage(message));
  scope.onmessage = answer ? (event) => answer(event.data) : null;
};
