/** What publint and are-the-types-wrong say of the archive: nothing. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { publint } from "publint";
import { expect, inject, it } from "vitest";
import { ALL } from "./engines.ts";

const { archive, installed } = inject("packed");
const ATTW = join(import.meta.dirname, "node_modules/@arethetypeswrong/cli/dist/index.js");

it("publint, strict, has no message for the archive", async () => {
  const tarball = readFileSync(archive);
  const { messages } = await publint({
    strict: true,
    pack: { tarball: tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength) },
  });
  expect(messages).toEqual([]);
});

it.skipIf(!existsSync(ATTW) && !ALL)(
  "are-the-types-wrong finds every entry point's types as ESM, from Node and from bundlers",
  () => {
    // esm-only: require() of a package that is ESM alone is not a mistake in its types.
    const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    const files = Object.keys(exports).filter((entry) => !exports[entry].types); // no modules with an interface
    const args = ["--profile", "esm-only", "--format", "json", "--exclude-entrypoints", ...files];
    const text = execFileSync(process.execPath, [ATTW, archive, ...args], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const { analysis } = JSON.parse(text);
    const ignored = new Set(["node10", "node16-cjs"]);
    const problems = Object.values(analysis.problems as Record<string, object[]> | object[])
      .flat()
      .filter((problem) => !ignored.has((problem as { resolutionKind: string }).resolutionKind));
    expect(problems).toEqual([]);
    const typed = Object.keys(exports).filter((entry) => !files.includes(entry));
    expect(Object.keys(analysis.entrypoints).sort()).toEqual(typed.sort());
  },
);
