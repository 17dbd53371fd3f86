/** Reading the options of the benchmarks' command lines: lists and whole numbers. Errors are of code "argument". */
import { fail, messageOf } from "../src/errors.ts";

/** The parts between commas; empty ones are dropped. */
export function list(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** A whole number of at least `least`. */
export function whole(option: string, text: string, least: number): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    fail("argument", option, `a whole number >= ${least}`, `"${text}"`);
  return value;
}

/** Whole numbers of at least `least`, and at least one of them. */
export function wholes(option: string, text: string, least: number): number[] {
  const parts = list(text);
  if (parts.length === 0) fail("argument", option, `whole numbers >= ${least}`, "none");
  return parts.map((part) => whole(option, part, least));
}

/** Some of `known`, by name; none where the text is empty. */
export function some<Name extends string>(option: string, text: string, known: readonly Name[]): Name[] {
  return list(text).map(
    (part) =>
      known.find((name) => name === part) ?? fail("argument", option, `some of ${known.join(", ")}`, part),
  );
}

/** What `read` gives; where it throws, the reason on standard error and undefined: then the exit code is 2. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    console.error(messageOf(error));
    return undefined;
  }
}
