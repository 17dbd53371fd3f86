/** Choices compared as sets: ties pass within the margin, nothing else. */
import { describe, expect, it } from "vitest";
import type { HostTensor } from "../../src/conformance/host-tensor.ts";
import { matchRows } from "../../src/conformance/match-rows.ts";
import { compareSet, illConditioned, queryOrder } from "../../src/conformance/sets.ts";
import type { Rule } from "../../src/conformance/tolerances.ts";

const f32 = (shape: readonly number[], ...data: number[]): HostTensor => ({
  dtype: "F32",
  shape,
  data: Float32Array.from(data),
});
const i64 = (shape: readonly number[], ...data: number[]): HostTensor => ({
  dtype: "I64",
  shape,
  data: BigInt64Array.from(data, BigInt),
});
const rule = (compare: Rule["compare"], more: Partial<Rule> = {}): Rule => ({
  abs: 0,
  rel: 0,
  reason: "",
  compare,
  ...more,
});

describe("top-k", () => {
  const scores = f32([1, 5], 0.9, 0.5, 0.5, 0.3, 0.3 + 1e-7);
  const ranked = { scores };
  const golden = i64([1, 3], 0, 1, 2);

  it("is equal for the same indices", () => {
    expect(compareSet(rule("top-k"), golden, golden, { ranked }).status).toBe("equal");
  });

  it("lets exact ties stand in another order, and says so", () => {
    const found = compareSet(rule("top-k"), golden, i64([1, 3], 0, 2, 1), { ranked });
    expect(found.status).toBe("within");
    expect(found.note).toContain("2 of 3 stand in another place");
  });

  it("lets another index in only where its score is within the margin", () => {
    const four = i64([1, 4], 0, 1, 2, 3);
    const other = i64([1, 4], 0, 1, 2, 4);
    expect(compareSet(rule("top-k"), four, other, { ranked }).status).toBe("outside");
    expect(compareSet(rule("top-k", { margin: 1e-6 }), four, other, { ranked }).status).toBe("within");
    expect(compareSet(rule("top-k", { margin: 1e-8 }), four, other, { ranked }).status).toBe("outside");
  });

  it("refuses the same index twice, though its score ties", () => {
    expect(compareSet(rule("top-k"), golden, i64([1, 3], 0, 1, 1), { ranked }).status).toBe("outside");
  });

  it("refuses an index that is none", () => {
    expect(compareSet(rule("top-k", { margin: 1 }), golden, i64([1, 3], 0, 1, 7), { ranked }).status).toBe(
      "outside",
    );
  });

  it("ranks along any axis", () => {
    const columns = f32([3, 2], 3, 1, 2, 2, 1, 2);
    const top = i64([2, 2], 0, 1, 1, 2);
    const context = { ranked: { scores: columns, axis: 0 } };
    expect(compareSet(rule("top-k"), top, i64([2, 2], 0, 2, 1, 1), context).status).toBe("within");
    expect(compareSet(rule("top-k"), top, i64([2, 2], 1, 1, 0, 2), context).status).toBe("outside");
  });

  it("without scores lets the order differ where the rule has a margin, never the members", () => {
    const swapped = i64([1, 3], 1, 0, 2);
    expect(compareSet(rule("top-k"), golden, swapped, {}).status).toBe("outside");
    expect(compareSet(rule("top-k", { margin: 1e-3 }), golden, swapped, {}).status).toBe("within");
    expect(compareSet(rule("top-k", { margin: 1e-3 }), golden, i64([1, 3], 0, 1, 3), {}).status).toBe(
      "outside",
    );
  });
});

describe("arg-max", () => {
  const ranked = { scores: f32([2, 3], 1, 2, 2, 5, 4.999, 0) };
  it("lets another index pass where it ties", () => {
    const golden = i64([2], 1, 0);
    expect(compareSet(rule("arg-max"), golden, i64([2], 2, 0), { ranked }).status).toBe("within");
    expect(compareSet(rule("arg-max"), golden, i64([2], 1, 1), { ranked }).status).toBe("outside");
    expect(compareSet(rule("arg-max", { margin: 0.01 }), golden, i64([2], 1, 1), { ranked }).status).toBe(
      "within",
    );
  });
});

