/** The goldens' own soundness, and that the comparators name what is wrong. No model is run here. */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { matchRows } from "../../src/conformance/match-rows.ts";
import { openSafetensors } from "../../src/weights/safetensors.ts";
import type { TraceTensor } from "./compare-trace.ts";
import { compareOutput, compareTrace, queryOrder, traceComparer } from "./compare-trace.ts";
import type { ModelGolden } from "./golden.ts";
import {
  factOf,
  goldenPath,
  goldenWeights,
  loadModelGolden,
  MODEL_CASES,
  readGolden,
  samplePositions,
} from "./golden.ts";

describe("the model goldens", () => {
  const cases = MODEL_CASES.map((one) => ({ ...one, size: `${one.height}x${one.width}` }));
  it.each(cases)("hold together: $model $kind $size", (one) => {
    const golden = loadModelGolden(one);
    const rows = golden.samplePaths.length;
    expect(golden.samples.length).toBe(rows * 48);
    expect(golden.stats.length).toBe(rows * 5);
    expect(golden.noise.length).toBe(rows);
    expect(golden.modules.length).toBeGreaterThan(rows);
    expect(golden.samples.every(Number.isFinite) && golden.stats.every(Number.isFinite)).toBe(true);
    for (let row = 0; row < rows; row++) {
      const [min, max, mean, , std] = golden.stats.subarray(row * 5, row * 5 + 5);
      const samples = golden.samples.subarray(row * 48, row * 48 + 48);
      expect(std).toBeGreaterThan(0); // a constant output would test nothing
      expect(mean).toBeGreaterThan(min);
      expect(max).toBeGreaterThan(mean);
      expect(Math.min(...samples)).toBeGreaterThanOrEqual(min);
      expect(Math.max(...samples)).toBeLessThanOrEqual(max);
    }
    // Chaotic weights would need tolerances under which mistakes hide.
    expect(Math.max(...golden.noise)).toBeLessThan(3e-3);
    if (one.kind === "detector") {
      expect(new Set(golden.index).size).toBe(golden.index.length);
      expect(factOf(golden, "margin")).toBeGreaterThan(5 * factOf(golden, "scoreNoise"));
      expect(factOf(golden, "rowNoiseMax")).toBeLessThan(3e-4);
    }
  });

  const models = cases.filter(({ size }) => size === "320x320");
  it.each(models)("have usable BatchNorm statistics: $model $kind", ({ model, kind }) => {
    using file = openSafetensors(goldenPath(`models/${model}.${kind}.bn.safetensors`));
    expect(file.names.length).toBeGreaterThan(0);
    for (const name of file.names) {
      const values = file.read(name) as Float32Array;
      expect(values.every(Number.isFinite)).toBe(true);
      // Below 2^-14 f16 loses precision.
      if (name.endsWith("running_var")) expect(Math.min(...values)).toBeGreaterThan(2 ** -14);
    }
  });

  it("give calibrated statistics where there are some, seeded tensors elsewhere, prefixed for a backbone", () => {
    const detector = { model: "MobileNetV4ConvSmall", kind: "detector", height: 320, width: 320 } as const;
    const backbone = { ...detector, kind: "backbone" } as const;
    const inDetector = goldenWeights(detector, (name) =>
      name.startsWith("model.0.conv0.convbn_0.BatchNorm2d."),
    );
    const alone = goldenWeights(backbone, (name) => name.startsWith("conv0.convbn_0.BatchNorm2d."));
    expect([...alone("conv0.convbn_0.conv.weight", [32, 3, 3, 3])]).toEqual([
      ...inDetector("model.0.conv0.convbn_0.conv.weight", [32, 3, 3, 3]),
    ]);
    const gamma = alone("conv0.convbn_0.BatchNorm2d.weight", [32]);
    expect(Math.min(...gamma)).toBeGreaterThanOrEqual(Math.fround(0.6));
    expect(Math.max(...alone("conv0.convbn_0.BatchNorm2d.running_var", [32]))).toBeLessThan(0.3); // seeded: 0.3 .. 1.5
  });

  it("have the default model's trace and pictures", () => {
    const golden = readGolden(goldenPath("codes/wall.trace.safetensors"), "wall");
    expect(golden.outputs.get("output0")?.data.length).toBe(100 * 10);
    for (const name of ["cat", "coffee", "wall"])
      expect(existsSync(goldenPath(`codes/${name}.640.png`))).toBe(true);
  });
});

