/** What the detector's thread does, whatever kind of thread it is: loads the pipeline, then answers one request after another. */
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

/** Loads, and says so by `reply`; gives what requests are to be handed to, or nothing where loading was refused. */
export function serve(
  options: DetectorOptions,
  reply: (message: Reply) => void,
): ((request: Request) => void) | undefined {
  let pipeline: Pipeline;
  try {
    pipeline = new Pipeline(options);
  } catch (error) {
    reply({ kind: "refused", error: plain(error) });
    return undefined;
  }
  reply({ kind: "ready", info: pipeline.info });
  return (request) => {
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
  };
}
