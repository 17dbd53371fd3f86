/**
 * Patterns for paths, expanded by the program, because quoted ones reach it as they are, and some shells expand none: `*` and `?`
 * within a part, `**` over any number of folders, `[a-z]`, `[!a-z]`, `{a,b}`; `\` takes a character as it is (not on
 * Windows). As in shells, names that begin with a dot want one in the pattern, and `**` follows no links. Patterns for
 * names that are no paths are in `src/glob.ts`.
 */
import { type Dirent, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fail, messageOf } from "../errors.ts";
import { statusOf } from "./file-status.ts";

const WINDOWS = process.platform === "win32";
const MAGIC = /[*?[{]/;
const MOST_ALTERNATIVES = 1000;

/** Whether a word is a pattern. */
export function isPattern(word: string): boolean {
  return MAGIC.test(word);
}

/**
 * The regular files that fit, one by one: alternatives of braces in their order, a folder's names by UTF-16 units, its files
 * before what is below it. An error (code "file") that is no end in itself, a folder that cannot be read, goes to `failed`.
 */
export function* globFiles(
  pattern: string,
  failed: (path: string, error: unknown) => void,
): Generator<string> {
  const clean = WINDOWS ? pattern.replaceAll("\\", "/") : pattern;
  for (const plain of alternatives(clean)) {
    const root = /^([A-Za-z]:)?\/+/.exec(plain)?.[0] ?? "";
    const parts = plain
      .slice(root.length)
      .split("/")
      .filter((part) => part !== "");
    if (parts.at(-1) === "**") parts.push("*");
    yield* walk(root, parts, failed);
  }
}

function* walk(
  folder: string,
  [part, ...rest]: readonly string[],
  failed: (path: string, error: unknown) => void,
): Generator<string> {
  const last = rest.length === 0;
  if (part !== "**" && !MAGIC.test(part)) {
    const path = join(folder, unescaped(part));
    if (last ? statusOf(path)?.isFile() : existsSync(path)) yield* last ? [path] : walk(path, rest, failed);
    return;
  }
  if (part === "**") yield* walk(folder, rest, failed);
  let entries: Dirent[];
  try {
    entries = readdirSync(folder || ".", { withFileTypes: true });
  } catch (error) {
    if (statusOf(folder || ".")?.isDirectory()) failed(folder, error);
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const fits = part === "**" ? /^[^.]/ : partExpression(part);
  for (const entry of entries) {
    if (!fits.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (part === "**") {
      if (entry.isDirectory()) yield* walk(path, ["**", ...rest], failed);
    } else if (!last) {
      if (entry.isDirectory() || (entry.isSymbolicLink() && statusOf(path)?.isDirectory()))
        yield* walk(path, rest, failed);
    } else if (entry.isFile() || (entry.isSymbolicLink() && statusOf(path)?.isFile())) yield path;
  }
}

/** "a{b,c}d" as "abd", "acd"; braces without a comma, or without their end, stand for themselves. */
function alternatives(pattern: string): string[] {
  const done: string[] = [];
  const waiting = [pattern];
  for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
    const braces = firstBraces(text);
    if (!braces) done.push(text);
    else {
      const [begin, end, items] = braces;
      const [before, behind] = [text.slice(0, begin), text.slice(end)];
      waiting.unshift(...items.map((item) => before + item + behind));
    }
    if (done.length + waiting.length > MOST_ALTERNATIVES)
      fail("argument", pattern, `at most ${MOST_ALTERNATIVES} alternatives in braces`, "more");
  }
  return done;
}

function firstBraces(text: string): [begin: number, end: number, items: string[]] | undefined {
  for (let begin = 0; begin < text.length; begin++) {
    if (isEscape(text, begin)) begin++;
    else if (text[begin] === "{") {
      const items: string[] = [];
      let [depth, from] = [0, begin + 1];
      for (let i = begin; i < text.length; i++) {
        if (isEscape(text, i)) i++;
        else if (text[i] === "{") depth++;
        else if (text[i] === "," && depth === 1) {
          items.push(text.slice(from, i));
          from = i + 1;
        } else if (text[i] === "}" && --depth === 0) {
          if (items.length > 0) return [begin, i + 1, [...items, text.slice(from, i)]];
          break;
        }
      }
    }
  }
  return undefined;
}

/** One part of a path as an expression. */
function partExpression(part: string): RegExp {
  let text = part.startsWith(".") ? "" : "(?!\\.)";
  for (let i = 0; i < part.length; i++) {
    const set = part[i] === "[" ? /^\[([!^]?)(\]?[^\]]*)\]/.exec(part.slice(i)) : null;
    if (set) {
      text += `[${set[1] && "^"}${set[2].replace(/[\\\][^]/g, "\\$&")}]`;
      i += set[0].length - 1;
    } else if (part[i] === "*") {
      if (part[i + 1] !== "*") text += ".*"; // several are one
    } else if (part[i] === "?") text += ".";
    else {
      if (isEscape(part, i)) i++;
      text += part[i].replace(/[\\^$.|+*?()[\]{}]/, "\\$&");
    }
  }
  try {
    return new RegExp(`^${text}$`, "su");
  } catch (error) {
    return fail("argument", part, "a pattern", messageOf(error)); // a range from behind
  }
}

function isEscape(text: string, at: number): boolean {
  return !WINDOWS && text[at] === "\\" && at + 1 < text.length;
}

function unescaped(part: string): string {
  return WINDOWS ? part : part.replace(/\\(.)/gs, "$1");
}
