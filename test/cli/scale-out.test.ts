/** Many workers without a master: shards, records, a worker that is killed, and what they make together. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { PICTURES, runCli, scratchFolder } from "./run-cli.ts";

const folder = scratchFolder();
const photos = join(folder, "photos");
const SMALL = ["--imgsz", "160", "--no-save", "--quiet"];

beforeAll(() => {
  mkdirSync(photos);
  const names = ["cat.jpg", "coffee.jpg", "wall.jpg"];
  for (let i = 0; i < 12; i++) copyFileSync(join(PICTURES, names[i % 3]), join(photos, `${i}.jpg`));
  writeFileSync(join(photos, "broken.jpg"), "no picture");
});

const linesOf = (...paths: string[]): string[] =>
  paths.flatMap((path) => readFileSync(path, "utf8").split("\n").filter(Boolean)).sort();

describe("many workers", () => {
  it("one of which is killed and begun again write together what one alone writes, byte for byte", async () => {
    const whole = join(folder, "whole.jsonl");
    const alone = await runCli(["detect", photos, ...SMALL, "--records", whole]);
    expect(alone.code).toBe(1); // one is no picture; the others are done
    expect(linesOf(whole)).toHaveLength(13);

    const parts = [0, 1, 2].map((i) => join(folder, `part-${i}.jsonl`));
    const work = (i: number, ...more: string[]): string[] => [
      "detect",
      photos,
      ...SMALL,
      "--shard",
      `${i}/3`,
      "--records",
      parts[i],
      ...more,
    ];
    const killed = await runCli([...work(0), "--json"], { signalOn: { output: /\n/, signal: "SIGKILL" } });
    expect(killed.signal).toBe("SIGKILL");
    const before = linesOf(parts[0]).length;
    await runCli(work(1));
    await runCli(work(2));
    const { stderr } = await runCli(work(0, "--resume").filter((word) => word !== "--quiet"));
    if (before > 0) expect(stderr).toContain(`${before} sources were done before`);
    expect(linesOf(...parts)).toEqual(linesOf(whole));
    for (const part of parts) expect(linesOf(part).length).toBeGreaterThan(0);
  }, 120_000);

  it("ended by SIGTERM say so by the exit code, keep what is done, and go on from there", async () => {
    const records = join(folder, "stopped.jsonl");
    const words = ["detect", photos, ...SMALL, "--records", records];
    const stopped = await runCli([...words, "--json"], { signalOn: { output: /\n/, signal: "SIGTERM" } });
    expect(stopped.code).toBe(143);
    await runCli([...words, "--resume"]);
    expect(linesOf(records)).toEqual(linesOf(join(folder, "whole.jsonl")));
  });

  it("that have nothing left to do write nothing, not even what fails again", async () => {
    const whole = join(folder, "whole.jsonl");
    const before = readFileSync(whole, "utf8");
    await runCli(["detect", photos, ...SMALL, "--records", whole, "--resume"]);
    expect(readFileSync(whole, "utf8")).toBe(before);
  });

  it("tell of a source that is named twice both times, and leave no file where the model is none", async () => {
    const records = join(folder, "twice.jsonl");
    const one = join(photos, "2.jpg");
    await runCli(["detect", one, one, ...SMALL, "--records", records]);
    const [first, second, ...others] = linesOf(records);
    expect(others).toEqual([]);
    expect(first).toBe(second);
    expect(JSON.parse(first).sha256).toMatch(/^[0-9a-f]{64}$/);
    const none = join(folder, "none.jsonl");
    await runCli(["detect", one, "--weights", "missing.safetensors", "--records", none]);
    expect(existsSync(none)).toBe(false);
  });

  it("tell of each source its digest, the model's, and what came of it", async () => {
    const [failed, ...done] = linesOf(join(folder, "whole.jsonl"))
      .map((line) => JSON.parse(line))
      .sort((a, b) => b.status.localeCompare(a.status));
    expect(failed).toMatchObject({
      status: "failed",
      source: join(photos, "broken.jpg"),
      error: expect.stringContaining("broken.jpg"),
    });
    expect(new Set(done.map(({ status }) => status))).toEqual(new Set(["done"]));
    expect(new Set(done.map(({ sha256 }) => sha256)).size).toBe(3); // three pictures, four times each
    expect(new Set([failed, ...done].map(({ model }) => model)).size).toBe(1);
    expect(done[0]).not.toHaveProperty("speed"); // no two runs have the same
  });

  it("do again what has other bytes, another model's options, or failed", async () => {
    const records = join(folder, "again.jsonl");
    const one = join(photos, "0.jpg");
    const run = async (...more: string[]): Promise<string> => {
      const { stderr } = await runCli([
        "detect",
        one,
        "--imgsz",
        "160",
        "--no-save",
        "--records",
        records,
        ...more,
      ]);
      return stderr;
    };
    await run();
    expect(await run("--resume")).toContain("1 sources were done before");
    expect(await run("--resume", "--conf", "0.9")).not.toContain("done before");
    copyFileSync(join(PICTURES, "coffee.jpg"), one);
    expect(await run("--resume", "--conf", "0.9")).not.toContain("done before");
    expect(linesOf(records)).toHaveLength(3);
    copyFileSync(join(PICTURES, "cat.jpg"), one);
  });

  it("are refused where they are told nothing that makes sense", async () => {
    for (const [words, text] of [
      [["--shard", "3/3"], /0 <= i < n/],
      [["--shard", "auto"], /JOB_COMPLETION_INDEX and COMPLETIONS/],
      [["--resume"], /--records FILE beside it/],
      [["--save-conf"], /--save-txt beside it/],
    ] as const) {
      const { code, stderr } = await runCli(["detect", photos, ...words]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(text)]);
    }
  });
});

describe("labels and crops", () => {
  it("and drawings, also beside JSON where they are asked for", async () => {
    const cwd = scratchFolder();
    const { code, stdout } = await runCli(
      ["detect", join(PICTURES, "cat.jpg"), "--imgsz", "160", "--json", "--save"],
      { cwd },
    );
    expect(code).toBe(0);
    expect(stdout.split("\n")).toHaveLength(2);
    expect(existsSync(join(cwd, "runs/detect/cat.jpg"))).toBe(true);
    expect((await runCli(["detect", "x.jpg", "--save", "--no-save"], { cwd })).code).toBe(2);
  });

  it("lie beside the pictures, with or without these", async () => {
    const out = join(folder, "out");
    const wall = join(PICTURES, "wall.jpg");
    const { code } = await runCli([
      "detect",
      wall,
      "--save-txt",
      "--save-conf",
      "--save-crop",
      "--no-save",
      "--out",
      out,
    ]);
    expect(code).toBe(0);
    expect(readdirSync(out).sort()).toEqual(["crops", "labels"]);
    const lines = readFileSync(join(out, "labels/wall.txt"), "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line).toMatch(/^[0-5]( (0|1|0?\.\d+|\d(\.\d+)?e-\d+)){5}$/);
    expect(readdirSync(join(out, "crops")).sort()).toEqual(["barcode", "datamatrix", "pdf417"]);
    expect(readdirSync(join(out, "crops/pdf417")).sort()).toEqual(["wall.jpg", "wall2.jpg"]);
    expect((await runCli(["detect", wall, "--save-txt", "--out", out])).code).toBe(0);
    expect(existsSync(join(out, "wall.jpg"))).toBe(true);
    expect(readFileSync(join(out, "labels/wall.txt"), "utf8").split(" ")).toHaveLength(4 * 4 + 1); // no scores
  });
});
