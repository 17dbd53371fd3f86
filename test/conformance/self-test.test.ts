/** The kit tried on itself, in part: `mobiledetr conform self-test` does the whole. */
import { beforeAll, describe, expect, it } from "vitest";
import { type Kit, openKit } from "../../src/conformance/kit.ts";
import { PLANTS } from "../../src/conformance/plants/index.ts";
import { selfTest } from "../../src/conformance/self-test.ts";

let kit: Kit;
beforeAll(async () => {
  kit = await openKit();
});

describe("correct runtimes are accepted", () => {
  it.each(["eager-wasm", "compiled", "compiled-exact"] as const)("%s, operators and blocks", async (path) => {
    const [result] = await selfTest(kit, { paths: [path], plants: [], levels: [0, 1] });
    expect(result).toMatchObject({ passed: true, rejected: [] });
  });
});

describe("planted mistakes are rejected, and named", () => {
  it("each has cases, and a name of its own", () => {
    expect(new Set(PLANTS.map(({ name }) => name)).size).toBe(PLANTS.length);
    for (const { name, cases } of PLANTS) {
      for (const pattern of cases)
        expect([name, kit.cases({ patterns: [pattern] }).length > 0]).toEqual([name, true]);
    }
  });

  it.each(PLANTS)("$title", async (plant) => {
    // Its first case; all of them are in the command.
    const [{ id }] = kit.cases({ patterns: [plant.cases[0]] });
    const [result] = await selfTest(kit, { paths: [], plants: [plant], patterns: [id] });
    expect(result).toMatchObject({ kind: "planted", id, rejected: true, passed: true });
  });
});
