/**
 * Any program as a runtime, one process a case: it is called with two more arguments, the folder of the request and that of the
 * response (docs/conformance-protocol.md, "folders").
 */
import { basename } from "node:path";
import type { RunRequest, RunResponse, Runtime } from "../runtime.ts";
import { Exchange, type ExchangeOptions } from "./exchange.ts";
import { checkCommand, Program, within } from "./program.ts";

/** Options of the runtimes that are programs. */
export interface ProgramOptions extends ExchangeOptions {
  /** What reports call it; the program's file name unless said. */
  readonly name?: string;
  /** Seconds that one case may take; 120 unless said. */
  readonly timeout?: number;
}

/** Seconds that one case may take unless said: a large detector on plain loops. */
export const DEFAULT_TIMEOUT = 120;

/** A program and its arguments as a runtime. Throws "argument" where there is no such program. */
export function openFolderRuntime(command: readonly string[], options: ProgramOptions = {}): Runtime {
  checkCommand(command);
  const { name = basename(command[0]), timeout = DEFAULT_TIMEOUT } = options;
  const exchange = new Exchange(options);
  return {
    name,
    async run(request: RunRequest): Promise<RunResponse> {
      const folders = exchange.write(request);
      try {
        const start = performance.now();
        const program = new Program([...command, folders.request, folders.output], false);
        const exit = await within(timeout, program.ended);
        if (!exit) {
          program.kill();
          await program.ended;
          return { status: "failed", message: `it took more than ${timeout} s${program.stderr}`, late: true };
        }
        const seconds = (performance.now() - start) / 1000;
        if (exit.code === 0) return exchange.read(folders.output, seconds, request);
        const said = exchange.read(folders.output, seconds, request);
        // What it says before it fails may be the reason; outputs of a program that failed are not to be trusted.
        if (said.status === "unsupported") return said;
        const reason =
          said.status === "failed" && !said.message.includes("no outputs") ? `: ${said.message}` : "";
        return { status: "failed", message: `it ${exit.words}${reason}${program.stderr}` };
      } finally {
        exchange.remove(folders);
      }
    },
    async close(): Promise<void> {
      exchange.close();
    },
  };
}
