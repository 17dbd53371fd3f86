/** The prompt of `mobiledetr step` on a terminal: history, completion, Ctrl-C and Ctrl-D. */
import { createInterface, type Key } from "node:readline";
import type { ReadStream, WriteStream } from "node:tty";
import { EXIT_DONE, EXIT_INTERRUPTED } from "./exit-codes.ts";
import type { StepCommands } from "./step-commands.ts";
import type { StepSession } from "./step-session.ts";

const PROMPT = "(step) ";
const HISTORY = 1000; // lines

/** What a prompt needs. */
export interface PromptOptions {
  readonly session: StepSession;
  readonly commands: StepCommands;
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  /** Does a line, or without one begins, and writes what there is to say, errors too. */
  readonly execute: (line?: string) => Promise<void>;
}

/**
 * Reads and does lines until quit or Ctrl-D (exit code 0). Ctrl-C ends a move at the next module, else it clears the line, else it says
 * how to leave; twice in a row it leaves, with exit code 130.
 */
export async function prompt({ session, commands, stdin, stdout, execute }: PromptOptions): Promise<number> {
  const lines = createInterface({
    input: stdin,
    output: stdout,
    prompt: PROMPT,
    terminal: true,
    historySize: HISTORY,
    removeHistoryDuplicates: true,
    completer: (line: string) => commands.complete(line),
  });
  const typed = lines[Symbol.asyncIterator](); // from here on no line is lost
  let [busy, closed, asked, interrupted] = [false, false, false, false];
  lines.on("close", () => {
    closed = true;
  });
  lines.on("SIGINT", () => {
    if (busy) session.interrupt();
    else if (lines.line !== "") {
      lines.write(null, { ctrl: true, name: "e" });
      lines.write(null, { ctrl: true, name: "u" });
    } else if (asked) {
      interrupted = true;
      lines.close();
    } else {
      asked = true;
      stdout.write("\n(quit, or Ctrl-D, ends it)\n");
      lines.prompt();
    }
  });
  stdin.on("keypress", (_text: string | undefined, key: Key) => {
    if (!(key.ctrl && key.name === "c")) asked = false;
  });
  const work = async (line?: string): Promise<void> => {
    busy = true;
    await execute(line);
    busy = false;
    if (!closed && !session.over) lines.prompt();
  };
  try {
    await work();
    for await (const line of typed) {
      await work(line);
      if (session.over) break;
    }
    if (!session.over) stdout.write("\n"); // Ctrl-D leaves the cursor behind the prompt
    return interrupted ? EXIT_INTERRUPTED : EXIT_DONE;
  } finally {
    lines.close();
  }
}
