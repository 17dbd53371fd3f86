/**
 * Attributes and constructor arguments of a case, read with their kinds: JSON under PyTorch's keyword names. A name that is
 * never asked for is an error too: an implementation that ignores an attribute computes something else.
 */
import type { Pair } from "../../backend/backend.ts";
import { fail } from "../../errors.ts";
import type { Json } from "../manifest.ts";

/** Thrown where this package has no such operator, module or option: not a failure. */
export class Unsupported extends Error {}

/** Throws {@link Unsupported}. */
export function unsupported(what: string): never {
  throw new Unsupported(what);
}

/** Reads a record of JSON values. */
export class Attributes {
  readonly #where: string;
  readonly #values: { readonly [key: string]: Json };
  readonly #asked = new Set<string>();

  /** `where` is what messages call it: "conv2d". */
  constructor(where: string, values: { readonly [key: string]: Json }) {
    this.#where = where;
    this.#values = values;
  }

  /** The value under the first of these names that is there and not null. */
  #get(names: readonly string[]): Json | undefined {
    for (const name of names) this.#asked.add(name);
    for (const name of names) {
      const value = this.#values[name];
      if (Object.hasOwn(this.#values, name) && value !== null) return value;
    }
    return undefined;
  }

  #fail(names: readonly string[], expected: string, got: Json | undefined): never {
    return fail(
      "argument",
      this.#where,
      `${names[0]}: ${expected}`,
      got === undefined ? "nothing" : JSON.stringify(got),
    );
  }

  #need<T>(names: readonly string[], what: string, value: T | undefined): T {
    return value ?? this.#fail(names, what, undefined);
  }

  /** A number, or undefined where there is none. */
  number(...names: string[]): number | undefined {
    const value = this.#get(names);
    if (value === "inf") return Number.POSITIVE_INFINITY;
    if (value === "-inf") return Number.NEGATIVE_INFINITY;
    if (value !== undefined && typeof value !== "number") this.#fail(names, "a number", value);
    return value;
  }

  /** A number that must be there. */
  needNumber(...names: string[]): number {
    return this.#need(names, "a number", this.number(...names));
  }

  /** true or false, or undefined where there is none. */
  flag(...names: string[]): boolean | undefined {
    const value = this.#get(names);
    if (value !== undefined && typeof value !== "boolean") this.#fail(names, "true or false", value);
    return value;
  }

  /** A word, or undefined where there is none. */
  text(...names: string[]): string | undefined {
    const value = this.#get(names);
    if (value !== undefined && typeof value !== "string") this.#fail(names, "a word", value);
    return value;
  }

  /** The value where it is a word; undefined for anything else. */
  word(...names: string[]): string | undefined {
    const value = this.#get(names);
    return typeof value === "string" ? value : undefined;
  }

  /** Numbers in a list; a number by itself is a list of one. */
  numbers(...names: string[]): number[] | undefined {
    const value = this.#get(names);
    if (value === undefined) return undefined;
    const list: readonly Json[] = Array.isArray(value) ? value : [value as Json];
    if (!list.every((item) => typeof item === "number")) this.#fail(names, "numbers", value);
    return list as number[];
  }

  /** Numbers that must be there. */
  needNumbers(...names: string[]): number[] {
    return this.#need(names, "numbers", this.numbers(...names));
  }

  /** A number for both sides, or one each for height and width. */
  pair(...names: string[]): Pair | undefined {
    const list = this.numbers(...names);
    if (list === undefined) return undefined;
    if (list.length > 2 || list.length === 0) this.#fail(names, "one number or two", list);
    return [list[0], list[1] ?? list[0]];
  }

  /** A list of pairs: (height, width) of feature maps. */
  pairs(...names: string[]): Pair[] | undefined {
    const value = this.#get(names);
    if (value === undefined) return undefined;
    const legal =
      Array.isArray(value) &&
      value.every(
        (item) => Array.isArray(item) && item.length === 2 && item.every((n) => typeof n === "number"),
      );
    if (!legal) this.#fail(names, "a list of [height, width]", value);
    return value as unknown as Pair[];
  }

  /** Refuses names that nobody asked for (but for those whose value is null). */
  done(): void {
    for (const [name, value] of Object.entries(this.#values)) {
      if (!this.#asked.has(name) && value !== null) unsupported(`${this.#where} with ${name}`);
    }
  }
}
