/** One tensor judged: presence, shape, dtype, samples, statistics, expected failures; and the rules it is judged by. */
import { describe, expect, it } from "vitest";
import { boundOf, compareTensors, positionsOf, rankedBy } from "../../src/conformance/compare.ts";
import type { HostTensor } from "../../src/conformance/host-tensor.ts";
import type { ExpectedTensor } from "../../src/conformance/manifest.ts";
import { samplePositions } from "../../src/conformance/samples.ts";
import { boundFor, RULES, ruleFor, ruleNamed } from "../../src/conformance/tolerances.ts";

const f32 = (shape: readonly number[], data: ArrayLike<number>): HostTensor => ({
  dtype: "F32",
  shape,
  data: Float32Array.from(data),
});
const expected = (more: Partial<ExpectedTensor> = {}): ExpectedTensor => ({
  name: "output",
  dtype: "F32",
  shape: [2, 3],
  source: { file: "expected.safetensors", key: "output" },
  rule: "conv2d",
  required: true,
  ...more,
});
const golden = f32([2, 3], [1, 2, 3, 4, 5, 6]);
const chained = { mode: "chained" } as const;

describe("compareTensors", () => {
  it("tells equal, within and outside", () => {
    expect(compareTensors(expected(), golden, golden, chained).status).toBe("equal");
    const near = f32([2, 3], [1.00001, 2, 3, 4, 5, 6]);
    expect(compareTensors(expected(), golden, near, chained).status).toBe("within");
    const far = compareTensors(expected(), golden, f32([2, 3], [1, 2, 3, 4, 5.5, 6]), chained);
    expect(far).toMatchObject({ status: "outside", name: "output", mode: "chained", rule: "conv2d" });
    expect(far.note).toBe("worst at [1, 1]: got 5.5, expected 5, 0.0000300 allowed");
  });

  it("tells what is missing", () => {
    expect(compareTensors(expected(), golden, undefined, chained)).toMatchObject({
      status: "missing",
      note: "F32 [2, 3] was asked for, nothing given",
    });
  });

  it("tells another shape, and whether it is but another order of axes", () => {
    const turned = compareTensors(expected(), golden, f32([3, 2], [1, 2, 3, 4, 5, 6]), chained);
    expect(turned).toMatchObject({
      status: "shape",
      note: "got [3, 2], expected [2, 3]: as many elements, the axes in another order",
    });
    expect(compareTensors(expected(), golden, f32([2, 2], [1, 2, 3, 4]), chained).note).toBe(
      "got [2, 2], expected [2, 3]",
    );
    expect(compareTensors(expected(), golden, f32([2, 3], [1]), chained).status).toBe("shape");
  });

  it("compares another dtype as numbers, and says so", () => {
    const halves: HostTensor = {
      dtype: "F16",
      shape: [2, 3],
      data: Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600),
    };
    expect(compareTensors(expected(), golden, halves, chained)).toMatchObject({
      status: "equal",
      note: "got F16 for F32: compared as numbers",
    });
  });

  it("compares samples at the generator's positions", () => {
    const shape = [10, 20];
    const whole = f32(
      shape,
      Array.from({ length: 200 }, (_, i) => i),
    );
    const tensor = expected({ shape, samples: 16 });
    const positions = samplePositions("output", 200, 16);
    const kept = f32([16], Array.from(positions));
    expect(compareTensors(tensor, kept, whole, chained).status).toBe("equal");
    const wrong = f32(
      shape,
      Array.from({ length: 200 }, (_, i) => (i === positions[3] ? -1 : i)),
    );
    expect(compareTensors(tensor, kept, wrong, chained)).toMatchObject({
      status: "outside",
      metrics: { maxAbsAt: positions[3] },
    });
    const other = expected({ shape, samples: 16, sampledAs: "another" });
    expect(positionsOf(other)).toEqual(samplePositions("another", 200, 16));
  });

  it("sees by the whole tensor's statistics what no sample shows", () => {
    const shape = [100];
    const values = Array.from({ length: 100 }, (_, i) => Math.fround(i / 10));
    const mean = 4.95;
    const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 100);
    const tensor = expected({ shape, samples: 4, statistics: [0, values[99], mean, mean, std] });
    const positions = [...samplePositions("output", 100, 4)];
    const kept = f32(
      [4],
      positions.map((p) => values[p]),
    );
    expect(compareTensors(tensor, kept, f32(shape, values), chained).status).toMatch(/equal|within/);
    const unseen = values.findIndex((_, p) => p > 0 && !positions.includes(p));
    const wrong = compareTensors(tensor, kept, f32(shape, values.with(unseen, 50)), chained);
    expect(wrong.status).toBe("outside");
    expect(wrong.note).toContain("no sample is out, but the whole tensor's max is 50, expected 9.89999");
  });

  it("finds rows of queries where the run has them", () => {
    const rows = expected({ shape: [1, 3, 2], rule: "boxes-and-scores" });
    const right = f32([1, 3, 2], [1, 2, 3, 4, 5, 6]);
    const moved = f32([1, 3, 2], [5, 6, 1, 2, 3, 4]);
    expect(compareTensors(rows, right, moved, { mode: "chained", order: [1, 2, 0] }).status).toBe("equal");
    expect(compareTensors(rows, right, moved, chained).status).toBe("within");
  });

  it("lets an expected failure be no news, and a pass stay a pass", () => {
    const context = { mode: "chained", expectedFailure: "fp16 runtime" } as const;
    const far = f32([2, 3], [9, 2, 3, 4, 5, 6]);
    expect(compareTensors(expected(), golden, far, context)).toMatchObject({ status: "expected-failure" });
    expect(compareTensors(expected(), golden, far, context).note).toContain(
      "expected: fp16 runtime; worst at [0, 0]",
    );
    expect(compareTensors(expected(), golden, golden, context).status).toBe("equal");
  });

  it("hands on why a golden is ill-conditioned", () => {
    const found = compareTensors(expected({ conditioning: "near ties" }), golden, golden, chained);
    expect(found.conditioning).toBe("near ties");
  });

  it("compares values of a top-k in order, indices as a set", () => {
    const ranked = { scores: f32([2, 3], [2, 2, 1, 5, 4, 3]) };
    const indices = (...data: number[]): HostTensor => ({
      dtype: "I64",
      shape: [2, 2],
      data: BigInt64Array.from(data, BigInt),
    });
    const top = expected({ dtype: "I64", shape: [2, 2], rule: "topk" });
    const context = { mode: "chained", ranked } as const;
    expect(compareTensors(top, indices(0, 1, 0, 1), indices(1, 0, 0, 1), context).status).toBe("within");
    const values = expected({ shape: [2, 2], rule: "topk" });
    expect(compareTensors(values, f32([2, 2], [2, 2, 5, 4]), f32([2, 2], [2, 2, 4, 5]), context).status).toBe(
      "outside",
    );
  });
});

