/**
 * A program under test as a process: started in a group of its own, its standard error kept to the last few lines, ended with
 * all its children when time is up or when this process ends. Knows no protocol.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fail, messageOf } from "../../errors.ts";

/** How much of standard error is kept for messages, in characters. */
const TAIL_CHARACTERS = 2000;

/** Pipes that grandchildren hold open are not waited for longer than this, in ms. */
const PIPE_GRACE = 200;

const WINDOWS = process.platform === "win32";

/** How a process ended, in words: "ended with exit code 3", and the exit code where there was one. */
export interface Exit {
  readonly code: number | null;
  readonly words: string;
}

const living = new Set<Program>();
let watching = false;

/** Ends what runs when this process ends, whatever the reason: groups of their own do not get its Ctrl-C. */
function watch(): void {
  if (watching) return;
  watching = true;
  process.on("exit", () => {
    for (const program of living) program.kill();
  });
}

/** A started program. */
export class Program {
  readonly child: ChildProcess;
  /** Resolves when it has ended, or could not be started; never rejects. */
  readonly ended: Promise<Exit>;
  #tail = "";

  /**
   * `command` is the program and its arguments; `talks` gives it pipes on standard input and output, else it gets no input and
   * what it prints is dropped.
   */
  constructor(command: readonly string[], talks: boolean) {
    watch();
    const [file, ...args] = command;
    this.child = spawn(file, args, {
      stdio: talks ? ["pipe", "pipe", "pipe"] : ["ignore", "ignore", "pipe"],
      detached: !WINDOWS, // a group of its own, so that its children can be ended with it
      windowsHide: true,
    });
    living.add(this);
    this.child.stdin?.on("error", () => undefined); // it may end before it has read all; `ended` tells
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#tail = (this.#tail + text).slice(-TAIL_CHARACTERS);
    });
    this.ended = new Promise<Exit>((resolve) => {
      let exit: Exit | undefined;
      const finish = (): void => {
        living.delete(this);
        resolve(exit ?? { code: null, words: "ended" });
      };
      this.child.once("error", (error) => {
        exit = { code: null, words: `could not be started: ${messageOf(error)}` };
        finish();
      });
      this.child.once("exit", (code, signal) => {
        exit = {
          code,
          words: signal === null ? `ended with exit code ${code}` : `was ended by signal ${signal}`,
        };
        setTimeout(() => {
          this.kill(); // what it left behind in its group, which may hold the pipes open
          this.child.stdout?.destroy();
          this.child.stderr?.destroy();
          finish();
        }, PIPE_GRACE).unref();
      });
      this.child.once("close", finish);
    });
  }

  /** The last lines of standard error, each indented, behind a line that says so; "" where there was none. */
  get stderr(): string {
    const text = this.#tail.trimEnd();
    if (text === "") return "";
    return `\nstandard error, its end:\n${text.replace(/^/gm, "  ")}`;
  }

  /** Ends it and its children at once. */
  kill(): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      if (WINDOWS) this.child.kill("SIGKILL");
      else process.kill(-pid, "SIGKILL");
    } catch {
      this.child.kill("SIGKILL"); // the group is gone
    }
  }
}

/** Refuses (code "argument") a command whose program is neither a file that can be run nor found in PATH. */
export function checkCommand(command: readonly string[]): void {
  const [file] = command;
  if (file === undefined || file === "") {
    fail("argument", "program", "a program to run, behind --", "none", "as: -- ./my-runtime --threads 1");
  }
  const candidates =
    file.includes("/") || WINDOWS
      ? [file]
      : (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder || ".", file));
  if (WINDOWS || candidates.some(isProgram)) return; // Windows has endings of its own to try
  const mend = file.includes("/") ? "is it executable?" : `is it in PATH? else write ./${file}`;
  fail("argument", "program", "a program that can be run", file, mend);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Waits for a promise at most so many seconds; undefined where it took longer. */
export async function within<T>(seconds: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