/** A golden of two tensors, made as Python makes them: "a" [1, 2, 3, 4] and "b", handed on by "c", [1, 3, 5]. */
function small(): { golden: ModelGolden; actual: Map<string, TraceTensor> } {
  const a = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i));
  const b = Float32Array.from({ length: 15 }, (_, i) => Math.cos(i));
  const tensors = [a, b];
  const samples = new Float32Array(2 * 48);
  const stats = new Float64Array(2 * 5);
  for (const [row, tensor] of tensors.entries()) {
    samplePositions(row === 0 ? "a" : "b", tensor.length, 48).forEach((position, i) => {
      samples[row * 48 + i] = tensor[position];
    });
    const mean = tensor.reduce((total, value) => total + value, 0) / tensor.length;
    const squares = tensor.reduce((total, value) => total + (value - mean) ** 2, 0);
    const absolute = tensor.reduce((total, value) => total + Math.abs(value), 0);
    stats.set(
      [
        Math.min(...tensor),
        Math.max(...tensor),
        mean,
        absolute / tensor.length,
        Math.sqrt(squares / tensor.length),
      ],
      row * 5,
    );
  }
  const golden: ModelGolden = {
    name: "small",
    modules: [
      { path: "a", shape: [1, 2, 3, 4], row: 0 },
      { path: "b", shape: [1, 3, 5], row: 1 },
      { path: "c", shape: [1, 3, 5], row: 1 },
    ],
    samplePaths: ["a", "b"],
    samples,
    samplesPerRow: 48,
    stats,
    noise: new Float32Array(2).fill(1e-6),
    outputs: new Map([["b", { shape: [1, 3, 5], data: b.slice(), sampled: false }]]),
    index: Int32Array.of(70, 80, 90),
    metadata: new Map(),
  };
  const actual = new Map<string, TraceTensor>([
    ["a", { shape: [1, 2, 3, 4], data: a.slice() }],
    ["b", { shape: [1, 3, 5], data: b.slice() }],
    ["c", { shape: [1, 3, 5], data: b.slice() }],
  ]);
  return { golden, actual };
}

