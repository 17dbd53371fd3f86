/**
 * Failures that are known and waited for, in a JSON file: a list of {case, tensor?, reason, expires}. `case` and `tensor` are
 * patterns (src/glob.ts); `expires` is the last day, YYYY-MM-DD, on which the failure is no news. After it, it is a
 * failure again; what passes although it was expected to fail is reported, so that the list does not rot.
 */
import { readFileSync } from "node:fs";
import { fail, messageOf } from "../errors.ts";
import { matchesGlob } from "../glob.ts";

/** A failure that is expected. */
export interface ExpectedFailure {
  /** Pattern of case ids: "L0/gelu/*". */
  readonly case: string;
  /** Pattern of tensors' names; all of the case's unless said. */
  readonly tensor?: string;
  /** For reports. */
  readonly reason: string;
  /** The last day on which it is expected, YYYY-MM-DD. */
  readonly expires: string;
}

const KEYS = ["case", "tensor", "reason", "expires"];

/** Reads a list of expected failures. Throws "file", or "format" with the entry that is wrong. */
export function readExpectedFailures(path: string): ExpectedFailure[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    fail("file", path, "a file that can be read", messageOf(error));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    fail("format", path, "JSON", messageOf(error));
  }
  return checkExpectedFailures(value, path);
}

/** Checks parsed JSON; `where` is what messages call it. */
export function checkExpectedFailures(value: unknown, where: string): ExpectedFailure[] {
  if (!Array.isArray(value)) fail("format", where, "a list of expected failures", typeof value);
  return value.map((item: unknown, i) => {
    const at = `${where}, entry ${i}`;
    if (typeof item !== "object" || item === null) fail("format", at, "an object", JSON.stringify(item));
    const entry = item as Record<string, unknown>;
    const unknown = Object.keys(entry).find((key) => !KEYS.includes(key));
    if (unknown !== undefined) fail("format", at, `keys ${KEYS.join(", ")}`, unknown);
    for (const key of ["case", "reason", "expires"]) {
      const text = entry[key];
      if (typeof text !== "string" || text.trim() === "") {
        fail("format", at, `${key}: a text`, JSON.stringify(text) ?? "nothing");
      }
    }
    if (entry.tensor !== undefined && typeof entry.tensor !== "string") {
      fail("format", at, "tensor: a pattern", JSON.stringify(entry.tensor));
    }
    const expires = entry.expires as string;
    const day = new Date(`${expires}T00:00:00Z`);
    if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== expires) {
      fail("format", at, "expires: a day as 2031-12-31", JSON.stringify(expires));
    }
    return entry as unknown as ExpectedFailure;
  });
}

/** What is expected of one case on a day (YYYY-MM-DD). */
export class Expectations {
  readonly #live: readonly ExpectedFailure[];
  readonly #expired: readonly ExpectedFailure[];

  constructor(all: readonly ExpectedFailure[], id: string, today: string) {
    const mine = all.filter((entry) => matchesGlob(entry.case, id, "/"));
    this.#live = mine.filter(({ expires }) => expires >= today);
    this.#expired = mine.filter(({ expires }) => expires < today);
  }

  /** Why a tensor of the case may fail; undefined: it may not. Without a name: the case as a whole. */
  reason(tensor?: string): string | undefined {
    const fits = ({ tensor: pattern }: ExpectedFailure): boolean =>
      pattern === undefined || (tensor !== undefined && matchesGlob(pattern, tensor, "."));
    const found = this.#live.find(fits);
    return found && `${found.reason} (until ${found.expires})`;
  }

  /** Whether any failure is expected today. */
  get any(): boolean {
    return this.#live.length > 0;
  }

  /** What to say of a failure whose day is past; undefined where there is none. */
  get expired(): string | undefined {
    const [first] = this.#expired;
    return first && `the failure was expected until ${first.expires}: ${first.reason}`;
  }
}
