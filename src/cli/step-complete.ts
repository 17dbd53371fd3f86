/** What Tab offers at the prompt of `mobiledetr step`. */
import { readdirSync } from "node:fs";
import { printable } from "./printable.ts";

/**
 * The paths that begin as `typed`, up to the end of the part that is being typed: "model.0.l" leads to "model.0.layer1", not to what is
 * within that. Of a whole path that nothing else begins as, the way into it: "model.2" leads to "model.2.".
 */
export function completePath(typed: string, paths: readonly string[]): string[] {
  const parts = new Set<string>();
  for (const path of paths) {
    if (path === "" || !path.startsWith(typed)) continue;
    const end = path.indexOf(".", typed.length);
    parts.add(end < 0 ? path : path.slice(0, end));
  }
  const [first] = parts;
  const whole = parts.size === 1 && first === typed;
  return whole && paths.some((path) => path.startsWith(`${typed}.`)) ? [`${typed}.`] : [...parts];
}

/** The words that begin as `typed`. */
export function completeWord(typed: string, words: readonly string[]): string[] {
  return words.filter((word) => word.startsWith(typed));
}

/** The files and folders that begin as `typed`, folders with a slash; none where they cannot be listed. */
export function completeFile(typed: string): string[] {
  const folder = typed.slice(0, typed.lastIndexOf("/") + 1);
  try {
    return readdirSync(folder || ".", { withFileTypes: true })
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`)
      .filter((path) => path.startsWith(typed) && path === printable(path));
  } catch {
    return [];
  }
}
