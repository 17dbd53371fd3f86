/** Mistakes in data that a user wrote: collected up to a limit, each with its place, and thrown together. */
import { describe, type ErrorCode, MobileDetrError } from "../errors.ts";

/** So many mistakes are told of unless said; of the others the number. */
export const MISTAKES_SHOWN = 20;

/** What is wrong with some data so far. */
export class Complaints {
  readonly #lines: string[] = [];
  readonly #limit: number;
  #count = 0;

  constructor(limit: number = MISTAKES_SHOWN) {
    this.#limit = limit;
  }

  /** Notes one: `where: expected ..., got ... (mend)`; `got` is shown as JSON, cut where it is long. */
  add(where: string, expected: string, got: unknown, mend?: string): void {
    this.#count++;
    if (this.#lines.length < this.#limit) this.#lines.push(describe(where, expected, shown(got), mend));
  }

  /** Throws what was noted, a line each; nothing where all is well. */
  throwAny(code: ErrorCode): void {
    if (this.#count === 0) return;
    const rest = this.#count - this.#lines.length;
    throw new MobileDetrError(code, [...this.#lines, ...(rest > 0 ? [`and ${rest} more`] : [])].join("\n"));
  }
}

const LONGEST = 80;

function shown(value: unknown): string {
  // JSON has no word for what is no number.
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "nothing");
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 3)}...` : text;
}
