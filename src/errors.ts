/**
 * The one error family of the package. Every refusal reads
 * `where: expected ..., got ... (how to mend it)`.
 */

/** What kind of thing was wrong; the command line turns it into an exit code. */
export type ErrorCode =
  | "argument" // a value the caller passed: shape, dtype, option
  | "file" // a file that is missing, unreadable or unwritable
  | "format" // bytes that are not what their format says: weights, image, YAML
  | "weights" // tensors that do not fit the model
  | "size" // an input size that the network cannot take
  | "state" // use after close, a dead thread, memory that was freed
  | "memory"; // more memory than the limit allows

/** An error with a code and, where there is one, the source it speaks of. */
export class MobileDetrError extends Error {
  /** What kind of thing was wrong. */
  readonly code: ErrorCode;

  /** `message` reads "where: expected ..., got ... (how to mend it)". */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "MobileDetrError";
    this.code = code;
  }
}

/** Throws `where: expected ..., got ... (mend)`. */
export function fail(code: ErrorCode, where: string, expected: string, got: string, mend?: string): never {
  throw new MobileDetrError(code, describe(where, expected, got, mend));
}

/** The text that {@link fail} throws, for callers that collect several before they throw. */
export function describe(where: string, expected: string, got: string, mend?: string): string {
  return `${where}: expected ${expected}, got ${got}${mend ? ` (${mend})` : ""}`;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Throws code "argument", naming the option, unless a value is undefined or legal. */
export function need<T>(
  option: string,
  value: T,
  legal: (value: NonNullable<T>) => boolean,
  expected: string,
): void {
  if (value !== undefined && !legal(value as NonNullable<T>)) fail("argument", option, expected, show(value));
}

/** A wrong value in a message. */
export function show(value: unknown): string {
  if (typeof value === "string" || value === null || Array.isArray(value)) return JSON.stringify(value);
  return typeof value === "object" || typeof value === "function" ? `a ${typeof value}` : String(value);
}

/** Whether a value is a whole number >= 1. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1;
}
