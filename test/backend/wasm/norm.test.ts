/** affineChannels, layerNorm and softmax against the reference, every layout, rows around the vector width. */
import { afterAll, describe, expect, it } from "vitest";
import type { Strided } from "../../../src/backend/backend.ts";
import type { WasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { EPS, expectCase, LAYOUTS, type Layout, numbers, openBackends, read } from "./harness.ts";

const backends: WasmBackend[] = openBackends();
afterAll(async () => {
  await Promise.all(backends.map((b) => b.close()));
});

const WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 16, 26, 256];

describe("affineChannels within one rounding of the product and one of the sum", () => {
  for (const layout of LAYOUTS) {
    it(layout, () => {
      for (const channels of [1, 3, 4, 5, 14]) {
        for (const shape of [
          [2, channels, 3, 5],
          [1, channels, 1, 1],
          [3, channels, 1, 7],
        ]) {
          for (const to of ["contiguous", layout] as const) {
            expectCase(backends, {
              about: `[${shape}] ${layout} to ${to}`,
              inputs: [{ shape, layout }, { shape: [channels], layout: "spread" }, { shape: [channels] }],
              out: { shape, layout: to },
              run: (b, [x, alpha, beta], y) => b.affineChannels(x, alpha, beta, y),
              bound: (_, magnitude) => 3 * EPS * magnitude,
              inPlace: to === layout ? 0 : undefined,
            });
          }
        }
      }
      expectCase(backends, {
        about: "[N, C]",
        inputs: [{ shape: [6, 5], layout }, { shape: [5] }, { shape: [5] }],
        out: { shape: [6, 5] },
        run: (b, [x, alpha, beta], y) => b.affineChannels(x, alpha, beta, y),
        bound: (_, magnitude) => 3 * EPS * magnitude,
      });
    });
  }
});

describe("layerNorm within 1e-6 of values up to 4", () => {
  // mean and variance are f32 sums in 8 parts (D / 8 roundings each); the factor, the product and the sum one each
  const bound = (value: number): number => 1e-6 * (1 + Math.abs(value));
  for (const layout of ["contiguous", "channels_last", "gapped", "spread"] as Layout[]) {
    it(layout, () => {
      for (const d of WIDTHS.slice(1)) {
        for (const [withW, withB] of [
          [true, true],
          [false, false],
          [true, false],
        ]) {
          expectCase(backends, {
            about: `D ${d}, weight ${withW}, bias ${withB}`,
            inputs: [
              { shape: [2, 3, d], layout, scale: 3 },
              { shape: [d], layout: "spread" },
              { shape: [d] },
            ],
            out: { shape: [2, 3, d], layout },
            run: (b, [x, w, bias], y) =>
              b.layerNorm(x, withW ? w : undefined, withB ? bias : undefined, 1e-5, y),
            bound,
          });
        }
      }
    });
  }

  it("a mean far from zero keeps the variance's digits (two passes)", () => {
    const values = numbers(4 * 256, 3).map((v) => 1000 + v);
    expectCase(backends, {
      about: "mean 1000, spread 1",
      inputs: [{ shape: [4, 256], values }],
      out: { shape: [4, 256] },
      run: (b, [x], y) => b.layerNorm(x, undefined, undefined, 1e-5, y),
      // the mean itself has an error of some ULP of 1000 (6e-5), over a deviation of 0.58
      bound: () => 4e-4,
    });
  });
});

describe("softmax within (8 + D/4 - ln y) * 2^-24 relative, any axis, in place too", () => {
  // x - max is rounded once, which exp turns into a relative error of |x - max| <= -ln y units; exp itself 3 units, the
  // sum at most D / 4 + 3 roundings, the quotient one. Below 2^-125 the kernel gives 0.
  const softmaxBound =
    (d: number) =>
    (v: number): number =>
      (8 + d / 4 - Math.log(Math.max(v, 1e-38))) * EPS * v + 2 ** -125;
  for (const layout of LAYOUTS) {
    it(layout, () => {
      for (const shape of [
        [2, 3, 4, 5],
        [1, 7, 1, 9],
        [2, 1, 3, 26],
      ]) {
        for (let axis = 0; axis < 4; axis++) {
          for (const inPlace of [undefined, 0]) {
            expectCase(backends, {
              about: `[${shape}] axis ${axis}`,
              inputs: [{ shape, layout, scale: 8 }],
              out: { shape, layout: "contiguous" },
              run: (b, [x], y) => b.softmax(x, axis, y),
              bound: softmaxBound(shape[axis]),
              inPlace,
            });
          }
        }
      }
    });
  }

  it("rows of every width around the vector", () => {
    for (const d of WIDTHS) {
      expectCase(backends, {
        about: `D ${d}`,
        inputs: [{ shape: [5, d], scale: 20 }],
        out: { shape: [5, d] },
        run: (b, [x], y) => b.softmax(x, 1, y),
        bound: softmaxBound(d),
      });
    }
  });

  it("-inf gets 0; a row of -inf alone, with +inf or with NaN becomes NaN", () => {
    const rows = [
      [1, -Infinity, 2, 3, 4, 5],
      [-Infinity, -Infinity, -Infinity, -Infinity, -Infinity, -Infinity],
      [1, Infinity, 2, 3, 4, 5],
      [1, 2, 3, 4, NaN, 5],
      [NaN, 2, 3, 4, 5, 6],
    ];
    const b = backends[0];
    const storage = b.allocate("f32", 30);
    (storage.data as Float32Array).set(rows.flat());
    const x: Strided = { storage, dtype: "f32", shape: [5, 6], strides: [6, 1], offset: 0 };
    b.softmax(x, 1, x);
    const got = read(x);
    expect(got[1]).toBe(0);
    expect([...got.slice(0, 6)].some(Number.isNaN)).toBe(false);
    expect([...got.slice(6)].every(Number.isNaN)).toBe(true);
    storage.release();
  });
});
