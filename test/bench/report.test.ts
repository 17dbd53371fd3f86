import { expect, test } from "vitest";
import { growth, threading } from "../../bench/derived.ts";
import type { Measured } from "../../bench/measure.ts";
import {
  asJson,
  doubts,
  type Finding,
  fromJson,
  type Machine,
  type Setup,
  table,
} from "../../bench/report.ts";

const MACHINE: Machine = {
  cpu: "some",
  processors: 2,
  memoryBytes: 2 ** 33,
  system: "linux",
  load: 0,
  date: "today",
  commit: "abc",
};
const SETUP: Setup = { peers: ["ort-web"], rounds: 3, warmup: 1, cold: 1, pauseMs: 100 };

function measured(
  contender: Measured["contender"],
  ms: readonly number[],
  more: Partial<Measured> = {},
): Measured {
  return {
    contender,
    name: contender,
    version: "1.0",
    runtime: "Node 20.0.0",
    runs: ms.map((each) => ({ ms: each, cpuMs: each, idleCpuMs: 0 })),
    coldMs: [500],
    boxesMs: [],
    peakRssBytes: 100 * 2 ** 20,
    fromPyTorch: 1e-5,
    fromOurs: 0,
    ...more,
  };
}

function finding(threads: number, size: number, ours: readonly number[], peer: readonly number[]): Finding {
  const both = [measured("mobiledetr", ours, { boxesMs: [700] }), measured("ort-web", peer)];
  return { model: "m", size: [size, size], threads, engine: "v20.0.0", measured: both };
}

const cells = (line: string): string[] =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

test("a row has time, ratio within rounds, cold start, first boxes where they were measured, memory", () => {
  const lines = table([finding(1, 640, [100, 110, 120], [300, 220, 360])]).split("\n");
  const head = cells(lines[0]);
  const [ours, peer] = lines
    .slice(2)
    .map((line) => Object.fromEntries(cells(line).map((cell, i) => [head[i], cell])));
  expect(ours).toMatchObject({
    size: "640",
    time: "110 [105, 115]",
    ratio: "",
    "cold start": "500",
    "first boxes": "700",
  });
  expect(peer).toMatchObject({ ratio: "3.00 [2.50, 3.00]", "first boxes": "", "peak RSS": "100 MiB" });
});

test("growth orders sizes and relates each to the least; one size gives no table", () => {
  const at640 = finding(1, 640, [400], [900]);
  expect(growth([at640])).toBe("");
  const rows = growth([at640, finding(1, 320, [100], [300])])
    .split("\n")
    .filter((line) => line.startsWith("| m "))
    .map(cells);
  expect(rows.map((row) => [row[2], row[4], row[5], row[6]])).toEqual([
    ["mobiledetr", "320", "100", "1.00"],
    ["mobiledetr", "640", "400", "4.00"],
    ["ort-web", "320", "300", "1.00"],
    ["ort-web", "640", "900", "3.00"],
  ]);
});

test("threading relates the fewest threads to each other number, within one size and engine", () => {
  const other = { ...finding(2, 640, [1], [1]), engine: "v24.0.0" };
  expect(threading([finding(1, 640, [400], [900]), other])).toBe("");
  const rows = threading([finding(2, 640, [250], [900]), finding(1, 640, [400], [900])])
    .split("\n")
    .filter((line) => line.startsWith("| m "))
    .map(cells);
  expect(rows.map((row) => [row[2], row[4], row[5]])).toEqual([
    ["mobiledetr", "2 over 1", "1.60"],
    ["ort-web", "2 over 1", "1.00"],
  ]);
});

test("busy machines, idle processors and unsteady times are told with the engine that they were on", () => {
  const unsteady = finding(1, 640, [100, 180, 200], [300, 300, 300]);
  expect(doubts({ ...MACHINE, load: 3 }, SETUP, [unsteady])).toEqual([
    "the machine was busy (load 3.00)",
    "mobiledetr, m at 640, threads 1, v20.0.0: median 180 ms, fastest 100 ms: unsteady, repeat",
  ]);
  expect(doubts(MACHINE, SETUP, [finding(2, 640, [100], [100])])[0]).toMatch(
    /kept only 1\.00 processors busy/,
  );
});

test("what --json writes is read again; anything else is an error", () => {
  const findings = [finding(1, 640, [1], [2])];
  expect(fromJson(asJson(MACHINE, SETUP, findings), "f")).toEqual({
    machine: MACHINE,
    plan: SETUP,
    findings,
  });
  for (const text of ["", "{}", "[]", "null"])
    expect(() => fromJson(text, "f.json")).toThrow(/f\.json: expected what --json/);
});
