/** Reductions, top-k and gather against the reference: exact but for sums, on every layout that has a kernel and others. */
import { afterAll, describe, expect, it } from "vitest";
import type { Backend, Strided } from "../../../src/backend/backend.ts";
import { referenceBackend } from "../../../src/backend/reference/reference.ts";
import type { WasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { EPS, expectCase, type Layout, numbers, openBackends, place, read, sizeOf } from "./harness.ts";

const backends: WasmBackend[] = openBackends();
afterAll(async () => {
  await Promise.all(backends.map((b) => b.close()));
});

const SIZES = [1, 2, 3, 4, 5, 7, 8, 14, 80];
const LAYOUTS: readonly Layout[] = ["contiguous", "gapped", "spread", "swapped"];

function withSpecials(count: number, every: number): Float32Array {
  const values = numbers(count, 5);
  const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 0.5, 0.5];
  for (let i = 0; i < count; i += every) values[i] = specials[(i / every) % specials.length];
  return values;
}

describe("reduce", () => {
  for (const op of ["max", "min"] as const) {
    it(`${op} is exact, NaN propagates, over any axis and layout`, () => {
      for (const layout of LAYOUTS) {
        for (const size of SIZES) {
          expectCase(backends, {
            about: `${op} of ${size}, ${layout}`,
            inputs: [{ shape: [3, 5, size], layout, values: withSpecials(15 * size, 2 * size + 3) }],
            out: { shape: [3, 5], layout },
            run: (b, [x], y) => b.reduce(op, x, 2, y),
            bound: () => 0,
          });
        }
        expectCase(backends, {
          about: `${op} over axis 1, ${layout}`,
          inputs: [{ shape: [3, 9, 5], layout }],
          out: { shape: [3, 5], layout },
          run: (b, [x], y) => b.reduce(op, x, 1, y),
          bound: () => 0,
        });
      }
    });
  }

  for (const op of ["sum", "mean"] as const) {
    // Both sum in double precision, in another order: they round to the same f32 or to neighbours.
    it(`${op} within one rounding of the double sum`, () => {
      for (const layout of LAYOUTS) {
        for (const size of SIZES) {
          expectCase(backends, {
            about: `${op} of ${size}, ${layout}`,
            inputs: [{ shape: [3, 5, size], layout }],
            out: { shape: [3, 5], layout },
            run: (b, [x], y) => b.reduce(op, x, 2, y),
            bound: (v) => 2 * EPS * Math.abs(v),
          });
        }
      }
    });
  }
});

/** Values and indices of top-k on a backend. */
function topk(
  backend: Backend,
  x: Strided,
  k: number,
  axis: number,
  largest: boolean,
): { values: Float32Array; indices: number[] } {
  const shape = x.shape.map((n, i) => (i === axis ? k : n));
  const values = place(backend, shape, "gapped");
  const count = sizeOf(shape);
  const storage = backend.allocate("i32", count);
  const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  const indices: Strided = { storage, dtype: "i32", shape, strides, offset: 0 };
  backend.topk(x, k, axis, largest, values, indices);
  const result = { values: read(values), indices: Array.from(storage.data as Int32Array) };
  for (const s of [values.storage, storage]) s.release();
  return result;
}

describe("topk: values and indices are the reference's, ties by lowest index, NaN greatest, 0 and -0 alike", () => {
  const SHAPES: readonly [readonly number[], number][] = [
    [[6, 60], 1],
    [[2, 60, 3], 1],
    [[360], 0],
  ];
  const cases: readonly [string, Float32Array][] = [
    ["random", numbers(2 * 60 * 3, 3)],
    ["specials", withSpecials(2 * 60 * 3, 3)],
    ["all equal", new Float32Array(2 * 60 * 3).fill(-2)],
    ["rising", Float32Array.from({ length: 2 * 60 * 3 }, (_, i) => i - 100)],
    ["falling", Float32Array.from({ length: 2 * 60 * 3 }, (_, i) => 100 - i)],
    ["least numbers", new Float32Array(2 * 60 * 3).fill(Number.NEGATIVE_INFINITY)],
    ["NaN alone", new Float32Array(2 * 60 * 3).fill(Number.NaN)],
    ["few values", Float32Array.from({ length: 2 * 60 * 3 }, (_, i) => (i * 7) % 4)],
  ];
  for (const [about, values] of cases) {
    it(about, () => {
      for (const layout of LAYOUTS) {
        for (const [shape, axis] of SHAPES) {
          for (const k of [1, 2, 3, 17, shape[axis]]) {
            for (const largest of [true, false]) {
              const expected = topk(
                referenceBackend,
                place(referenceBackend, shape, layout, values),
                k,
                axis,
                largest,
              );
              for (const backend of backends) {
                const x = place(backend, shape, layout, values);
                const got = topk(backend, x, k, axis, largest);
                x.storage.release();
                const title = `${layout}, [${shape}], axis ${axis}, k ${k}, largest ${largest}`;
                expect(got.indices, title).toEqual(expected.indices);
                expect(got.values, title).toEqual(expected.values);
              }
            }
          }
        }
      }
    });
  }
});

describe("gather is exact", () => {
  for (const layout of LAYOUTS) {
    it(`rows by a broadcast index, and elements by a full one, ${layout}`, () => {
      for (const [size, broadcast] of [
        [1, true],
        [4, true],
        [7, true],
        [80, true],
        [7, false],
      ] as const) {
        expectCase(backends, {
          about: `rows of ${size}, ${broadcast ? "one index a row" : "an index each"}`,
          inputs: [{ shape: [2, 9, size], layout }],
          out: { shape: [2, 5, size], layout },
          run: (b, [x], y) => {
            const storage = b.allocate("i32", 10 * size);
            (storage.data as Int32Array).forEach((_, i, all) => {
              all[i] = (i * 5 + (i >> 2)) % 9;
            });
            const strides = broadcast ? [5, 1, 0] : [5 * size, size, 1];
            b.gather(x, 1, { storage, dtype: "i32", shape: [2, 5, size], strides, offset: 0 }, y);
            storage.release();
          },
          bound: () => 0,
        });
      }
    });
  }
});
