/** A small part of `npm run fuzz`, the same each time, and everything that it has found. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BOMBS } from "./bombs.ts";
import { judge, makeCase } from "./case.ts";
import { minimise } from "./minimise.ts";
import { attempt, outcomeOf, promise, type Target } from "./target.ts";
import { TARGETS } from "./targets/index.ts";

const CASES = 800;
const SEED = 1;
const CORPUS = new URL("corpus/", import.meta.url);

/** Measured times are judged by `npm run fuzz` alone: a test must not fail because the machine is busy. */
function outcomeOrFinding(target: Target, bytes: Uint8Array): string {
  const { outcome, finding } = judge(target, bytes);
  return finding && !["slow", "memory"].includes(finding.kind) ? finding.detail : (outcome ?? "read");
}

const OUTCOMES: readonly string[] = ["read", "format", "size", "memory", "file", "argument", "weights"];

describe("hostile input is read or refused", () => {
  const weights = TARGETS.reduce((sum, { weight }) => sum + weight, 0);
  it.each(TARGETS.map((target) => [target.name, target] as const))("%s", (_name, target) => {
    const outcomes = new Set<string>();
    for (let number = 0; number < (CASES * target.weight) / weights; number++) {
      const outcome = outcomeOrFinding(target, makeCase(target, SEED, number));
      expect(OUTCOMES, `npm run fuzz -- --target ${target.name} --seed ${SEED} --case ${number}`).toContain(
        outcome,
      );
      outcomes.add(outcome);
    }
    expect([...outcomes]).toContain("read"); // or it would test no more than the first check
  });

  const found = TARGETS.flatMap((target) => {
    const folder = new URL(`${target.name}/`, CORPUS);
    return (existsSync(folder) ? readdirSync(folder) : []).map(
      (file) => [`${target.name}/${file}`, target] as const,
    );
  });
  it.each(found)("as it was not before: %s", (file, target) => {
    expect(OUTCOMES).toContain(outcomeOrFinding(target, new Uint8Array(readFileSync(new URL(file, CORPUS)))));
  });

  it.each(BOMBS.filter(({ large }) => !large).map((bomb) => [bomb.name, bomb] as const))(
    "%s",
    (_name, bomb) => {
      const bytes = bomb.make();
      const begin = process.cpuUsage();
      expect(outcomeOf(attempt(() => bomb.read(bytes)))).toBe(bomb.outcome);
      expect(process.cpuUsage(begin).user / 1e6).toBeLessThan(10 * bomb.seconds);
    },
  );
});

describe("the fuzzer", () => {
  const faulty: Target = {
    name: "faulty",
    weight: 1,
    make: (random) => random.bytes(200),
    run: (bytes) => {
      const at = bytes.findIndex((byte, i) => byte === 7 && bytes[i + 1] > 9);
      if (at >= 0) (undefined as unknown as Uint8Array).fill(at);
      promise(bytes[0] !== 3, () => "a broken promise");
      return "read";
    },
    memoryBound: () => 1e9,
  };

  it("makes the same cases of the same seed, and others of another", () => {
    for (const target of TARGETS) {
      expect(makeCase(target, 5, 6)).toEqual(makeCase(target, 5, 6));
      expect(makeCase(target, 5, 6)).not.toEqual(makeCase(target, 6, 6));
    }
  });

  it("tells what is thrown that should not be, and makes the case smaller", () => {
    const bytes = Uint8Array.of(1, 2, 3, 7, 20, 5, 6);
    const { finding } = judge(faulty, bytes);
    expect(finding?.kind).toMatch(/^TypeError at /);
    const smallest = minimise(
      bytes,
      (b) => judge(faulty, b).finding?.kind === finding?.kind,
      Number.POSITIVE_INFINITY,
    );
    expect(smallest).toEqual(Uint8Array.of(7, 20));
    expect(judge(faulty, Uint8Array.of(3)).finding).toMatchObject({ kind: "violation: a broken promise" });
  });

  it("tells a case that takes more memory than it may", () => {
    const kept: Uint8Array[] = [];
    const greedy: Target = {
      ...faulty,
      memoryBound: () => 1000,
      run: () => {
        kept.push(new Uint8Array(1e7));
        return "read";
      },
    };
    expect(judge(greedy, new Uint8Array(1)).finding?.kind).toBe("memory");
  });
});
