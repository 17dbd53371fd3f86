/**
 * What is fuzzed: a target makes a case's bytes out of random numbers, and reads them. Whatever the bytes, reading gives a
 * result of which everything holds that is promised, or throws a MobileDetrError of one of the codes that are for data.
 */
import { type ErrorCode, MobileDetrError } from "../../src/errors.ts";
import type { Random } from "./random.ts";

/** What became of a case. */
export type Outcome = "read" | ErrorCode;

/** A reader under test. */
export interface Target {
  readonly name: string;
  /** Its part of all cases. */
  readonly weight: number;
  /** The bytes of a case. */
  make(random: Random): Uint8Array;
  /** Reads them; what it throws is a finding. */
  run(bytes: Uint8Array): Outcome;
  /** The most memory that reading so many bytes may take, in bytes. */
  memoryBound(length: number): number;
}

/** Something that a result promises and that does not hold. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Codes that data may be refused with; "state" is for callers' mistakes alone. */
const CODES: readonly ErrorCode[] = ["format", "size", "memory", "file", "argument", "weights"];

/** Messages quote names out of files; so long they may be. */
const MAX_MESSAGE = 2000;

/** Throws a {@link Violation} unless `holds`. */
export function promise(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Violation(what());
}

/** The value that an action gives, or the error that it refuses with; anything else it throws passes through. */
export type Attempt<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly error: MobileDetrError; readonly value?: undefined };

/** Tries to read. Throws what is no refusal, or one that does not read as all do. */
export function attempt<T>(action: () => T): Attempt<T> {
  try {
    return { value: action() };
  } catch (error) {
    if (!(error instanceof MobileDetrError)) throw error;
    const { code, message } = error;
    promise(CODES.includes(code), () => `code ${code}: ${message.slice(0, 300)}`);
    promise(/: expected .+, got .+/s.test(message), () => `an unusual message: ${message.slice(0, 300)}`);
    promise(message.length <= MAX_MESSAGE, () => `a message of ${message.length}: ${message.slice(0, 300)}`);
    return { error };
  }
}

/** What became of an attempt. */
export function outcomeOf(attempted: Attempt<unknown>): Outcome {
  return attempted.error ? attempted.error.code : "read";
}

/** Throws unless two attempts came out the same: values by `same`, errors by their messages. */
export function promiseSame<T>(
  what: string,
  a: Attempt<T>,
  b: Attempt<T>,
  same: (a: T, b: T) => boolean,
): void {
  const text = ({ error }: Attempt<T>): string =>
    error ? `${error.code} (${error.message.slice(0, 200)})` : "a value";
  const equal =
    a.error && b.error
      ? a.error.message === b.error.message
      : !a.error && !b.error && same(a.value as T, b.value as T);
  promise(equal, () => `${what}: ${text(a)} against ${text(b)}`);
}

/** Whether bytes are equal. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
