/** Starts the built command line in a process of its own, as a user does. `npm test` builds it first. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** The pictures that ship as examples. */
export const PICTURES = fileURLToPath(new URL("../../examples/pictures/", import.meta.url));

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of {@link runCli}. */
export interface RunOptions {
  /** Working directory. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sent when standard output first matches. */
  readonly signalOn?: { readonly output: RegExp; readonly signal: NodeJS.Signals };
  /** Standard output is closed when this has been read. */
  readonly closeOn?: RegExp;
  /** What comes on standard input; nothing unless said. */
  readonly stdin?: string | Uint8Array;
  /** A file descriptor in the place of the pipe that standard output is. */
  readonly stdout?: number;
}

/** Runs `mobiledetr` with these words. */
export function runCli(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not built: npm run build`);
  const child = spawn(process.execPath, [MAIN, ...words], {
    cwd: options.cwd,
    env: { ...process.env, NO_COLOR: "", MOBILEDETR_DEBUG: "", ...options.env },
    stdio: [options.stdin === undefined ? "ignore" : "pipe", options.stdout ?? "pipe", "pipe"],
  });
  child.stdin?.on("error", () => undefined).end(options.stdin); // it may not be read to its end
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    stdout += text;
    if (options.closeOn?.test(stdout)) child.stdout?.destroy();
    if (options.signalOn?.output.test(stdout)) child.kill(options.signalOn.signal);
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** A folder for the tests of one file, removed at their end. */
export function scratchFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "mobiledetr-cli-"));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Every file below a folder, by relative path, sorted. */
export function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(path.length + 1))
    .sort();
}
