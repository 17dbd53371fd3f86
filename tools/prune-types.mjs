/**
 * After tsc: declarations as consumers get them. Those that no entry point reaches are removed (the command, the workers
 * and other inner parts need none), and the rest import `.js`: tsc leaves the sources' `.ts`, which only a TypeScript
 * that knows `allowImportingTsExtensions` takes.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Every path under a key `types` of package.json's `exports`, however deep its conditions lie. */
function typesOf(entry) {
  if (typeof entry !== "object" || entry === null) return [];
  return Object.entries(entry).flatMap(([key, value]) =>
    key === "types" && typeof value === "string" ? [value] : typesOf(value),
  );
}

/** `from "./x.ts"`, `import("./x.ts")` and side-effect imports: what stands around the specifier, and the specifier. */
const SPECIFIER = /(\bfrom\s*|\bimport\s*\(?\s*)"(\.{1,2}\/[^"]+?)\.(ts|js)"/g;

const reached = new Set();
const waiting = Object.values(exports)
  .flatMap(typesOf)
  .map((file) => resolve(root, file));
for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
  if (reached.has(file)) continue;
  reached.add(file);
  const text = readFileSync(file, "utf8");
  for (const [, , stem] of text.matchAll(SPECIFIER)) waiting.push(resolve(dirname(file), `${stem}.d.ts`));
  // The same in fewer bytes: tabs for tsc's four blanks, comments that open and close on lines with text.
  const mended = text
    .replaceAll(SPECIFIER, '$1"$2.js"')
    .replaceAll(/^( {4})+/gm, (blanks) => "\t".repeat(blanks.length / 4))
    .replaceAll(/\/\*\*\n\s*\* /g, "/** ")
    .replaceAll(/([^`\n])\n\s*\*\/$/gm, "$1 */");
  if (mended !== text) writeFileSync(file, mended);
}

const dist = join(root, "dist");
for (const name of readdirSync(dist, { recursive: true })) {
  const file = join(dist, name);
  if (file.endsWith(".d.ts") && !reached.has(file)) rmSync(file);
}
for (const file of reached) {
  if (!existsSync(file)) throw new Error(`types: expected ${file}, which another declaration imports`);
}