describe("bounds", () => {
  it("are the greatest of abs, standard deviations and PyTorch's own distance", () => {
    const rule = { abs: 1e-6, rel: 1e-3, std: 1e-2, noise: 5, reason: "" };
    const std = Math.sqrt(35 / 12);
    expect(boundFor(rule, golden).abs).toBeCloseTo(std * 1e-2, 12);
    expect(boundFor(rule, golden, { noise: 0.1 })).toEqual({ abs: 0.5, rel: 1e-3 });
    expect(boundFor({ abs: 1e-6, rel: 0, noise: 5, reason: "" }, golden).abs).toBe(1e-6);
    const double: HostTensor = { dtype: "F64", shape: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6.25) };
    expect(boundFor({ abs: 0, rel: 0, noise: 4, reason: "" }, golden, { double }).abs).toBe(1);
    expect(boundFor({ abs: 0, rel: 0, std: 1, reason: "" }, golden, { std: 7 }).abs).toBe(7);
  });

  it("take the manifest's noise and statistics", () => {
    expect(boundOf(expected({ noise: 1 }), golden).abs).toBe(4);
    expect(boundOf(expected({ rule: "stage-output", statistics: [0, 0, 0, 0, 2] }), golden).abs).toBeCloseTo(
      2e-4,
      12,
    );
  });
});

describe("rules", () => {
  it.each(Object.entries(RULES))("%s has a reason and bounds that are none below 0", (_name, rule) => {
    expect(rule.reason.length).toBeGreaterThan(14);
    expect(rule.abs).toBeGreaterThanOrEqual(0);
    expect(rule.rel).toBeGreaterThanOrEqual(0);
  });

  it("are known by PyTorch's class names too; others are refused", () => {
    expect(ruleNamed("Conv2d")).toBe(RULES.conv2d);
    expect(ruleNamed("UIB")).toBe(RULES.block);
    expect(() => ruleNamed("toString")).toThrow("expected a rule of the kit");
  });

  it("are below what the faintest wrong reading does: tanh GELU, boxes cut to pixels", () => {
    expect(ruleNamed("gelu").abs + ruleNamed("gelu").rel * 3).toBeLessThan(1e-4);
    expect(ruleNamed("detections").pixels).toBeLessThan(0.25);
  });

  it("suit their subjects", () => {
    expect(ruleFor({ kind: "operator", name: "conv2d", attributes: {} }, "output")).toBe("conv2d");
    expect(ruleFor({ kind: "module", name: "AIFI", arguments: {} }, "output")).toBe("block");
    expect(ruleFor({ kind: "model", model: {} }, "index")).toBe("selection");
    expect(ruleFor({ kind: "preprocess", size: [1, 1] }, "images")).toBe("pixels-exact");
  });
});

describe("rankedBy", () => {
  it("finds what a top-k ranked", () => {
    const inputs = new Map([["input", golden]]);
    const attributes = { k: 2, dim: 0, largest: false };
    expect(rankedBy({ kind: "operator", name: "topk", attributes }, inputs)).toEqual({
      scores: golden,
      axis: 0,
      largest: false,
    });
    expect(rankedBy({ kind: "operator", name: "relu", attributes: {} }, inputs)).toBeUndefined();
  });
});
