/**
 * A strict reader of JSON text, token by token, for the header of a `.safetensors` file. The caller says what
 * may come next, so nothing is built that was not asked for, nothing recurses, and hostile nesting ends at
 * its first bracket.
 *
 * It exists because `JSON.parse` cannot tell what the format forbids: of two equal keys it silently keeps the
 * last, it rounds large integers, takes 1.0 and 1e3 for integers, and makes objects in which `__proto__` is
 * special. Source: RFC 8259. Text must end after the value, white space aside.
 */
import { fail } from "../errors.ts";

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const UNSIGNED_INTEGER = /^(?:0|[1-9][0-9]*)$/;
/** With the `u` flag this matches only halves of pairs that stand alone. */
const LONE_SURROGATE = /[\ud800-\udfff]/u;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What kind of value begins at a place. */
export type JsonKind = "an object" | "an array" | "a string" | "a number" | "true or false" | "null";

/**
 * A place in a JSON text. Every method skips white space first, and throws MobileDetrError "format" on other
 * text.
 */
export class JsonCursor {
  readonly #text: string;
  /** What the text is, for messages: "x.safetensors, header". */
  readonly #where: string;
  #at = 0;

  constructor(text: string, where: string) {
    this.#text = text;
    this.#where = where;
  }

  /** The kind of the value that comes next, by its first character; it is not read. */
  kind(): JsonKind {
    const next = this.#peek();
    if (next === "{") return "an object";
    if (next === "[") return "an array";
    if (next === '"') return "a string";
    if (next === "t" || next === "f") return "true or false";
    if (next === "n") return "null";
    if (next === "-" || (next >= "0" && next <= "9")) return "a number";
    return this.#refuse("a JSON value");
  }

  /** Reads an object: `member` is called at each value with its key, in order, and must read it. */
  object(member: (key: string) => void): void {
    this.#expect("{");
    if (this.#accept("}")) return;
    do {
      const key = this.string();
      this.#expect(":");
      member(key);
    } while (this.#accept(","));
    this.#expect("}", '"," or "}"');
  }

  /** Reads an array: `element` is called at each value with its index, and must read it. */
  array(element: (index: number) => void): void {
    this.#expect("[");
    if (this.#accept("]")) return;
    let index = 0;
    do element(index++);
    while (this.#accept(","));
    this.#expect("]", '"," or "]"');
  }

  /** Reads a string. Halves of surrogate pairs are refused: they have no UTF-8. */
  string(): string {
    this.#expect('"', "a string");
    const begin = this.#at - 1;
    let end = this.#at;
    let plain = true;
    for (;;) {
      const code = this.#text.charCodeAt(end);
      if (code === QUOTE) break;
      // charCodeAt is NaN past the end. The escapes themselves are JSON.parse's business.
      if (!(code >= 0x20)) {
        this.#at = Math.min(end, this.#text.length);
        this.#refuse("the closing quote of a string");
      }
      if (code === BACKSLASH) plain = false;
      end += code === BACKSLASH ? 2 : 1;
    }
    this.#at = end + 1;
    const value = plain ? this.#text.slice(begin + 1, end) : this.#unescape(begin, end + 1);
    if (LONE_SURROGATE.test(value)) {
      this.#at = begin;
      this.#refuse("a string of whole Unicode characters", "one half of a surrogate pair");
    }
    return value;
  }

  /** Reads a number and gives its digits as they are written. */
  number(): string {
    this.#peek();
    NUMBER.lastIndex = this.#at;
    const digits = NUMBER.exec(this.#text)?.[0] ?? this.#refuse("a number");
    this.#at += digits.length;
    return digits;
  }

  /** Reads to the end of the text: nothing but white space may be left. */
  end(): void {
    if (this.#peek() !== "") this.#refuse("the end of the header", undefined, "pad headers with spaces only");
  }

  #unescape(begin: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(begin, end)) as string;
    } catch {
      this.#at = begin;
      return this.#refuse("a string with valid escapes");
    }
  }

  /** The next character that is no white space, or "" at the end. */
  #peek(): string {
    for (;;) {
      const next = this.#text.charAt(this.#at);
      if (next !== " " && next !== "\n" && next !== "\r" && next !== "\t") return next;
      this.#at++;
    }
  }

  #accept(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #expect(character: string, expected = JSON.stringify(character)): void {
    if (!this.#accept(character)) this.#refuse(expected);
  }

  #refuse(expected: string, got?: string, mend = "the header is not valid JSON"): never {
    const rest = this.#text.slice(this.#at, this.#at + 24);
    const found = got ?? (rest === "" ? "the end of the header" : quoted(rest));
    return fail("format", this.#where, `${expected} at character ${this.#at}`, found, mend);
  }
}

/** The value of a non-negative integer written in full (`12`, not `12.0`, `1e2` or `-0`), or undefined. */
export function unsignedInteger(digits: string): number | undefined {
  const value = UNSIGNED_INTEGER.test(digits) ? Number(digits) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Whether UTF-8 can hold a string: no half of a surrogate pair stands alone. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** Control characters, and those that reorder text: a name from a file must not take over a terminal. */
const UNPRINTABLE = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const MAX_QUOTED_CHARACTERS = 120;

/** Text from a file as it stands in a message: in quotes, escaped, cut where it is long. */
export function quoted(text: string): string {
  const cut = text.length > MAX_QUOTED_CHARACTERS;
  const shown = JSON.stringify(cut ? `${text.slice(0, MAX_QUOTED_CHARACTERS)}...` : text);
  return shown.replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
