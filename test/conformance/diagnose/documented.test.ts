/** Tables of the docs against the code: every diagnosis is listed, and what pages say of cases and diagnoses exists. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { MISTAKES, SYMPTOMS } from "../../../src/conformance/diagnose/index.ts";
import { openKit } from "../../../src/conformance/kit.ts";

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

it("docs/quirks.md sends porters to cases and diagnoses that there are", async () => {
  const text = readFileSync(new URL("../../../docs/quirks.md", import.meta.url), "utf8");
  const [, table] = text.split("## How a port that gets one wrong shows it");
  const rows = [...table.matchAll(/^\| (\d*) \| (.+?) \| (.+?) \|(.*)\|$/gm)].map(([, , , cases, said]) => ({
    cases: [...cases.matchAll(/`(L\d\/[^`]+)`/g)].map(([, id]) => id),
    mistakes: [...said.matchAll(/`([a-z][\w-]+)`/g)].map(([, name]) => name),
  }));
  expect(rows.length).toBeGreaterThan(15);
  const ids = new Set((await openKit()).cases().map(({ id }) => id));
  const known = new Set(
    [...MISTAKES, ...SYMPTOMS].map(({ name }) => name).concat("unknown", "index", "output0"),
  );
  for (const { cases, mistakes } of rows) {
    for (const id of cases) expect(ids).toContain(id);
    for (const name of mistakes) expect(known).toContain(name);
  }
});
