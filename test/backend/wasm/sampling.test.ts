/** Nearest resizing, grid_sample and deformable attention against the reference; what is delegated, on WASM memory. */
import { afterAll, describe, expect, it } from "vitest";
import type { DType, Pair, Strided } from "../../../src/backend/backend.ts";
import type { WasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { EPS, expectCase, LAYOUTS, numbers, openBackends, read, sizeOf } from "./harness.ts";

const backends: WasmBackend[] = openBackends();
afterAll(async () => {
  await Promise.all(backends.map((b) => b.close()));
});

const exact = (): number => 0;
/** A copy of the input pushed into [low, high): |inputs| would change which pixels are read. */
const between = (count: number, seed: number, low: number, high: number): Float32Array =>
  numbers(count, seed).map((v) => low + ((v + 1) / 2) * (high - low));

describe("interpolate", () => {
  for (const layout of LAYOUTS) {
    it(`nearest from ${layout}, up and down, by sizes and by scale, is exact`, () => {
      for (const [size, target, scale] of [
        [
          [3, 5],
          [6, 10],
          [0.5, 0.5],
        ],
        [[6, 7], [3, 3], undefined],
        [[4, 1], [9, 3], undefined],
        [[1, 1], [2, 5], undefined],
      ] as [Pair, Pair, Pair | undefined][]) {
        for (const to of LAYOUTS) {
          for (const c of [1, 5, 16]) {
            expectCase(backends, {
              about: `${size} to ${target}, ${c} channels, ${to}`,
              inputs: [{ shape: [2, c, ...size], layout }],
              out: { shape: [2, c, ...target], layout: to },
              run: (b, [x], y) => b.interpolate(x, y, { mode: "nearest", alignCorners: false, scale }),
              bound: exact,
            });
          }
        }
      }
    });
  }

  it("bilinear runs the reference's loops", () => {
    expectCase(backends, {
      about: "bilinear",
      inputs: [{ shape: [1, 3, 4, 5], layout: "channels_last" }],
      out: { shape: [1, 3, 7, 9], layout: "channels_last" },
      run: (b, [x], y) => b.interpolate(x, y, { mode: "bilinear", alignCorners: true }),
      bound: exact,
    });
  });
});

describe("gridSample", () => {
  for (const alignCorners of [true, false]) {
    for (const layout of LAYOUTS) {
      it(`bilinear, zeros, alignCorners ${alignCorners}, ${layout}: within 1e-6 of values up to 1`, () => {
        // coordinates are f32 in the same order as the reference's; weights of up to 8 pixels' coordinates carry 8 EPS
        for (const c of [1, 3, 8, 14]) {
          const count = 2 * 6 * 5 * 2;
          const grid = between(count, 9, -1.4, 1.4);
          grid.set([-1, -1, 1, 1, 0, 0, -1.2, 0.3, NaN, 0, 5, Infinity]);
          expectCase(backends, {
            about: `${c} channels`,
            inputs: [{ shape: [2, c, 7, 8], layout }],
            out: { shape: [2, c, 6, 5], layout },
            run: (b, [x], y) => {
              const storage = b.allocate("f32", count);
              (storage.data as Float32Array).set(grid);
              const shape = [2, 6, 5, 2];
              const g: Strided = { storage, dtype: "f32", shape, strides: [60, 10, 2, 1], offset: 0 };
              b.gridSample(x, g, y, { mode: "bilinear", paddingMode: "zeros", alignCorners });
              storage.release();
            },
            bound: () => 1e-6,
          });
        }
      });
    }
  }

  it("nearest and border run the reference's loops", () => {
    for (const [mode, paddingMode] of [
      ["nearest", "zeros"],
      ["bilinear", "border"],
      ["nearest", "border"],
    ] as const) {
      expectCase(backends, {
        about: `${mode} ${paddingMode}`,
        inputs: [{ shape: [1, 3, 4, 5] }, { shape: [1, 3, 3, 2] }],
        out: { shape: [1, 3, 3, 3] },
        run: (b, [x, g], y) => b.gridSample(x, g, y, { mode, paddingMode, alignCorners: false }),
        bound: exact,
      });
    }
  });
});

describe("deformableAttention within 2^-24 * (L * P * 4 + 40) * sum |w v|", () => {
  const shapes: Pair[] = [
    [5, 6],
    [3, 3],
    [1, 2],
  ];
  const tokens = shapes.reduce((n, [h, w]) => n + h * w, 0);
  for (const [heads, channels, points] of [
    [2, 8, 4],
    [1, 1, 1],
    [3, 7, 2],
    [8, 32, 4],
  ]) {
    for (const layout of ["contiguous", "gapped", "channels_last", "spread"] as const) {
      it(`${heads} heads of ${channels}, ${points} points, ${layout}`, () => {
        const queries = 5;
        const count = 2 * queries * heads * 3 * points;
        // some locations outside of the map on every side; positive, so that the magnitude reads the same pixels
        const locations = between(count * 2, 4, 0, 1.2);
        expectCase(backends, {
          about: "random",
          inputs: [
            { shape: [2, tokens, heads, channels], layout },
            {
              shape: [2, queries, heads, 3, points, 2],
              values: locations,
              layout: layout === "spread" ? "spread" : "contiguous",
            },
            { shape: [2, queries, heads, 3, points], layout: layout === "gapped" ? "gapped" : "contiguous" },
          ],
          out: { shape: [2, queries, heads * channels], layout },
          run: (b, [v, l, w], y) => b.deformableAttention(v, shapes, l, w, y),
          bound: (_, magnitude) => EPS * (12 * points + 40) * magnitude + 1e-7,
        });
      });
    }
  }
});

describe("what has no kernel runs the reference's loops on WASM memory", () => {
  it("reduce, pool2d, adaptiveAvgPool2d, embedding, gather, topk give the reference's numbers", () => {
    expectCase(backends, {
      about: "mean",
      inputs: [{ shape: [3, 5, 2], layout: "swapped" }],
      out: { shape: [3, 2] },
      run: (b, [x], y) => b.reduce("mean", x, 1, y),
      bound: exact,
    });
    expectCase(backends, {
      about: "pool2d",
      inputs: [{ shape: [1, 3, 6, 6], layout: "channels_last" }],
      out: { shape: [1, 3, 3, 3], layout: "channels_last" },
      run: (b, [x], y) =>
        b.pool2d(x, y, {
          kind: "max",
          kernel: [2, 2],
          stride: [2, 2],
          padding: [0, 0],
          dilation: [1, 1],
          countIncludePad: true,
        }),
      bound: exact,
    });
    expectCase(backends, {
      about: "adaptiveAvgPool2d",
      inputs: [{ shape: [1, 3, 5, 6] }],
      out: { shape: [1, 3, 2, 3] },
      run: (b, [x], y) => b.adaptiveAvgPool2d(x, y),
      bound: exact,
    });
    const b = backends[0];
    const make = (dtype: DType, shape: number[], values: number[]): Strided => {
      const storage = b.allocate(dtype, sizeOf(shape));
      (storage.data as Float32Array).set(values);
      const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
      return { storage, dtype, shape, strides, offset: 0 };
    };
    const x = make("f32", [2, 3], [1, 5, 3, 9, 7, 8]);
    const values = make("f32", [2, 2], []);
    const indices = make("i32", [2, 2], []);
    b.topk(x, 2, 1, true, values, indices);
    expect([...read(values)]).toEqual([5, 3, 9, 8]);
    expect([...read(indices)]).toEqual([1, 2, 0, 2]);
    b.gather(x, 1, indices, values);
    expect([...read(values)]).toEqual([5, 3, 9, 8]);
    const rows = make("f32", [2, 2, 3], []);
    const index = make("i32", [2, 2], [1, 0, 0, 1]);
    b.embedding(x, index, rows);
    expect([...read(rows)]).toEqual([9, 7, 8, 1, 5, 3, 1, 5, 3, 9, 7, 8]);
    for (const t of [x, values, indices, rows, index]) t.storage.release();
  });
});