describe("rows", () => {
  const golden = f32([1, 3, 2], 0, 0, 1, 1, 2, 2);
  it("go by what they hold, whatever their order", () => {
    const found = compareSet(rule("rows", { abs: 0.1 }), golden, f32([1, 3, 2], 2, 2, 0, 0.05, 1, 1), {});
    expect(found.status).toBe("within");
    expect(found.note).toBe("3 of 3 rows stand in another place");
    expect(found.metrics.maxAbs).toBeCloseTo(0.05, 6);
  });

  it("are outside where one has no partner", () => {
    const found = compareSet(rule("rows", { abs: 0.1 }), golden, f32([1, 3, 2], 2, 2, 0, 0, 1, 3), {});
    expect(found.status).toBe("outside");
    expect(found.metrics.outside).toBeCloseTo(1 / 6, 12);
  });

  it("are matched one to one, so that a repeated row cannot stand for two", () => {
    const found = compareSet(rule("rows", { abs: 0.1 }), golden, f32([1, 3, 2], 0, 0, 0, 0, 2, 2), {});
    expect(found.status).toBe("outside");
  });

  it("of different images do not mix", () => {
    const two = f32([2, 1, 2], 0, 0, 1, 1);
    expect(compareSet(rule("rows", { abs: 0.1 }), two, f32([2, 1, 2], 1, 1, 0, 0), {}).status).toBe(
      "outside",
    );
  });

  it("with NaN find the partner that is left, and are outside", () => {
    const { partner, distance } = matchRows([0, 0, 1, 1], [Number.NaN, 0, 0, 0], 2);
    expect([...partner]).toEqual([1, 0]);
    expect(distance[1]).toBeNaN();
  });
});

describe("detections", () => {
  const golden = f32([2, 6], 10, 10, 20, 20, 0.9, 0, 30, 30, 50, 60, 0.501, 2);
  const r = rule("detections", { abs: 0.01, pixels: 0.5, margin: 0.002 });

  it("may come in any order", () => {
    const other = f32([2, 6], 30.1, 30, 50, 60, 0.5, 2, 10, 10, 20, 20, 0.9, 0);
    expect(compareSet(r, golden, other, { conf: 0.4 }).status).toBe("within");
    expect(compareSet(r, golden, golden, { conf: 0.4 }).status).toBe("equal");
  });

  it("may be missing only at the threshold", () => {
    const one = f32([1, 6], 10, 10, 20, 20, 0.9, 0);
    const atThreshold = compareSet(r, golden, one, { conf: 0.5 });
    expect(atThreshold.status).toBe("within");
    expect(atThreshold.note).toContain("within 0.002 of the threshold: lacks class 2 at score 0.501");
    expect(compareSet(r, golden, one, { conf: 0.3 }).status).toBe("outside");
    expect(compareSet(r, one, golden, { conf: 0.5 }).status).toBe("within");
    expect(compareSet(r, one, golden, { conf: 0.3 }).note).toContain("has besides class 2");
  });

  it("are outside with another class, a box too far or a score too far", () => {
    const with_ = (column: number, value: number): HostTensor => {
      const data = Float32Array.from(golden.data as Float32Array);
      data[column] = value;
      return { dtype: "F32", shape: [2, 6], data };
    };
    expect(compareSet(r, golden, with_(5, 1), { conf: 0.4 }).status).toBe("outside");
    expect(compareSet(r, golden, with_(0, 10.6), { conf: 0.4 }).status).toBe("outside");
    expect(compareSet(r, golden, with_(0, 10.4), { conf: 0.4 }).status).toBe("within");
    expect(compareSet(r, golden, with_(4, 0.88), { conf: 0.4 }).status).toBe("outside");
  });

  it("may be none on both sides", () => {
    const none = f32([0, 6]);
    expect(compareSet(r, none, none, { conf: 0.4 }).status).toBe("equal");
    expect(compareSet(r, none, golden, { conf: 0.4 }).status).toBe("outside");
  });

  it("must have six columns", () => {
    expect(compareSet(r, golden, f32([2, 5], ...new Array(10).fill(0)), {}).status).toBe("shape");
  });
});

describe("queryOrder", () => {
  it("finds each of the golden's tokens in the run, or says nothing where one is missing", () => {
    expect([...(queryOrder([5, 7, 9], [9, 5, 7]) ?? [])]).toEqual([1, 2, 0]);
    expect(queryOrder([5, 7, 9], [9, 5, 8])).toBeUndefined();
    expect(queryOrder([5, 7, 9], [9, 5, 5])).toBeUndefined();
  });
});

describe("illConditioned", () => {
  it("tells a choice that rounding may change beforehand", () => {
    expect(illConditioned([5, 4, 3, 2], 2, 0.5)).toBeUndefined();
    expect(illConditioned([5, 4, 3.999, 2], 2, 0.01)).toContain("the last of 2 chosen is 0.0010 above");
    expect(illConditioned([5, 4.999, 3, 2], 2, 0.01)).toBeUndefined();
    expect(illConditioned([5, 4.999, 3, 2], 2, 0.01, { order: true })).toContain("1 of 1 neighbours in rank");
    expect(illConditioned([1, 2], 2, 0.1)).toBeUndefined();
  });
});
