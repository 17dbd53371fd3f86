import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { Contender } from "../../bench/contender.ts";
import { saveSafetensors } from "../../src/weights/safetensors.ts";

const SCRIPT = fileURLToPath(new URL("fake-contender.mjs", import.meta.url));
const INPUT = Float32Array.of(0.1, -0, 1 / 3, 1e-40, 5e30, -7); // what a text of decimals would lose first
const folders: string[] = [];
const open: Contender[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((contender) => contender.close()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function start(mood: string, length = INPUT.length, picture?: string): Contender {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  folders.push(folder);
  writeFileSync(join(folder, "case.json"), JSON.stringify({ mood, length, size: [32, 64] }));
  const images = { dtype: "F32", shape: [1, 3, 1, 2], data: INPUT } as const;
  saveSafetensors(join(folder, "input.safetensors"), [["images", images]]);
  const contender = new Contender("fake", SCRIPT, { folder, threads: 1, picture }, process.execPath);
  open.push(contender);
  return contender;
}

test("a contender reads its input and returns its output bit for bit", async () => {
  const ready = await start("well").ready();
  expect(ready.version).toBe("1x3x1x2");
  expect(new Uint32Array(ready.output.buffer)).toEqual(new Uint32Array(INPUT.buffer));
  expect(ready.coldMs).toBeGreaterThan(ready.loadMs + ready.firstMs);
});

test("runs are timed and memory is told; an output larger than a pipe holds arrives whole", async () => {
  const contender = start("well", 100_000);
  expect((await contender.ready()).output.length).toBe(100_000);
  const run = await contender.run();
  expect(run.ms).toBeGreaterThan(0);
  expect(run.cpuMs).toBeGreaterThanOrEqual(0);
  expect(run.idleCpuMs).toBeGreaterThanOrEqual(0);
  expect((await contender.output()).length).toBe(100_000);
  expect(await contender.peakRssBytes()).toBeGreaterThan(10_000_000); // a bare Node holds more
});

test("a contender that cannot load is an error with its own words", async () => {
  await expect(start("refuses").ready()).rejects.toThrow(/fake: expected the reply "ready".*no such model/s);
});

test("a contender that dies in a run is an error, not a hang", async () => {
  const contender = start("dies");
  await contender.ready();
  await expect(contender.run()).rejects.toThrow(/expected the reply "ran", got the process's end/);
});

test("a job with a picture gives its boxes, and the case's input is not read", async () => {
  const ready = await start("well", 6, "wall.jpg").ready();
  expect(ready.detections).toEqual([{ box: [1, 2, 3, 4], score: 0.5, class: 0, name: "wall.jpg" }]);
  expect(ready.output.length).toBe(0);
  expect(ready.version).toBe("1x3x32x64, no input");
});

test("a run of several calls makes so many; a result may be had apart from running", async () => {
  const job = { threads: 1, operator: { name: "add" }, calls: 7 };
  const contender = new Contender("fake", SCRIPT, job, process.execPath);
  open.push(contender);
  expect((await contender.ready()).output[0]).toBe(1);
  await contender.run();
  expect((await contender.output())[0]).toBe(8);
});
