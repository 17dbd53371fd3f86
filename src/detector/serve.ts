/** What the detector's thread does, whatever kind of thread it is: loads the pipeline, then answers one request after another. */
import { MobileDetrError, messageOf } from "../errors.ts";
import type { Progress } from "./options.ts";
import { Pipeline } from "./pipeline.ts";
import type { CallOptions, PlainError, Reply, Request, ThreadOptions } from "./protocol.ts";

const NEWS = 50; // of a phase at most: a message costs some 0.01 ms

function plain(error: unknown): PlainError {
  return {
    code: error instanceof MobileDetrError ? error.code : undefined,
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  };
}

/** Loads, and says so by `reply`; gives what requests are to be handed to, or nothing where loading was refused. */
export function serve(
  { progress, ...options }: ThreadOptions,
  reply: (message: Reply) => void,
): ((request: Request) => void) | undefined {
  let pipeline: Pipeline;
  try {
    pipeline = new Pipeline({ ...options, onProgress: progress ? teller(reply) : undefined });
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
    const { id, image, options } = request;
    const { tiling, ...own } = options;
    try {
      const call = { ...own, onProgress: watcher(options, id, reply) };
      const result = tiling
        ? pipeline.detectTiled(image, { ...tiling, ...call })
        : pipeline.detect(image, call);
      reply({ kind: "done", id, result: result.toJSON() });
    } catch (error) {
      reply({ kind: "failed", id, error: plain(error) });
    }
  };
}

/** Looks after every kernel whether anybody still waits, and tells how far it is; nothing where neither was asked for. */
function watcher(
  { dropped, progress }: CallOptions,
  id: number,
  reply: (message: Reply) => void,
): ((progress: Progress) => void) | undefined {
  const tell = progress ? teller(reply, id) : undefined;
  if (!dropped) return tell;
  return (news) => {
    if (Atomics.load(dropped, 0) !== 0) throw new Error("dropped"); // nobody hears it
    tell?.(news);
  };
}

/** Posts the beginning, the end, and some between. */
function teller(reply: (message: Reply) => void, id?: number): (progress: Progress) => void {
  let [phase, next] = ["", 0];
  return (progress) => {
    const { loaded, total = 0 } = progress;
    if (progress.phase !== phase) [phase, next] = [progress.phase, 0];
    if (loaded < next && loaded !== total) return;
    next = loaded + total / NEWS;
    reply({ kind: "progress", id, progress });
  };
}
