/** Metrics against values computed by hand, with everything that floating point has. */
import { describe, expect, it } from "vitest";
import type { HostTensor } from "../../src/conformance/host-tensor.ts";
import { measure, spreadOf, ulpDistance } from "../../src/conformance/metrics.ts";

const f32 = (...data: number[]): HostTensor => ({
  dtype: "F32",
  shape: [data.length],
  data: Float32Array.from(data),
});
const f64 = (...data: number[]): HostTensor => ({
  dtype: "F64",
  shape: [data.length],
  data: Float64Array.from(data),
});
const LOOSE = { abs: 0.1, rel: 0 };

describe("measure", () => {
  it("gives the values of a worked example", () => {
    // differences 0, 0.5, -1; squares: 1.25 over 1 + 4 + 16
    const metrics = measure(f64(1, 2, 4), f64(1, 2.5, 3), { abs: 0.25, rel: 0.1 });
    expect(metrics.count).toBe(3);
    expect(metrics.maxAbs).toBe(1);
    expect(metrics.maxAbsAt).toBe(2);
    expect(metrics.maxRel).toBe(0.25);
    expect(metrics.cosine).toBeCloseTo(18 / Math.sqrt(21 * 16.25), 12);
    expect(metrics.snr).toBeCloseTo(10 * Math.log10(21 / 1.25), 12);
    expect(metrics.outside).toBe(2 / 3); // 0.5 > 0.45, 1 > 0.65
    expect(metrics.nonFinite).toBe(0);
  });

  it("says nothing differs of equal tensors: no distance, cosine 1, infinite ratio", () => {
    const x = f32(1, -2, 3.5, 0);
    const metrics = measure(x, x, { abs: 0, rel: 0 });
    expect(metrics).toMatchObject({ maxAbs: 0, maxRel: 0, maxUlp: 0, outside: 0, nonFinite: 0 });
    expect(metrics.cosine).toBeCloseTo(1, 12);
    expect(metrics.snr).toBe(Number.POSITIVE_INFINITY);
  });

  it("takes 0 and -0 for equal", () => {
    expect(measure(f32(0, -0), f32(-0, 0), { abs: 0, rel: 0 })).toMatchObject({
      maxAbs: 0,
      maxUlp: 0,
      outside: 0,
    });
  });

  it("takes NaN for NaN and an infinity for the same one", () => {
    const odd = f32(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1);
    expect(measure(odd, odd, { abs: 0, rel: 0 })).toMatchObject({ maxAbs: 0, outside: 0, nonFinite: 0 });
  });

  it("has a NaN out of every tolerance, and tells where it is", () => {
    const metrics = measure(f32(1, 2, 3), f32(1, Number.NaN, 9), { abs: 1e9, rel: 0 });
    expect(metrics).toMatchObject({
      nonFinite: 1,
      outside: 1 / 3,
      maxAbs: Number.POSITIVE_INFINITY,
      maxAbsAt: 1,
      maxUlp: Number.POSITIVE_INFINITY,
    });
    // The sums speak of the finite elements: difference 6 against 1 + 9.
    expect(metrics.snr).toBeCloseTo(10 * Math.log10(10 / 36), 12);
  });

  it("has a number in the place of an expected NaN or infinity outside, not counted as non-finite", () => {
    const metrics = measure(f32(Number.NaN, Number.POSITIVE_INFINITY), f32(0, 3e38), LOOSE);
    expect(metrics).toMatchObject({ nonFinite: 0, outside: 1 });
  });

  it("tells the infinities apart", () => {
    const metrics = measure(f32(Number.POSITIVE_INFINITY), f32(Number.NEGATIVE_INFINITY), LOOSE);
    expect(metrics).toMatchObject({ nonFinite: 1, outside: 1, snr: Number.NEGATIVE_INFINITY });
  });

  it("counts denormals as numbers", () => {
    const least = 2 ** -149;
    const metrics = measure(f32(0, least), f32(least, 3 * least), { abs: 0, rel: 0 });
    expect(metrics.maxAbs).toBe(2 * least);
    expect(metrics.maxUlp).toBe(2);
    expect(metrics.maxRel).toBe(2);
  });

  it("leaves elements below the floor out of the greatest relative distance", () => {
    const metrics = measure(f64(1e-9, 10), f64(1e-3, 11), { abs: 1e-2, rel: 0 });
    expect(metrics.maxRel).toBeCloseTo(0.1, 12);
    expect(measure(f64(1e-9, 10), f64(1e-3, 11), { abs: 1e-2, rel: 0 }, { floor: 0 }).maxRel).toBeCloseTo(
      999999,
      0,
    );
  });

  it("has no direction where one side is zero", () => {
    expect(measure(f32(0, 0), f32(1, 1), LOOSE)).toMatchObject({
      cosine: Number.NaN,
      snr: Number.NEGATIVE_INFINITY,
    });
    expect(measure(f32(1, 1), f32(0, 0), LOOSE).snr).toBe(0);
    expect(measure(f32(1, 2), f32(-1, -2), LOOSE).cosine).toBeCloseTo(-1, 12);
  });

  it("measures nothing: no distance", () => {
    expect(measure(f32(), f32(), { abs: 0, rel: 0 })).toEqual({
      count: 0,
      maxAbs: 0,
      maxAbsAt: -1,
      worstAt: -1,
      maxRel: 0,
      maxUlp: 0,
      cosine: Number.NaN,
      snr: Number.POSITIVE_INFINITY,
      outside: 0,
      nonFinite: 0,
    });
  });

  it("finds the element furthest beyond its tolerance, which need not be the one furthest off", () => {
    const right: HostTensor = { dtype: "F32", shape: [3], data: Float32Array.of(1000, 1e-6, 5) };
    const got: HostTensor = { dtype: "F32", shape: [3], data: Float32Array.of(1000.001, 2e-6, 5) };
    const metrics = measure(right, got, { abs: 1e-9, rel: 1e-5 });
    expect(metrics).toMatchObject({ maxAbsAt: 0, worstAt: 1, outside: 1 / 3 });
  });

  it("measures a scalar", () => {
    const one: HostTensor = { dtype: "F32", shape: [], data: Float32Array.of(2) };
    const other: HostTensor = { dtype: "F32", shape: [], data: Float32Array.of(3) };
    expect(measure(one, other, LOOSE)).toMatchObject({ count: 1, maxAbs: 1, maxRel: 0.5, outside: 1 });
  });

  it("compares samples with the elements at their positions of the whole", () => {
    const metrics = measure(
      f32(20, 40, 20),
      f32(10, 20, 30, 41),
      { abs: 0.5, rel: 0 },
      { positions: [1, 3, 1] },
    );
    expect(metrics).toMatchObject({ count: 3, maxAbs: 1, maxAbsAt: 3, outside: 1 / 3 });
  });

  it("reads every dtype as numbers: halves, integers of 64 bits, bytes", () => {
    const half: HostTensor = { dtype: "F16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) }; // 1, -2
    expect(measure(f32(1, -2), half, { abs: 0, rel: 0 }).maxAbs).toBe(0);
    const long: HostTensor = { dtype: "I64", shape: [2], data: BigInt64Array.of(1n, -2n) };
    expect(measure(f32(1, -2), long, { abs: 0, rel: 0 }).maxAbs).toBe(0);
    const bytes: HostTensor = { dtype: "U8", shape: [2], data: Uint8Array.of(1, 254) };
    expect(measure(f32(1, -2), bytes, { abs: 0, rel: 0 }).maxAbs).toBe(256);
  });

  it("refuses another number of elements", () => {
    expect(() => measure(f32(1, 2), f32(1), LOOSE)).toThrow("measure: expected 2 elements, got 1");
    expect(() => measure(f32(1, 2), f32(1, 2, 3), LOOSE, { positions: [0] })).toThrow(
      "expected 1 elements, got 2",
    );
  });
});

describe("ulpDistance", () => {
  it("counts the f32 numbers from one to the other", () => {
    expect(ulpDistance(1, 1 + 2 ** -23)).toBe(1);
    expect(ulpDistance(1, 1 - 2 ** -24)).toBe(1);
    expect(ulpDistance(-1, -1 - 3 * 2 ** -23)).toBe(3);
    expect(ulpDistance(2 ** -149, -(2 ** -149))).toBe(2);
    expect(ulpDistance(0, -0)).toBe(0);
    expect(ulpDistance(3.4028234663852886e38, -3.4028234663852886e38)).toBe(2 * 0x7f7fffff);
  });

  it("is infinite to NaN and between infinities", () => {
    expect(ulpDistance(Number.NaN, Number.NaN)).toBe(0);
    expect(ulpDistance(1, Number.NaN)).toBe(Number.POSITIVE_INFINITY);
    expect(ulpDistance(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("spreadOf", () => {
  it("gives mean and population deviation of the finite elements, without cancellation", () => {
    expect(spreadOf(f64(1e9 + 1, 1e9 + 3, Number.NaN))).toEqual({ mean: 1e9 + 2, std: 1 });
    expect(spreadOf(f64())).toEqual({ mean: 0, std: 0 });
  });
});
