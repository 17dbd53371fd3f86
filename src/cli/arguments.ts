/**
 * A command's words, read against its option specs. Wrong usage is an error of code "argument" that names the option as it
 * is typed; `program.ts` turns it into exit code 2.
 */
import { parseArgs } from "node:util";
import { fail } from "../errors.ts";
import type { OptionSpec, PositionalSpec } from "./command.ts";
import { suggest } from "./suggest.ts";

/** The options that every command has. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [{ name: "help", help: "Print this help and exit." }];

/** What {@link parseArguments} reads against. */
export interface ArgumentSpec {
  readonly options: readonly OptionSpec[];
  readonly positional?: PositionalSpec;
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** Parsed words. The readers check what they return, and give undefined for an option that is not there. */
export class Arguments {
  /** Words that are no options, in order. */
  readonly words: readonly string[];
  /** Whether `--` stood among them. */
  readonly terminated: boolean;
  readonly #values: ReadonlyMap<string, string | true>;

  constructor(words: readonly string[], values: ReadonlyMap<string, string | true>, terminated = false) {
    this.words = words;
    this.terminated = terminated;
    this.#values = values;
  }

  /** Whether an option was given. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** A text as it was typed; never empty. */
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    if (value === "") fail("argument", `--${name}`, "a value", "an empty one");
    return value === true ? undefined : value;
  }

  /** {@link text} of an option that must be there. */
  need(name: string): string {
    return this.text(name) ?? fail("argument", "options", `--${name}`, "none", "it is required");
  }

  /** One of a few words. */
  choice<T extends string>(name: string, words: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = words.find((word) => word === text);
    return found ?? fail("argument", `--${name}`, words.join(" or "), JSON.stringify(text));
  }

  /** A decimal number in [least, below). */
  number(name: string, least: number, below: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = NUMBER.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value < below) return value;
    return fail("argument", `--${name}`, `a number in [${least}, ${below})`, JSON.stringify(text));
  }

  /** A whole number of at least 1. */
  count(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return toCount(text) ?? fail("argument", `--${name}`, "a whole number >= 1", JSON.stringify(text));
  }

  /** "auto" or a whole number of at least 1. */
  threads(name: string): number | "auto" | undefined {
    const text = this.text(name);
    if (text === undefined || text === "auto") return text;
    return (
      toCount(text) ?? fail("argument", `--${name}`, "auto or a whole number >= 1", JSON.stringify(text))
    );
  }

  /** "640" as [640, 640], "480x640" as [480, 640]: height, then width. */
  size(name: string): [height: number, width: number] | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const sides = text.split("x").map(toCount);
    const [height, width = height] = sides;
    if (sides.length > 2 || height === undefined || width === undefined || sides.includes(undefined)) {
      fail("argument", `--${name}`, "pixels, as 640 or 480x640 (height x width)", JSON.stringify(text));
    }
    return [height, width];
  }

  /** Texts between commas, blanks around them taken off. */
  list(name: string): string[] | undefined {
    const items = this.text(name)
      ?.split(",")
      .map((item) => item.trim());
    if (items?.includes("")) {
      fail("argument", `--${name}`, "texts with commas between", JSON.stringify(this.text(name)));
    }
    return items;
  }
}

/** Reads words (of process.argv, after the command's name). An option that comes twice has its last value. */
export function parseArguments(argv: readonly string[], spec: ArgumentSpec): Arguments {
  const options = [...spec.options, ...COMMON_OPTIONS];
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      options.map(({ name, value }) => [
        name,
        { type: value ? "string" : "boolean", ...(name === "help" && { short: "h" }) },
      ]),
    ),
    strict: false, // our own messages, below
    allowPositionals: true,
    tokens: true,
  });
  const words: string[] = [];
  const values = new Map<string, string | true>();
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const option = options.find(({ name }) => name === token.name);
    if (!option) unknownOption(token.rawName, options);
    values.set(option.name, checkValue(option, token.value, token.inlineValue));
  }
  if (!values.has("help")) checkWords(words, spec.positional);
  return new Arguments(
    words,
    values,
    tokens.some(({ kind }) => kind === "option-terminator"),
  );
}

function unknownOption(typed: string, options: readonly OptionSpec[]): never {
  const near = suggest(
    typed,
    options.map(({ name }) => `--${name}`),
  );
  const mend = near ? `did you mean ${near}?` : "for a file of that name write ./ before it";
  fail("argument", typed, "an option of this command", "an unknown one", mend);
}

function checkValue(
  option: OptionSpec,
  value: string | undefined,
  inline: boolean | undefined,
): string | true {
  const name = `--${option.name}`;
  if (!option.value) {
    return value === undefined ? true : fail("argument", name, "no value", JSON.stringify(value));
  }
  if (value === undefined) fail("argument", name, `a value, ${option.value}`, "none");
  if (!inline && value.length > 1 && value.startsWith("-") && !NUMBER.test(value)) {
    fail("argument", name, `a value, ${option.value}`, value, `write ${name}=${value} if it is meant`);
  }
  return value;
}

function checkWords(words: readonly string[], positional: PositionalSpec | undefined): void {
  const { least = 0, most = 0, name = "" } = positional ?? {};
  if (words.length < least)
    fail("argument", name, `at least ${least}`, words.length === 0 ? "none" : `${words.length}`);
  if (words.length > most) {
    const expected = most === 0 ? "options alone" : `at most ${most} ${name}`;
    fail("argument", JSON.stringify(words[most]), expected, "one word more");
  }
  if (words.includes("")) fail("argument", name, "a path", "an empty one");
}

function toCount(text: string): number | undefined {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return value >= 1 ? value : undefined;
}
