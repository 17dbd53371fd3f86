/** Strassen's products against sums in double precision, at the edges of its blocks, pairs of panels and units. */
import { afterAll, describe, expect, it } from "vitest";
import type { ConvOptions, Pair } from "../../../src/backend/backend.ts";
import { packConv, runConv } from "../../../src/backend/wasm/conv.ts";
import type { View } from "../../../src/backend/wasm/engine.ts";
import { packLinear, runLinear } from "../../../src/backend/wasm/gemm.ts";
import { strassenPays, strassenSupports } from "../../../src/backend/wasm/strassen.ts";
import { fillAll, fillTensor, openEngine, readView, readWords, viewIn } from "./engine.ts";
import { EPS } from "./harness.ts";

const engines = [1, 2, 3].map((threads) => openEngine(threads, 0));
afterAll(async () => {
  await Promise.all(engines.map((e) => e.close()));
});

/** Shapes and layouts: the axis that lies innermost, and words left between outputs of pixels. */
interface Geometry {
  readonly batch?: number;
  readonly c: number;
  readonly o: number;
  readonly size: Pair;
  readonly kernel?: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly axes?: readonly [number, number];
  readonly gap?: number;
}

const outSize = (n: number, kernel: number, stride: number, dilation: number): number =>
  Math.floor((n + 2 * ((kernel - 1) / 2) - dilation * (kernel - 1) - 1) / stride) + 1;

/** Convolution [N, C, H, W] to [N, O, Ho, Wo] in double precision; of magnitudes if `absolute`. */
function sums(g: Required<Geometry>, [x, w, b]: readonly Float32Array[], absolute: boolean): Float64Array {
  const { batch, c, o, size, kernel, stride, dilation } = g;
  const [height, width] = size;
  const [oh, ow] = size.map((n) => outSize(n, kernel, stride, dilation));
  const pad = (kernel - 1) / 2;
  const y = new Float64Array(batch * o * oh * ow);
  const of = (v: number): number => (absolute ? Math.abs(v) : v);
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (let out = 0; out < o; out++) {
      for (let row = 0; row < oh; row++) {
        for (let column = 0; column < ow; column++) {
          let sum = of(b[out]);
          for (let i = 0; i < c; i++) {
            for (let ky = 0; ky < kernel; ky++) {
              const iy = row * stride + ky * dilation - pad;
              if (iy < 0 || iy >= height) continue;
              for (let kx = 0; kx < kernel; kx++) {
                const ix = column * stride + kx * dilation - pad;
                if (ix < 0 || ix >= width) continue;
                const weight = w[((out * c + i) * kernel + ky) * kernel + kx];
                sum += of(x[((n * c + i) * height + iy) * width + ix]) * of(weight);
              }
            }
          }
          y[at++] = sum;
        }
      }
    }
  }
  return y;
}

/** Greatest error in units of 2^-24 * (greatest sum of |x w|); checks bits and surroundings for every number of threads. */
function errorOf(geometry: Geometry): number {
  const g = { batch: 1, kernel: 1, stride: 1, dilation: 1, axes: [1, 1], gap: 0, ...geometry } as const;
  const { batch, c, o, size, kernel, stride, dilation, axes, gap } = g;
  const pad = (kernel - 1) / 2;
  const options: ConvOptions = {
    stride: [stride, stride],
    padding: [pad, pad],
    dilation: [dilation, dilation],
    groups: 1,
  };
  const out = size.map((n) => outSize(n, kernel, stride, dilation));
  const shapes = [[batch, c, ...size], [o, c, kernel, kernel], [o], [batch, o, ...out]];
  let first: Buffer | undefined;
  let error = 0;
  for (const { engine } of engines) {
    engine.scratch((take) => {
      const [x, w, b, y] = shapes.map((shape, i): View => {
        const axis = i === 0 ? axes[0] : i === 3 ? axes[1] : shape.length - 1;
        return viewIn(take, shape, axis, i === 3 ? gap : 0);
      });
      fillAll(engine, [x, w, b], 1);
      fillTensor(engine, y, undefined, 0);
      runConv(engine, x, packConv(engine, take, w, b, 1, true), y, options);
      const words = readWords(engine, y);
      if (!first) {
        first = words;
        const values = [x, w, b].map((v) => readView(engine, v));
        const expected = sums(g, values, false);
        const magnitude = sums(g, values, true).reduce((p, q) => Math.max(p, q));
        readView(engine, y).forEach((v, i) => {
          const difference = Math.abs(v - expected[i]) / (EPS * magnitude);
          error = Number.isNaN(difference) ? Infinity : Math.max(error, difference);
        });
      }
      expect(Buffer.compare(words, first), `${engine.pool.threads} threads: bits of 1 thread`).toBe(0);
    });
  }
  return error;
}

