/** Checks of options, one at a time. */
import { fail } from "../errors.ts";

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
