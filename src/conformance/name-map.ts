/**
 * From a foreign trace's names to ours: a file of two columns (theirs, ours) or a JSON object {theirs: ours}. In a name on the
 * left `*` stands for any characters but a dot and `**` for any at all; on the right each `*` or `**` is what the one of the same
 * number on the left stood for, and `$1` .. `$9` are the same by number. The first line that fits counts. `#` begins a comment.
 */
import { fail, messageOf } from "../errors.ts";
import type { HostTensor } from "./host-tensor.ts";
import { numbersOf } from "./numbers.ts";

/** Gives a foreign name's counterpart, or undefined where no line fits. */
export type NameMap = (theirs: string) => string | undefined;

/** Parses a map's text. Throws "format" with the line. `where` is what messages call it. */
export function parseNameMap(text: string, where: string): NameMap {
  const lines = text.trimStart().startsWith("{") ? fromJson(text, where) : fromColumns(text, where);
  const rules = lines.map(([theirs, ours, at]) => rule(theirs, ours, at));
  return (name) => {
    for (const apply of rules) {
      const found = apply(name);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

type Line = readonly [theirs: string, ours: string, at: string];

function fromJson(text: string, where: string): Line[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    fail("format", where, "JSON", messageOf(error));
  }
  return Object.entries(value as Record<string, unknown>).map(([theirs, ours]) => {
    const at = `${where}, ${JSON.stringify(theirs)}`;
    if (typeof ours !== "string") fail("format", at, "a name as text", JSON.stringify(ours));
    return [theirs, ours, at];
  });
}

function fromColumns(text: string, where: string): Line[] {
  return text.split("\n").flatMap((line, i): Line[] => {
    const words = line
      .replace(/(^|\s)#.*/, "")
      .split(/\s+/)
      .filter(Boolean);
    if (words.length === 0) return [];
    const at = `${where}:${i + 1}`;
    if (words.length !== 2) fail("format", at, "two names: theirs, ours", `${words.length} words`);
    return [[words[0], words[1], at]];
  });
}

function rule(theirs: string, ours: string, at: string): NameMap {
  let stars = 0;
  const source = theirs.replace(/\*\*|\*|[\\^$.|+?()[\]{}]/g, (part) => {
    if (!part.startsWith("*")) return `\\${part}`;
    stars++;
    return part === "**" ? "(.*)" : "([^.]*)";
  });
  const used = [...ours.matchAll(/\*\*|\*/g)].length;
  const highest = Math.max(0, ...[...ours.matchAll(/\$(\d)/g)].map(([, digit]) => Number(digit)));
  if (Math.max(used, highest) > stars) {
    fail("format", at, `at most ${stars} stars on the right, as on the left`, ours);
  }
  const expression = new RegExp(`^${source}$`, "s");
  return (name) => {
    const match = expression.exec(name);
    if (!match) return undefined;
    let next = 0;
    return ours.replace(
      /\*\*|\*|\$(\d)/g,
      (_part, digit?: string) => match[digit ? Number(digit) : ++next] ?? "",
    );
  };
}

/** A guess which tensors are the same, for the user to check: lines of a map. */
export interface Suggestion {
  readonly theirs: string;
  readonly ours: string;
  /** Cosine of the angle between the two: near 1 where the numbers agree; NaN where the shapes alone do. */
  readonly cosine: number;
}

/** Numbers that are looked at of each tensor: enough to tell tensors apart. */
const LOOK = 4096;

/**
 * Pairs tensors without a counterpart: by their numbers first, where shapes agree and the angle between them is small; what is
 * left by shapes alone, in order (the longest common sequence of shapes).
 */
export function suggestNames(
  theirs: readonly (readonly [string, HostTensor])[],
  ours: readonly (readonly [string, HostTensor])[],
): Suggestion[] {
  const found: Suggestion[] = [];
  const free = new Set(ours.map(([name]) => name));
  const left: (readonly [string, HostTensor])[] = [];
  for (const [name, tensor] of theirs) {
    let best: Suggestion | undefined;
    for (const [other, golden] of ours) {
      if (!free.has(other) || other === name || golden.shape.join() !== tensor.shape.join()) continue;
      const cosine = cosineOf(tensor, golden);
      if (cosine > 0.98 && (!best || cosine > best.cosine)) best = { theirs: name, ours: other, cosine };
    }
    if (best) {
      found.push(best);
      free.delete(best.ours);
    } else left.push([name, tensor]);
  }
  const rest = ours.filter(([name]) => free.has(name));
  for (const [i, j] of commonSequence(left.map(shapeOf), rest.map(shapeOf))) {
    found.push({ theirs: left[i][0], ours: rest[j][0], cosine: Number.NaN });
  }
  return found;
}

function shapeOf([, { shape }]: readonly [string, HostTensor]): string {
  return shape.join();
}

function cosineOf(a: HostTensor, b: HostTensor): number {
  const [x, y] = [numbersOf(a), numbersOf(b)];
  const step = Math.max(1, Math.floor(x.length / LOOK));
  let [dot, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i += step) {
    dot += x[i] * y[i];
    xx += x[i] * x[i];
    yy += y[i] * y[i];
  }
  return dot / Math.sqrt(xx * yy);
}

/** Pairs of indices of a longest common subsequence. */
function commonSequence(a: readonly string[], b: readonly string[]): [number, number][] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i][j] =
        a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (lengths[i + 1][j] >= lengths[i][j + 1]) i++;
    else j++;
  }
  return pairs;
}
