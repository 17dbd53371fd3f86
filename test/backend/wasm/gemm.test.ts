/** matmul, linear and conv2d against the reference, at the edges of the 2x16 tile. */
import { afterAll, describe, it } from "vitest";
import type { Pair } from "../../../src/backend/backend.ts";
import type { WasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { EPS, expectCase, type Layout, openBackends } from "./harness.ts";

const backends: WasmBackend[] = openBackends();
afterAll(async () => {
  await Promise.all(backends.map((b) => b.close()));
});

// An f32 sum of K products in order is off by at most K roundings of the running sum and one per product; the double
// sums of the reference are rounded once: (K + 2) * 2^-24 * sum |a * b|.
const sumBound =
  (k: number) =>
  (_: number, magnitude: number): number =>
    (k + 2) * EPS * magnitude;

describe("matmul within (K + 2) * 2^-24 * sum |a b|, the same bits for 1, 2 and 4 threads", () => {
  const sizes = [1, 2, 3, 15, 16, 17, 33, 50];
  for (const m of [1, 2, 3, 7, 50]) {
    it(`M = ${m}, N and K at 1, tile - 1, tile, tile + 1, 3 * tile + 2`, () => {
      for (const n of sizes) {
        for (const k of [1, 2, 3, 4, 5, 17]) {
          expectCase(backends, {
            about: `${m}x${k} * ${k}x${n}`,
            inputs: [{ shape: [m, k] }, { shape: [k, n] }],
            out: { shape: [m, n] },
            run: (b, [x, w], y) => b.matmul(x, w, y),
            bound: sumBound(k),
          });
        }
      }
    });
  }

  const layouts: Layout[] = ["contiguous", "swapped", "gapped", "spread"];
  for (const a of layouts) {
    it(`batches [2, 3], a ${a}, b and out in every layout`, () => {
      for (const b of layouts) {
        for (const y of layouts) {
          expectCase(backends, {
            about: `a ${a}, b ${b}, out ${y}`,
            inputs: [
              { shape: [2, 3, 9, 13], layout: a },
              { shape: [2, 3, 13, 18], layout: b },
            ],
            out: { shape: [2, 3, 9, 18], layout: y },
            run: (be, [p, q], o) => be.matmul(p, q, o),
            bound: sumBound(13),
          });
        }
      }
    });
  }

  it("operands that are broadcast (stride 0) along a leading dimension", () => {
    for (const [first, second] of [
      [0, 1],
      [1, 0],
      [0, 0],
    ]) {
      expectCase(backends, {
        about: `strides times ${first} and ${second}`,
        inputs: [{ shape: [4, 5, 6] }, { shape: [4, 6, 20] }],
        out: { shape: [4, 5, 20] },
        run: (be, [p, q], o) =>
          be.matmul(
            { ...p, strides: [p.strides[0] * first, p.strides[1], p.strides[2]] },
            { ...q, strides: [q.strides[0] * second, q.strides[1], q.strides[2]] },
            o,
          ),
        bound: sumBound(6),
      });
    }
  });

  it("K = 0 gives zeros, empty outputs give nothing", () => {
    for (const [m, k, n] of [
      [3, 0, 4],
      [0, 3, 4],
      [3, 4, 0],
    ]) {
      expectCase(backends, {
        about: `${m}x${k} * ${k}x${n}`,
        inputs: [{ shape: [m, k] }, { shape: [k, n] }],
        out: { shape: [m, n] },
        run: (be, [p, q], o) => be.matmul(p, q, o),
        bound: () => 0,
      });
    }
  });

  it("NaN and infinities reach exactly the outputs that read them", () => {
    const x = new Float32Array(5 * 7).fill(1);
    x[7] = Number.NaN;
    x[15] = Number.POSITIVE_INFINITY;
    expectCase(backends, {
      about: "NaN in row 1, inf in row 2",
      inputs: [{ shape: [5, 7], values: x }, { shape: [7, 19] }],
      out: { shape: [5, 19] },
      run: (be, [p, q], o) => be.matmul(p, q, o),
      bound: sumBound(7),
    });
  });
});

describe("linear within (K + 2) * 2^-24 * sum |x w|", () => {
  for (const layout of ["contiguous", "swapped", "gapped", "spread"] as const) {
    it(`x, w and out ${layout}, with and without bias`, () => {
      for (const [k, n] of [
        [1, 1],
        [8, 16],
        [13, 17],
        [32, 50],
      ]) {
        for (const withBias of [true, false]) {
          expectCase(backends, {
            about: `K ${k}, N ${n}, bias ${withBias}`,
            inputs: [
              { shape: [2, 3, 5, k], layout },
              { shape: [n, k], layout },
              { shape: [n], layout: "spread" },
            ],
            out: { shape: [2, 3, 5, n], layout },
            run: (be, [x, w, b], o) => be.linear(x, w, withBias ? b : undefined, o),
            bound: sumBound(k + 1),
          });
        }
      }
    });
  }
});

interface Conv {
  readonly about: string;
  readonly c: number;
  readonly o: number;
  readonly k: Pair;
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
  readonly size?: Pair;
  readonly batch?: number;
}

const CONVS: readonly Conv[] = [
  { about: "1x1", c: 5, o: 17, k: [1, 1] },
  { about: "1x1, stride 2", c: 5, o: 17, k: [1, 1], stride: [2, 2] },
  { about: "1x1, padding 1", c: 3, o: 4, k: [1, 1], padding: [1, 1] },
  { about: "3x3, padding 1", c: 4, o: 16, k: [3, 3], padding: [1, 1] },
  { about: "3x3, no padding", c: 4, o: 15, k: [3, 3] },
  { about: "3x3, stride 2, the stem", c: 3, o: 32, k: [3, 3], stride: [2, 2], padding: [1, 1] },
  { about: "5x3, stride 2 and 1, padding 2 and 0", c: 2, o: 5, k: [5, 3], stride: [2, 1], padding: [2, 0] },
  { about: "3x3, dilation 2", c: 4, o: 6, k: [3, 3], dilation: [2, 2], padding: [2, 2] },
  { about: "3 groups", c: 6, o: 9, k: [3, 3], padding: [1, 1], groups: 3 },
  { about: "depthwise with two outputs per channel", c: 6, o: 12, k: [3, 3], padding: [1, 1], groups: 6 },
  { about: "one channel", c: 1, o: 1, k: [3, 3], padding: [1, 1] },
  { about: "one pixel", c: 7, o: 3, k: [1, 1], size: [1, 1] },
  { about: "depthwise 3x3", c: 8, o: 8, k: [3, 3], padding: [1, 1], groups: 8 },
  { about: "depthwise 3x3, 3 channels", c: 3, o: 3, k: [3, 3], padding: [1, 1], groups: 3 },
  {
    about: "depthwise 3x3, stride 2, 7 channels",
    c: 7,
    o: 7,
    k: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
    groups: 7,
  },
  { about: "depthwise 5x5, stride 2", c: 12, o: 12, k: [5, 5], stride: [2, 2], padding: [2, 2], groups: 12 },
  {
    about: "depthwise 3x3, stride 2 and dilation 2, tiles of four and a rest",
    c: 8,
    o: 8,
    k: [3, 3],
    stride: [2, 2],
    padding: [2, 2],
    dilation: [2, 2],
    groups: 8,
    size: [9, 19],
  },
  {
    about: "depthwise 3x3, stride 2, two tiles of four and a rest",
    c: 8,
    o: 8,
    k: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
    groups: 8,
    size: [5, 19],
  },
  { about: "depthwise 5x5, no padding", c: 14, o: 14, k: [5, 5], groups: 14 },
  {
    about: "depthwise 3x3, dilation 2 and 1",
    c: 4,
    o: 4,
    k: [3, 3],
    dilation: [2, 1],
    padding: [2, 1],
    groups: 4,
  },
  {
    about: "depthwise, 512 channels (pixels 2 KB apart)",
    c: 512,
    o: 512,
    k: [3, 3],
    padding: [1, 1],
    groups: 512,
    size: [5, 6],
    batch: 1,
  },
];

describe("conv2d within (K + 2) * 2^-24 * sum |x w|, channels-last and every other layout", () => {
  for (const conv of CONVS) {
    it(conv.about, () => {
      const { c, o, k } = conv;
      const { stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 } = conv;
      const { size = [9, 11], batch = 2 } = conv;
      const out = [0, 1].map((i) =>
        Math.floor((size[i] + 2 * padding[i] - dilation[i] * (k[i] - 1) - 1) / stride[i] + 1),
      );
      const layouts: [Layout, Layout, Layout][] = [
        ["channels_last", "contiguous", "channels_last"],
        ["contiguous", "channels_last", "contiguous"],
        ["gapped", "gapped", "gapped"],
        ["spread", "swapped", "swapped"],
      ];
      for (const [xl, wl, yl] of layouts) {
        for (const withBias of [true, false]) {
          expectCase(backends, {
            about: `${conv.about}: x ${xl}, w ${wl}, out ${yl}, bias ${withBias}`,
            inputs: [
              { shape: [batch, c, ...size], layout: xl },
              { shape: [o, c / groups, ...k], layout: wl },
              { shape: [o], layout: "spread" },
            ],
            out: { shape: [batch, o, ...out], layout: yl },
            run: (be, [x, w, b], y) =>
              be.conv2d(x, w, withBias ? b : undefined, y, { stride, padding, dilation, groups }),
            bound: sumBound((c / groups) * k[0] * k[1] + 1),
          });
        }
      }
    });
  }
});
