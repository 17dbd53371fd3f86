/**
 * Reads JSON of the kit piece by piece: each function returns its value with its type, or refuses it, naming the place (`at`:
 * the file and the path in it), what was expected and what stands there.
 */
import { fail } from "../errors.ts";

const MEND = "is the kit whole? make it anew: python conformance/make/kit.py";

/** An object with all keys of `need`, and none besides but those of `may`. */
export function record(
  value: unknown,
  at: string,
  need: readonly string[],
  may: readonly string[] | "any" = [],
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(at, "an object", show(value));
  }
  const missing = need.filter((key) => !Object.hasOwn(value, key));
  if (missing.length > 0) refuse(at, `${missing.join(", ")}`, `an object without ${missing[0]}`);
  const extra = may === "any" ? [] : Object.keys(value).filter((k) => !need.includes(k) && !may.includes(k));
  if (extra.length > 0) refuse(at, `no other keys than ${[...need, ...may].join(", ")}`, extra.join(", "));
  return value as Readonly<Record<string, unknown>>;
}

/** A list. */
export function list(value: unknown, at: string): readonly unknown[] {
  return Array.isArray(value) ? value : refuse(at, "a list", show(value));
}

/** A text that is not empty. */
export function text(value: unknown, at: string): string {
  return typeof value === "string" && value !== "" ? value : refuse(at, "a text", show(value));
}

/** A text that fits a pattern; `what` says what that is. */
export function matching(value: unknown, at: string, pattern: RegExp, what: string): string {
  return typeof value === "string" && pattern.test(value) ? value : refuse(at, what, show(value));
}

/** A whole number of at least `least`. */
export function whole(value: unknown, at: string, least = 0): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= least
    ? value
    : refuse(at, `a whole number of at least ${least}`, show(value));
}

/** A number. */
export function real(value: unknown, at: string): number {
  return typeof value === "number" ? value : refuse(at, "a number", show(value));
}

/** Of one tensor: what fits into memory. */
const MOST_ELEMENTS = 2 ** 30;

/** Sides of a tensor. */
export function shape(value: unknown, at: string): number[] {
  const sides = list(value, at);
  if (!sides.every((side): side is number => Number.isSafeInteger(side) && (side as number) >= 0)) {
    return refuse(at, "a list of whole numbers of at least 0", show(value));
  }
  const numel = sides.reduce((product, side) => product * side, 1);
  return numel <= MOST_ELEMENTS ? [...sides] : refuse(at, `at most ${MOST_ELEMENTS} elements`, show(value));
}

/** A value as messages show it, cut where it is long. */
export function show(value: unknown): string {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

/** Throws `format`. */
export function refuse(at: string, expected: string, got: string): never {
  return fail("format", at, expected, got, MEND);
}
