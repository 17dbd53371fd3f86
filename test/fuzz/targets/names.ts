/** Names of output files: whatever a source is called, its picture is written within the folder, or refused. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import fc from "fast-check";
import { OutputFolder } from "../../../src/cli/output-folder.ts";
import { printable } from "../../../src/cli/printable.ts";
import { Exchange } from "../../../src/conformance/adapters/exchange.ts";
import type { RunRequest } from "../../../src/conformance/runtime.ts";
import type { Random } from "../random.ts";
import { attempt, type Outcome, promise, type Target } from "../target.ts";

const part = fc.oneof(
  fc.constantFrom(
    "..",
    ".",
    "",
    "a",
    "a.jpg",
    "b.PNG",
    "C:",
    "C:a.jpg",
    "CON",
    "NUL.png",
    "COM1",
    "a.jpg.",
    "a ",
    "\\",
    "..\\..\\x",
    "~",
    "$HOME",
    "-rf",
    "a\0b",
    "\u202egpj.a",
    "%2e%2e",
    "a:b",
    "\n",
    "x".repeat(260),
    "é".repeat(130),
    "a.jpeg",
    "*",
    "?",
    ".jpg",
    "..jpg",
  ),
  fc.string({ maxLength: 12, unit: "binary" }),
);
const source = fc
  .tuple(
    fc.constantFrom("", "/", "../", "../../../", "//", "\\\\server\\", "file:///", "https://example.com/"),
    fc.array(part, { maxLength: 4 }),
  )
  .map(([head, parts]) => head + parts.join("/"));

function make(random: Random): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify(
      fc.sample(fc.array(source, { minLength: 1, maxLength: 4 }), { seed: random.word() | 0, numRuns: 1 })[0],
    ),
  );
}

let root: string | undefined;

function run(bytes: Uint8Array): Outcome {
  let sources: unknown;
  try {
    sources = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return "format";
  }
  if (!Array.isArray(sources) || !sources.every((item): item is string => typeof item === "string"))
    return "format";
  if (root === undefined) {
    const made = mkdtempSync(join(tmpdir(), "mobiledetr-fuzz-"));
    root = made;
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
  }
  const inside = join(root, "a", "b", "out");
  const kept = join(root, "a", "b", "kept.jpg");
  mkdirSync(dirname(inside), { recursive: true });
  writeFileSync(kept, "kept");
  const folder = new OutputFolder(inside);
  folder.protect(kept);
  const written = new Set<string>();
  let outcome: Outcome = "read";
  try {
    for (const name of sources) {
      promise(!/[\p{Cc}\u202e\u2028]/u.test(printable(name)), () => `printable: ${JSON.stringify(name)}`);
      const { value, error } = attempt(() => folder.write(name, "jpeg", () => Uint8Array.of(1)));
      if (error) {
        promise(error.code === "file", () => error.message);
        outcome = "file";
        continue;
      }
      promise(
        resolve(value).startsWith(inside + sep) && dirname(resolve(value)) === inside,
        () => `written to ${value}`,
      );
      promise(!written.has(value.toLowerCase()), () => `${value} twice`);
      promise(/\.(png|jpe?g|jpe|jfif)$/i.test(value), () => `written to ${value}`);
      written.add(value.toLowerCase());
    }
    exchangeNames(sources, join(root, "a", "b", "exchange"));
    const there = existsSync(inside) ? readdirSync(inside) : [];
    promise(there.length === written.size, () => `${there.length} files of ${written.size}`);
    promise(
      readdirSync(join(root, "a", "b")).every((name) => ["out", "kept.jpg", "exchange"].includes(name)),
      () => "beside the folder",
    );
    promise(
      readdirSync(join(root, "a")).length === 1 && readdirSync(root).length === 1,
      () => "above the folder",
    );
    promise(readFileSync(kept, "utf8") === "kept", () => "a source was overwritten");
  } finally {
    rmSync(join(root, "a"), { recursive: true, force: true });
  }
  return outcome;
}

/** Requests to programs under test are folders named by the cases' ids. */
function exchangeNames(ids: readonly string[], keep: string): void {
  const exchange = new Exchange({ keep });
  for (const id of ids) {
    const request = { id, subject: { kind: "model" }, outputs: [], inputs: new Map(), parameters: new Map() };
    const { request: path, output } = exchange.write(request as unknown as RunRequest);
    promise(
      [path, output].every((folder) => dirname(dirname(folder)) === keep),
      () => `a request in ${path}`,
    );
  }
  exchange.close();
}

/** Names of output files. */
export const names: Target = {
  name: "names",
  weight: 1,
  make,
  run,
  memoryBound: (length) => (16 << 20) + 64 * length,
};
