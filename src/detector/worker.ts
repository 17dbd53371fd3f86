/**
 * The detector's own thread: `serve.ts` on a worker thread. Its owner ends it, see `detector.ts`: not every engine lets a
 * worker close its own port.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { ThreadOptions } from "./protocol.ts";
import { serve } from "./serve.ts";

const port = parentPort;
if (!port) throw new Error("detector worker: not started as a worker");
const answer = serve(workerData as ThreadOptions, (message) => port.postMessage(message));
if (answer) port.on("message", answer);