// In these units a plain sum of K products may be off by K + 2, and is by about the root of K. Products of sums of two quarters
// are up to four times as large, of which most cancels: at most 4.4 is measured here, at 1032 inputs.
const BOUND = 6;

describe(`strassen within ${BOUND} * 2^-24 * max sum |x w|, the same bits for 1, 2 and 3 threads`, () => {
  it("1 to 9 pixels, and blocks of 128 less one, whole, and one or two more", () => {
    for (const width of [1, 2, 3, 4, 5, 6, 7, 8, 9, 127, 128, 129, 130, 257]) {
      expect(errorOf({ c: 16, o: 32, size: [1, width] }), `${width} pixels`).toBeLessThan(BOUND);
    }
  });

  it("8 to 1032 inputs, of which the last leave blocks of 32 pixels", () => {
    for (const c of [8, 24, 264, 1032]) {
      expect(errorOf({ c, o: 32, size: [5, 7] }), `${c} inputs`).toBeLessThan(BOUND);
    }
  });

  it("32 to 544 outputs: one pair of panels, a unit of them, a unit and one", () => {
    for (const o of [32, 64, 256, 288, 544]) {
      expect(errorOf({ c: 8, o, size: [3, 5] }), `${o} outputs`).toBeLessThan(BOUND);
    }
  });

  it("3x3 and 5x5, stride 1 and 2, dilated, odd sizes, two images", () => {
    for (const kernel of [3, 5]) {
      for (const stride of [1, 2]) {
        expect(errorOf({ batch: 2, c: 8, o: 32, size: [9, 12], kernel, stride })).toBeLessThan(BOUND);
      }
    }
    expect(errorOf({ c: 8, o: 32, size: [9, 12], kernel: 3, dilation: 2 })).toBeLessThan(BOUND);
  });

  it("row-major tensors, and pixels of the output apart, nothing written between them", () => {
    expect(errorOf({ batch: 2, c: 8, o: 64, size: [5, 7], axes: [3, 3] })).toBeLessThan(BOUND);
    expect(errorOf({ batch: 2, c: 8, o: 64, size: [5, 7], gap: 5 })).toBeLessThan(BOUND);
    expect(errorOf({ batch: 2, c: 8, o: 64, size: [5, 7], kernel: 3, gap: 5 })).toBeLessThan(BOUND);
  });
});

describe("strassen and the batch", () => {
  it("an item's bits are those that it has alone: linear [N, L, K] of odd L", () => {
    const { engine } = engines[2];
    engine.scratch((take) => {
      const x = viewIn(take, [3, 13, 16], 2, 0);
      const w = viewIn(take, [64, 16], 1, 0);
      fillAll(engine, [x, w], 1);
      const packed = packLinear(engine, take, w, undefined, true);
      const y = viewIn(take, [3, 13, 64], 2, 0);
      runLinear(engine, x, packed, y);
      const together = readView(engine, y);
      for (let n = 0; n < 3; n++) {
        const item = { address: x.address + n * x.strides[0] * 4, shape: [1, 13, 16], strides: x.strides };
        const alone = viewIn(take, [1, 13, 64], 2, 0);
        runLinear(engine, item, packed, alone);
        expect(readView(engine, alone)).toEqual(together.subarray(n * 832, (n + 1) * 832));
      }
    });
  });
});

describe("strassenSupports and strassenPays", () => {
  it("halves that vectors and panels fill", () => {
    expect(strassenSupports(8, 32)).toBe(true);
    expect(strassenSupports(12, 32)).toBe(false);
    expect(strassenSupports(8, 48)).toBe(false);
  });

  it("pays for wide layers, not for few inputs, outputs or pixels", () => {
    expect(strassenPays(400, 512, 512, 2048)).toBe(true);
    expect(strassenPays(6400, 64, 64, 256)).toBe(false);
    expect(strassenPays(6400, 256, 256, 64)).toBe(false);
    expect(strassenPays(16, 512, 512, 2048)).toBe(false);
    expect(strassenPays(400, 516, 516, 2048)).toBe(false);
  });
});
