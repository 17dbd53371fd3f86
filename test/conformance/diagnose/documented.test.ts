/** The table of diagnoses in the docs is that of the code. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { MISTAKES, SYMPTOMS } from "../../../src/conformance/diagnose/index.ts";

it("docs/conformance-diagnoses.md lists every mistake with its mend, and no other", () => {
  const text = readFileSync(new URL("../../../docs/conformance-diagnoses.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `([\w-]+)` \| (\S+) \| .* \|$/gm)];
  const listed = rows.map(([, name]) => name).filter((name) => name !== "unknown");
  const known = new Set([...MISTAKES, ...SYMPTOMS].map(({ name }) => name));
  expect(new Set(listed)).toEqual(known);
  expect(listed).toHaveLength(known.size);
  const mends = new Map([...SYMPTOMS, ...[...MISTAKES].reverse()].map(({ name, mend }) => [name, mend]));
  for (const [row, name] of rows) if (mends.has(name)) expect(row).toContain(mends.get(name));
});
