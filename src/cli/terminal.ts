/**
 * Where a command writes: results to standard output, everything else to standard error. Colours only where the stream is
 * a terminal and NO_COLOR is unset or empty (no-color.org).
 */
import * as util from "node:util";
import { MobileDetrError, messageOf } from "../errors.ts";
import { printable, printableLines } from "./printable.ts";
import { fitColumns } from "./text-table.ts";

/** Looks that {@link Terminal.paint} knows. */
export type Look = "bold" | "dim" | "red" | "green" | "cyan";

/** What is needed of `process.stdout` and `process.stderr`. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Of the terminal, as it is now. */
  readonly columns?: number;
}

/** The two streams and the environment. */
export interface TerminalOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Writes for people (and `--json` for programs). Callers make foreign text {@link printable}. */
export class Terminal {
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  readonly #env: Readonly<Record<string, string | undefined>>;
  /** The line of {@link progress} that stands there. */
  #line = "";

  constructor({ stdout, stderr, env = {} }: TerminalOptions) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#env = env;
  }

  /** A line (or several) on standard output. */
  print(text: string): void {
    this.#write(this.#stdout, text);
  }

  /** A line (or several) on standard error. */
  note(text: string): void {
    this.#write(this.#stderr, text);
  }

  /** Whether {@link progress} shows anything: standard error is a terminal that can take a line back. */
  get interactive(): boolean {
    return this.#stderr.isTTY === true && this.#env.TERM !== "dumb";
  }

  /** Columns that {@link progress} has. */
  get columns(): number {
    return (this.#stderr.columns || 80) - 1; // in the last one some terminals break the line
  }

  /**
   * A line on standard error, where that is a terminal, cut to its width: it stays below all that is printed, the next one takes its
   * place, undefined takes it away.
   */
  progress(text: string | undefined): void {
    if (!this.interactive || (text === undefined && this.#line === "")) return;
    this.#line = text === undefined ? "" : fitColumns(printable(text), this.columns);
    this.#stderr.write(`\r\x1b[K${this.#line}`);
  }

  #write(stream: OutputStream, text: string): void {
    const covered = this.#line !== "" && stream.isTTY;
    if (covered) this.#stderr.write("\r\x1b[K");
    stream.write(`${text}\n`);
    if (covered) this.#stderr.write(this.#line);
  }

  /**
   * An error's message on standard error, after "mobiledetr: "; the stack as well where MOBILEDETR_DEBUG is set. `input`
   * is the file that it is about, whose name may hold anything.
   */
  report(error: unknown, input?: string): void {
    const known = error instanceof MobileDetrError;
    let message = messageOf(error);
    if (input !== undefined) message = message.replaceAll(input, printable(input));
    const text = printableLines(known ? message : `internal error: ${message || "(no message)"}`);
    this.note(`${this.#paintOn(this.#stderr, "red", "mobiledetr:")} ${text}`);
    if (!this.#env.MOBILEDETR_DEBUG) return;
    const stack = error instanceof Error ? error.stack : undefined;
    if (stack) this.note(printableLines(stack));
  }

  /** The text with a look, for standard output. */
  paint(look: Look, text: string): string {
    return this.#paintOn(this.#stdout, look, text);
  }

  #paintOn(stream: OutputStream, look: Look, text: string): string {
    // Node 20 has styleText from 20.12 on.
    if (!stream.isTTY || this.#env.NO_COLOR || text === "" || !util.styleText) return text;
    return util.styleText(look, text, { validateStream: false }); // newer Nodes would ask standard output, whatever the stream
  }
}