describe("compareTrace", () => {
  it("finds nothing where there is nothing", () => {
    const { golden, actual } = small();
    const report = compareTrace(actual, golden);
    expect(report.departures).toEqual([]);
    expect(report.first).toBeUndefined();
    expect(report.compared).toBe(3);
    expect(report.worst.ofTolerance).toBeLessThan(1e-3);
  });

  it("names the first module that departs, the index and both values", () => {
    const { golden, actual } = small();
    const data = Float32Array.from(actual.get("b")!.data);
    const position = samplePositions("b", 15, 48)[7];
    const right = data[position];
    data[position] += 0.25;
    actual.set("b", { shape: [1, 3, 5], data });
    const { first, departures } = compareTrace((path) => actual.get(path), golden);
    expect(departures.length).toBe(1);
    expect(first).toMatchObject({ path: "b", what: "sample", index: position, expected: right });
    expect(first!.difference).toBeCloseTo(0.25, 6);
    expect(first!.message).toMatch(
      /^small: b: max \|difference\| 2\.50e-1, tolerance 1\.\d+e-5 .* at \[0, \d, \d\]$/,
    );
  });

  it("sees by the statistics what no sample sees", () => {
    const { golden, actual } = small();
    const seen = new Set(samplePositions("a", 24, 48));
    const unseen = Array.from({ length: 24 }, (_, i) => i).find((i) => !seen.has(i));
    expect(unseen).toBeDefined();
    const data = Float32Array.from(actual.get("a")!.data);
    data[unseen!] = -3;
    actual.set("a", { shape: [1, 2, 3, 4], data });
    expect(compareTrace(actual, golden).first).toMatchObject({ path: "a", what: "min", actual: -3 });
  });

  it("tolerates five times the noise and no more", () => {
    const { golden, actual } = small();
    const std = golden.stats[4];
    const noise = Float32Array.of(1e-3, 0);
    const moved = (by: number): boolean => {
      const data = Float32Array.from(actual.get("a")!.data, (value) => value + by * std);
      const shifted = new Map(actual).set("a", { shape: [1, 2, 3, 4], data });
      return compareTrace(shifted, { ...golden, noise }).departures.length === 0;
    };
    expect(moved(0.0049)).toBe(true);
    expect(moved(0.0051)).toBe(false);
  });

  it("takes a NaN, another shape and a missing module for departures", () => {
    const { golden, actual } = small();
    const data = Float32Array.from(actual.get("a")!.data);
    data[samplePositions("a", 24, 48)[0]] = Number.NaN;
    actual.set("a", { shape: [1, 2, 3, 4], data });
    actual.set("b", { shape: [1, 5, 3], data: actual.get("b")!.data });
    actual.delete("c");
    const { departures } = compareTrace(actual, golden);
    expect(departures.map(({ path, what }) => [path, what])).toEqual([
      ["a", "sample"],
      ["b", "shape"],
      ["c", "missing"],
    ]);
    expect(departures[1].message).toBe("small: b: expected shape [1, 3, 5], got [1, 5, 3]");
    expect(compareTrace(actual, golden, { ignore: (path) => path !== "c" }).departures.length).toBe(1);
  });

  it("reads channels-last memory by its strides", () => {
    const { golden, actual } = small();
    const rowMajor = actual.get("a")!.data;
    const data = new Float32Array(24);
    for (let i = 0; i < 24; i++) data[(i % 12) * 2 + Math.floor(i / 12)] = rowMajor[i];
    const strided = { shape: [1, 2, 3, 4], data, strides: [24, 1, 8, 2] };
    expect(compareTrace(new Map(actual).set("a", strided), golden).departures).toEqual([]);
    // The same as part of a larger memory.
    const arena = new Float32Array(100).fill(9);
    arena.set(data, 30);
    const inArena = { ...strided, data: arena, offset: 30 };
    expect(compareTrace(new Map(actual).set("a", inArena), golden).departures).toEqual([]);
  });

  it("follows queries that came in another order where rows are queries, and refuses other queries", () => {
    const { golden: plain, actual } = small();
    // Three rows that are queries, and three that only happen to be as many.
    const paths = ["model.19.decoder.layers.0", "model.19.dec_bbox_head.0", "model.2.fc2"];
    const modules = paths.map((path) => ({ path, shape: [1, 3, 5], row: 1 }));
    const golden = { ...plain, modules: [plain.modules[0], ...modules] };
    const order = queryOrder(golden, [90, 70, 80]);
    expect([...order]).toEqual([1, 2, 0]);
    const inOrder = actual.get("b")!.data;
    const data = Float32Array.from({ length: 15 }, (_, i) => {
      const goldenRow = [2, 0, 1][Math.floor(i / 5)];
      return inOrder[goldenRow * 5 + (i % 5)];
    });
    const shuffled = new Map([["a", actual.get("a")!]]);
    for (const path of paths) shuffled.set(path, { shape: [1, 3, 5], data });
    const departed = (run: typeof shuffled): string[] => {
      return compareTrace(run, golden, { order }).departures.map(({ path }) => path);
    };
    expect(compareTrace(shuffled, golden).departures.length).toBe(3);
    expect(departed(shuffled)).toEqual(["model.2.fc2"]);
    expect(departed(new Map(shuffled).set("model.2.fc2", actual.get("b")!))).toEqual([]);
    const tensor = { shape: [1, 3, 5], data };
    expect(compareOutput(golden, "b", tensor).difference).toBeGreaterThan(0.1);
    expect(compareOutput(golden, "b", tensor, order).difference).toBe(0);
    expect(() => queryOrder(golden, [90, 71, 80])).toThrow(/the golden's 3 tokens, got .* without 70/);
  });

  it("counts a path that is seen again anew", () => {
    const { golden, actual } = small();
    const comparer = traceComparer(golden);
    comparer.see("a", { shape: [1, 2, 3, 4], data: new Float32Array(24) });
    for (const [path, tensor] of actual) comparer.see(path, tensor);
    comparer.see("d", { shape: [1], data: [0] }); // unknown to the golden
    expect(comparer.report().departures).toEqual([]);
  });
});

describe("compareOutput", () => {
  it("gives the largest difference and where it is", () => {
    const { golden, actual } = small();
    const data = Float32Array.from(actual.get("b")!.data);
    data[11] += 0.5;
    const found = compareOutput(golden, "b", { shape: [1, 3, 5], data });
    expect(found.index).toBe(11);
    expect(found.difference).toBeCloseTo(0.5, 6);
    expect(() => compareOutput(golden, "b", { shape: [3, 5], data })).toThrow(
      /shape \[1, 3, 5\], got \[3, 5\]/,
    );
    expect(() => compareOutput(golden, "z", { shape: [1], data })).toThrow(/the name of an output/);
  });
});

describe("matchRows", () => {
  it("matches shuffled rows exactly", () => {
    const a = [0, 0, 5, 5, 9, 1];
    const b = [5, 5, 9, 1, 0, 0];
    const match = matchRows(a, b, 2);
    expect([...match.partner]).toEqual([2, 0, 1]);
    expect(match.max).toBe(0);
    expect(match.displaced).toBe(0);
  });

  it("uses no row twice: two copies of one row do not pass for two rows", () => {
    const match = matchRows([0, 0, 0.1, 0, 7, 7], [0, 0, 3, 3, 7, 7], 2);
    expect([...match.partner]).toEqual([0, 1, 2]);
    expect(match.displaced).toBe(1);
    expect(match.max).toBeCloseTo(3, 6);
    expect(match.median).toBe(0);
  });

  it("lets no NaN pass", () => {
    const match = matchRows([0, 1, 2, 3], [0, 1, Number.NaN, 3], 2);
    expect(match.max).toBeNaN();
    expect(match.median).toBeNaN();
  });

  it("refuses results of different lengths", () => {
    expect(() => matchRows([1, 2, 3, 4], [1, 2], 2)).toThrow(/equally many rows of 2, got 4 and 2 numbers/);
  });
});
