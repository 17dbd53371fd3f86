/** copy, fill, unary, clamp and binary against the reference, in and out of place, in every layout. */
import { afterAll, describe, expect, it } from "vitest";
import type { BinaryOp, DType, Strided, UnaryOp } from "../../../src/backend/backend.ts";
import type { WasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { EPS, expectCase, LAYOUTS, type Layout, numbers, openBackends, read } from "./harness.ts";

const backends: WasmBackend[] = openBackends();
afterAll(async () => {
  await Promise.all(backends.map((b) => b.close()));
});

const exact = (): number => 0;
const SHAPES = [
  [1, 1, 1, 1],
  [2, 3, 4, 5],
  [1, 7, 5, 9],
  [2, 16, 3, 4],
  [1, 5, 1, 33],
  [3, 1, 17, 2],
];

describe("copy moves every element exactly", () => {
  for (const from of LAYOUTS) {
    it(`from ${from} to every layout`, () => {
      for (const to of LAYOUTS) {
        for (const shape of [...SHAPES, [13], [5, 6], [2, 3, 2, 3, 2, 3, 2]]) {
          expectCase(backends, {
            about: `[${shape}] to ${to}`,
            inputs: [{ shape, layout: from }],
            out: { shape, layout: to },
            run: (b, [x], y) => b.copy(x, y),
            bound: exact,
          });
        }
      }
    });
  }

  it("long dense runs with a rest, and a row that is broadcast", () => {
    expectCase(backends, {
      about: "3 * 4096 + 5",
      inputs: [{ shape: [3 * 4096 + 5] }],
      out: { shape: [3 * 4096 + 5] },
      run: (b, [x], y) => b.copy(x, y),
      bound: exact,
    });
    expectCase(backends, {
      about: "expanded",
      inputs: [{ shape: [1, 37] }],
      out: { shape: [9, 37] },
      run: (b, [x], y) => b.copy({ ...x, shape: [9, 37], strides: [0, 1] }, y),
      bound: exact,
    });
  });

  it("converts between dtypes as the reference does", () => {
    const [backend] = backends;
    const make = (dtype: DType): Strided => ({
      storage: backend.allocate(dtype, 5),
      dtype,
      shape: [5],
      strides: [1],
      offset: 0,
    });
    const [f, i, l, u] = (["f32", "i32", "i64", "u8"] as const).map(make);
    (f.storage.data as Float32Array).set([0, 1.75, 200.5, 3.25, 4]);
    backend.copy(f, i);
    backend.copy(i, l);
    backend.copy(l, u);
    backend.copy(i, f);
    expect(read(u)).toEqual(Float32Array.of(0, 1, 200, 3, 4));
    expect(read(f)).toEqual(Float32Array.of(0, 1, 200, 3, 4));
    for (const x of [f, i, l, u]) x.storage.release();
  });
});

it("fill sets every element and nothing else", () => {
  for (const layout of LAYOUTS) {
    for (const shape of SHAPES) {
      expectCase(backends, {
        about: `[${shape}] ${layout}`,
        inputs: [],
        out: { shape, layout },
        run: (b, _, y) => b.fill(y, 1.25),
        bound: exact,
      });
    }
  }
});

// exp is within 1 ULP = 2 EPS (minimax error 3e-9, the rest rounding); the reference rounds a double.
const UNARY: [UnaryOp, (value: number) => number, string][] = [
  ["relu", exact, "exactly"],
  ["relu6", exact, "exactly"],
  ["neg", exact, "exactly"],
  ["sqrt", exact, "exactly"],
  ["exp", (v) => 3 * EPS * v + 2 ** -149, "within 1.5 ULP"],
  ["sigmoid", (v) => 5 * EPS * v + 2 ** -126, "within 2.5 ULP (exp, sum, quotient)"],
  ["silu", (v) => 5 * EPS * Math.abs(v) + 2 ** -118, "within 2.5 ULP (exp, sum, quotient)"],
  // the tail's exp has its argument's rounding, x^2 / 2 <= 10 where the result is above the absolute bound
  ["gelu", (v) => Math.max(3e-9, 12 * EPS * Math.abs(v)), "within 6 ULP or 3e-9"],
  ["gelu_tanh", (v) => Math.max(1e-7, 10 * EPS * Math.abs(v)), "within 1e-7 (or 5 ULP)"],
  ["log", (v) => EPS * Math.abs(v), "as the reference"],
  ["sin", (v) => EPS * Math.abs(v), "as the reference"],
  ["cos", (v) => EPS * Math.abs(v), "as the reference"],
];

describe("unary functions, any layout, out of place and in place", () => {
  const hard = Float32Array.of(
    0,
    -0,
    NaN,
    Infinity,
    1e-30,
    -1e-30,
    88.7,
    -88.7,
    103,
    -103,
    89,
    -87.4,
    5.6,
    -5.6,
    6,
    7,
    1e30,
    -1e30,
    0.5,
  );
  for (const [op, bound, how] of UNARY) {
    it(`${op} ${how}`, () => {
      for (const n of [1, 3, 4, 5, 14, 4099]) {
        for (const inPlace of [undefined, 0]) {
          expectCase(backends, {
            about: `${op} of ${n}`,
            inputs: [{ shape: [n], scale: n > 100 ? 12 : 3 }],
            out: { shape: [n] },
            run: (b, [x], y) => b.unary(op, x, y),
            bound,
            inPlace,
          });
        }
      }
      expectCase(backends, {
        about: `${op} of zeros, NaN, inf and the ends of its range`,
        inputs: [{ shape: [hard.length], values: hard }],
        out: { shape: [hard.length] },
        run: (b, [x], y) => b.unary(op, x, y),
        bound,
      });
      for (const from of LAYOUTS) {
        for (const to of LAYOUTS) {
          expectCase(backends, {
            about: `${op}, ${from} to ${to}`,
            inputs: [{ shape: [2, 5, 3, 4], layout: from }],
            out: { shape: [2, 5, 3, 4], layout: to },
            run: (b, [x], y) => b.unary(op, x, y),
            bound,
            inPlace: from === to ? 0 : undefined,
          });
        }
      }
    });
  }

  it("at -infinity: 0 for exp, sigmoid and relu; NaN for silu and both gelu, as PyTorch", () => {
    const values = new Float32Array(5).fill(Number.NEGATIVE_INFINITY);
    for (const [op, expected] of [
      ["exp", 0],
      ["sigmoid", 0],
      ["relu", 0],
      ["silu", NaN],
      ["gelu", NaN],
      ["gelu_tanh", NaN],
    ] as const) {
      for (const b of backends) {
        const storage = b.allocate("f32", 5);
        (storage.data as Float32Array).set(values);
        const x: Strided = { storage, dtype: "f32", shape: [5], strides: [1], offset: 0 };
        b.unary(op, x, x);
        expect([...read(x)], op).toEqual(new Array(5).fill(expected));
        storage.release();
      }
    }
  });

  it("exp over its whole range within 1.5 ULP", () => {
    const n = 40_000;
    expectCase(backends, {
      about: "exp in [-104, 89]",
      inputs: [{ shape: [n], values: Float32Array.from({ length: n }, (_, i) => -104 + (193 * i) / n) }],
      out: { shape: [n] },
      run: (b, [x], y) => b.unary("exp", x, y),
      bound: (v) => 3 * EPS * v + 2 ** -149,
    });
  });
});

it("clamp keeps NaN, and max wins where the bounds cross", () => {
  const values = numbers(70, 5, 4);
  values[3] = NaN;
  values[4] = Infinity;
  for (const [low, high] of [
    [-1, 2],
    [0, 6],
    [2, -1],
    [-Infinity, 1],
  ]) {
    for (const layout of ["contiguous", "spread"] as const) {
      expectCase(backends, {
        about: `[${low}, ${high}] ${layout}`,
        inputs: [{ shape: [70], values, layout }],
        out: { shape: [70], layout },
        run: (b, [x], y) => b.clamp(x, low, high, y),
        bound: exact,
        inPlace: layout === "spread" ? 0 : undefined,
      });
    }
  }
});

describe("binary functions are exactly the reference's", () => {
  const OPS: BinaryOp[] = ["add", "sub", "mul", "div", "minimum", "maximum"];
  // Both round the exact result of two f32 once; a double quotient rounded again differs in no case of f32 inputs.
  for (const op of OPS) {
    it(`${op}: every pair of layouts, broadcasts, in place, NaN`, () => {
      const some: Layout[] = ["contiguous", "channels_last", "gapped", "spread"];
      for (const a of some) {
        for (const b of some) {
          for (const y of some) {
            expectCase(backends, {
              about: `${op}, ${a}, ${b} to ${y}`,
              inputs: [
                { shape: [2, 5, 3, 6], layout: a },
                { shape: [2, 5, 3, 6], layout: b },
              ],
              out: { shape: [2, 5, 3, 6], layout: y },
              run: (be, [p, q], o) => be.binary(op, p, q, o),
              bound: exact,
            });
          }
        }
      }
      for (const inPlace of [0, 1]) {
        for (const layout of some) {
          expectCase(backends, {
            about: `${op} in place of ${inPlace}, ${layout}`,
            inputs: [0, 1].map((k) => ({
              shape: [2, 5, 3, 6],
              layout: k === inPlace ? layout : "contiguous",
            })),
            out: { shape: [2, 5, 3, 6] },
            run: (be, [p, q], o) => be.binary(op, p, q, o),
            bound: exact,
            inPlace,
          });
        }
      }
      const broadcasts = [
        [0, 1, 0, 0],
        [1, 0, 1, 1],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 0, 1],
      ];
      for (const p of broadcasts) {
        for (const q of broadcasts) {
          expectCase(backends, {
            about: `${op}, strides times [${p}] and [${q}]`,
            inputs: [{ shape: [2, 5, 3, 6] }, { shape: [2, 5, 3, 6] }],
            out: { shape: [2, 5, 3, 6] },
            run: (be, [x, w], o) =>
              be.binary(
                op,
                { ...x, strides: x.strides.map((s, i) => s * p[i]) },
                { ...w, strides: w.strides.map((s, i) => s * q[i]) },
                o,
              ),
            bound: exact,
          });
        }
      }
      const odd = Float32Array.of(NaN, 1, Infinity, -Infinity, 0, 2, NaN);
      expectCase(backends, {
        about: `${op} with NaN and inf`,
        inputs: [
          { shape: [7], values: odd },
          { shape: [7], values: Float32Array.of(1, NaN, 2, Infinity, 3, -2, NaN) },
        ],
        out: { shape: [7] },
        run: (be, [p, q], o) => be.binary(op, p, q, o),
        bound: exact,
      });
      expectCase(backends, {
        about: `${op} of 2 * 4096 + 7`,
        inputs: [{ shape: [8199] }, { shape: [8199] }],
        out: { shape: [8199] },
        run: (be, [p, q], o) => be.binary(op, p, q, o),
        bound: exact,
      });
    });
  }
});
