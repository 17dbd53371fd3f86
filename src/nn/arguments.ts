/** What layers' constructors share: sizes given once or per side, and checks of them. */
import type { Pair } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { pyInts } from "./python-repr.ts";

/** One number for both sides, or (height, width). */
export type NumberOrPair = number | Pair;

/** Both sides of a size. */
export function toPair(value: NumberOrPair): Pair {
  return typeof value === "number" ? [value, value] : value;
}

/** Refuses what is not a whole number >= `least` (or one or a pair of them, for {@link NumberOrPair}). */
export function checkInts(
  where: string,
  values: Readonly<Record<string, NumberOrPair | undefined>>,
  least: number,
): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const list: readonly number[] = typeof value === "number" ? [value] : value;
    const legal =
      list.length >= 1 && list.length <= 2 && list.every((n) => Number.isInteger(n) && n >= least);
    if (!legal) fail("argument", where, `whole numbers >= ${least} for ${name}`, pyInts(value));
  }
}
