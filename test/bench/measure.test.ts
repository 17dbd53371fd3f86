import { expect, test } from "vitest";
import { apartBoxes, type BenchCase } from "../../bench/cases.ts";
import type { ContenderName, Job, Running } from "../../bench/contender.ts";
import { measure, type Plan } from "../../bench/measure.ts";
import type { Detection } from "../../src/detector/detections.ts";

const EXPECTED = Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.9, 0.5, 0.6, 0.7, 0.8, 0.1);
const CASE: BenchCase = {
  folder: "",
  model: "m",
  size: [32, 32],
  classes: 1,
  queries: 2,
  expected: EXPECTED,
};
const PLAN: Plan = { peers: ["ort-web"], threads: 1, node: "", rounds: 4, warmup: 1, cold: 2, pauseMs: 0 };

/** Contenders that return `outputs` of their first, and then of any later call; `log` is the order of what happens. */
function stage(outputs: Partial<Record<ContenderName, readonly [Float32Array, Float32Array?]>> = {}): {
  log: string[];
  start: (name: ContenderName) => Running;
} {
  const log: string[] = [];
  const start = (name: ContenderName): Running => {
    const [first, later = first] = outputs[name] ?? [EXPECTED];
    log.push(`start ${name}`);
    return {
      name,
      ready: async () => ({
        name,
        version: "1",
        runtime: "none",
        coldMs: 5,
        loadMs: 1,
        firstMs: 1,
        output: first,
        detections: [],
      }),
      run: async () => {
        log.push(name);
        return { ms: name === "mobiledetr" ? 10 : 30, cpuMs: 10, idleCpuMs: 0 };
      },
      output: async () => later,
      peakRssBytes: async () => 1,
      close: async () => {
        log.push(`close ${name}`);
      },
    };
  };
  return { log, start };
}

const off = (by: number): Float32Array => EXPECTED.map((v, i) => (i === 3 ? v + by : v));
const isRun = (entry: string): boolean => !entry.includes(" ");

test("two contenders run in turn, and warm-up is not counted", async () => {
  const { log, start } = stage();
  const [ours, peer] = await measure(CASE, PLAN, start);
  expect(log.filter(isRun)).toEqual(Array.from({ length: 5 }, () => ["mobiledetr", "ort-web"]).flat());
  expect(ours.runs.map((run) => run.ms)).toEqual([10, 10, 10, 10]);
  expect(peer.runs.map((run) => run.ms)).toEqual([30, 30, 30, 30]);
  expect(peer.coldMs).toEqual([5, 5]);
});

test("of three, another one begins each round, and none runs twice on end", async () => {
  const { log, start } = stage();
  await measure(CASE, { ...PLAN, peers: ["ort-web", "ort-node"] }, start);
  const runs = log.filter(isRun);
  expect(runs.length).toBe(15);
  expect(new Set([runs[0], runs[3], runs[6]]).size).toBe(3);
  expect(runs.some((name, i) => name === runs[i + 1])).toBe(false);
});

test("every process is closed, and cold starts begin when all are", async () => {
  const { log, start } = stage();
  await measure(CASE, PLAN, start);
  expect(log.filter((entry) => entry.startsWith("start")).length).toBe(6);
  expect(log.filter((entry) => entry.startsWith("close")).length).toBe(6);
  expect(log.slice(2 + 10, 2 + 10 + 3)).toEqual(["close mobiledetr", "close ort-web", "start mobiledetr"]);
});

test("rows in another order are the same result", async () => {
  const swapped = Float32Array.of(...EXPECTED.slice(5), ...EXPECTED.slice(0, 5));
  const [, peer] = await measure(CASE, PLAN, stage({ "ort-web": [swapped] }).start);
  expect(peer.fromPyTorch).toBe(0);
  expect(peer.fromOurs).toBe(0);
});

test.each([
  ["ours is off PyTorch's", { mobiledetr: [off(2e-3)] }],
  ["both are off alike", { mobiledetr: [off(2e-3)], "ort-web": [off(2e-3)] }],
  ["a peer is off", { "ort-web": [off(2e-3)] }],
  ["a peer holds a NaN", { "ort-web": [off(Number.NaN)] }],
  ["a peer returns fewer rows", { "ort-web": [EXPECTED.slice(0, 5)] }],
] as const)("nothing is timed where %s by more than 1e-3", async (_, outputs) => {
  const { log, start } = stage(outputs as Parameters<typeof stage>[0]);
  await expect(measure(CASE, PLAN, start)).rejects.toThrow(/expected rows within 0.001/);
  expect(log.filter(isRun)).toEqual([]);
  expect(log.filter((entry) => entry.startsWith("close")).length).toBe(2);
});

test("a result that changes over the runs is an error", async () => {
  const { start } = stage({ "ort-web": [EXPECTED, off(0.5)] });
  await expect(measure(CASE, PLAN, start)).rejects.toThrow(/the first run's rows after the last/);
});

const box = (at: number, of = 0): Detection => ({ box: [at, 0, at + 5, 9], score: 0.9, class: of, name: "" });

/** As {@link stage}, with boxes for jobs that have a picture. */
function stageBoxes(peer: readonly Detection[]): {
  log: string[];
  start: (name: ContenderName, job: Job) => Running;
} {
  const { log, start } = stage();
  return {
    log,
    start: (name, job) => {
      const running = start(name);
      const detections = job.picture === undefined ? [] : name === "mobiledetr" ? [box(1), box(50)] : peer;
      return {
        ...running,
        ready: async () => ({ ...(await running.ready()), coldMs: job.picture ? 8 : 5, detections }),
      };
    },
  };
}

test("with a picture, as many cold starts go to its first boxes", async () => {
  const { log, start } = stageBoxes([box(50.2), box(1)]);
  const [ours, peer] = await measure(CASE, { ...PLAN, picture: "p.jpg" }, start);
  expect([ours.coldMs, ours.boxesMs, peer.boxesMs]).toEqual([
    [5, 5],
    [8, 8],
    [8, 8],
  ]);
  expect(log.filter((entry) => entry.startsWith("close")).length).toBe(10);
});

test.each([
  ["fewer boxes", [box(1)]],
  ["a box elsewhere", [box(1), box(51)]],
  ["another class", [box(1), box(50, 1)]],
] as const)("a peer that finds %s is an error", async (_, found) => {
  const { start } = stageBoxes(found);
  await expect(measure(CASE, { ...PLAN, picture: "p.jpg" }, start)).rejects.toThrow(
    /mobiledetr's boxes within 0\.5/,
  );
});

test("boxes are compared in whatever order, each with one of its class", () => {
  expect(apartBoxes([box(1), box(3)], [box(3), box(1.25)])).toBe(0.25);
  expect(apartBoxes([], [])).toBe(0);
  expect(apartBoxes([box(1), box(1)], [box(1), box(9)])).toBe(8);
  expect(apartBoxes([box(Number.NaN)], [box(1)])).toBeNaN();
});
