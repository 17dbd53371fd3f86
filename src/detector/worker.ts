/**
 * The detector's own thread: loads the pipeline, then answers one request after another. Its owner ends it, see
 * `detector.ts`: not every engine lets a worker close its own port.
 */
import { parentPort, workerData } from "node:worker_threads";
import { MobileDetrError, messageOf } from "../errors.ts";
import type { DetectorOptions } from "./options.ts";
import { Pipeline } from "./pipeline.ts";
import type { PlainError, Reply, Request } from "./protocol.ts";

function plain(error: unknown): PlainError {
  return {
    code: error instanceof MobileDetrError ? error.code : undefined,
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  };
}

function serve(options: DetectorOptions): void {
  const port = parentPort;
  if (!port) throw new Error("detector worker: not started as a worker");
  const reply = (message: Reply): void => port.postMessage(message);
  let pipeline: Pipeline;
  try {
    pipeline = new Pipeline(options);
  } catch (error) {
    reply({ kind: "refused", error: plain(error) });
    return;
  }
  port.on("message", (request: Request) => {
    if (request.kind === "close") {
      void pipeline.close().then(() => reply({ kind: "closed" }));
      return;
    }
    const { id, image, options: detectOptions } = request;
    try {
      reply({ kind: "done", id, result: pipeline.detect(image, detectOptions) });
    } catch (error) {
      reply({ kind: "failed", id, error: plain(error) });
    }
  });
  reply({ kind: "ready", info: pipeline.info });
}

serve(workerData as DetectorOptions);
