/** Shards and records: who does what, and what was done. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RecordFile, type SourceRecord } from "../../src/cli/records.ts";
import { fnv1a, isInShard, readShard } from "../../src/cli/shard.ts";
import { scratchFolder } from "./run-cli.ts";

describe("shards", () => {
  it("part sources: each in exactly one, about as many in each, whatever the order", () => {
    const sources = Array.from({ length: 3000 }, (_, i) => `photos/${i % 7}/picture ${i}.jpg`);
    for (const count of [1, 2, 7, 16]) {
      const sizes = Array.from(
        { length: count },
        (_, index) => sources.filter((s) => isInShard(s, { index, count })).length,
      );
      expect(sizes.reduce((a, b) => a + b)).toBe(sources.length);
      for (const size of sizes)
        expect(Math.abs(size - sources.length / count)).toBeLessThan(4 * Math.sqrt(sources.length / count));
    }
  });

  it("go by FNV-1a of the UTF-8 bytes, so that others can tell, too", () => {
    // The published test vectors of the function: "", "a", "foobar".
    expect([fnv1a(""), fnv1a("a"), fnv1a("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
    expect(fnv1a("é")).not.toBe(fnv1a("e"));
  });

  it("are written i/n", () => {
    expect(readShard("0/1", {})).toEqual({ index: 0, count: 1 });
    expect(readShard("3/16", {})).toEqual({ index: 3, count: 16 });
    for (const wrong of ["4/4", "-1/3", "1", "a/b", "1/0", "", "0/1000001"])
      expect(() => readShard(wrong, {})).toThrow(/--shard: expected i\/n with 0 <= i < n/);
  });

  it.each([
    ["Kubernetes", { JOB_COMPLETION_INDEX: "2", COMPLETIONS: "5" }, { index: 2, count: 5 }],
    ["AWS Batch", { AWS_BATCH_JOB_ARRAY_INDEX: "0", AWS_BATCH_JOB_ARRAY_SIZE: "4" }, { index: 0, count: 4 }],
    [
      "Slurm",
      { SLURM_ARRAY_TASK_ID: "10", SLURM_ARRAY_TASK_MIN: "10", SLURM_ARRAY_TASK_COUNT: "3" },
      { index: 0, count: 3 },
    ],
  ])("auto reads %s's variables", (_name, environment, shard) => {
    expect(readShard("auto", environment)).toEqual(shard);
  });

  it("auto says what is missing", () => {
    expect(() => readShard("auto", {})).toThrow(/JOB_COMPLETION_INDEX and COMPLETIONS.*write --shard i\/n/);
    expect(() => readShard("auto", { JOB_COMPLETION_INDEX: "1" })).toThrow(
      /COMPLETIONS=\(not set\).*set COMPLETIONS/,
    );
    const odd = { SLURM_ARRAY_TASK_ID: "5", SLURM_ARRAY_TASK_MIN: "1", SLURM_ARRAY_TASK_COUNT: "3" };
    expect(() => readShard("auto", odd)).toThrow(/0 <= i < n/); // every other task of an array: no part of a whole
  });
});

describe("records", () => {
  const record = (source: string, status: SourceRecord["status"] = "done"): SourceRecord => ({
    source,
    sha256: "aa",
    model: "m1",
    status,
  });
  const path = (): string => join(scratchFolder(), "r.jsonl");

  it("are lines, and what was done is known again: the same bytes by the same model", () => {
    const file = path();
    const first = new RecordFile(file, false);
    first.add({ ...record("a.jpg"), detections: [] });
    first.add(record("b.jpg", "failed"));
    first.close();
    expect(readFileSync(file, "utf8").split("\n")).toHaveLength(3);
    const again = new RecordFile(file, true);
    expect(again.found).toBe(2);
    expect(again.has("a.jpg", "aa", "m1")).toBe(true);
    expect(again.has("a.jpg", "bb", "m1")).toBe(false); // other bytes
    expect(again.has("a.jpg", "aa", "m2")).toBe(false); // another model
    expect(again.has("b.jpg", "aa", "m1")).toBe(false); // failed
    again.close();
  });

  it("of a process that was killed in the middle of a line lose that line alone", () => {
    const file = path();
    const whole = `${JSON.stringify(record("a.jpg"))}\n${JSON.stringify(record("é.jpg"))}\n`;
    writeFileSync(file, `${whole}{"source":"c.jpg","sha2`);
    const again = new RecordFile(file, true);
    expect([again.found, again.has("é.jpg", "aa", "m1"), again.has("c.jpg", "aa", "m1")]).toEqual([
      2,
      true,
      false,
    ]);
    again.add(record("c.jpg"));
    again.close();
    expect(readFileSync(file, "utf8")).toBe(`${whole}${JSON.stringify(record("c.jpg"))}\n`);
  });

  it("of more than one chunk are read whole", () => {
    const file = path();
    const lines = Array.from({ length: 2000 }, (_, i) =>
      JSON.stringify({ ...record(`${i}.jpg`), padding: "x".repeat(i % 90) }),
    );
    writeFileSync(file, `${lines.join("\n")}\n`);
    const again = new RecordFile(file, true);
    expect([again.found, again.has("0.jpg", "aa", "m1"), again.has("1999.jpg", "aa", "m1")]).toEqual([
      2000,
      true,
      true,
    ]);
    again.close();
  });

  it("are not mixed into a file that holds something, or something else", () => {
    const file = path();
    writeFileSync(file, "a shopping list\n");
    expect(() => new RecordFile(file, false)).toThrow(/a new or an empty file.*--resume goes on with it/);
    expect(() => new RecordFile(file, true)).toThrow(/r\.jsonl:1: expected a record with source and model/);
    expect(readFileSync(file, "utf8")).toBe("a shopping list\n");
    expect(() => new RecordFile(scratchFolder(), false)).toThrow(/a file that can be written/);
  });
});
