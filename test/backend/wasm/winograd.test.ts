/** Winograd's convolution against the reference's double sums, at the edges of its tiles, blocks and panels. */
import { afterAll, describe, expect, it } from "vitest";
import type { ConvOptions, Strided } from "../../../src/backend/backend.ts";
import { referenceBackend } from "../../../src/backend/reference/reference.ts";
import type { View } from "../../../src/backend/wasm/engine.ts";
import {
  packWinograd,
  runWinograd,
  winogradPays,
  winogradSupports,
} from "../../../src/backend/wasm/winograd.ts";
import { fillAll, fillTensor, openEngine, readView, readWords, viewIn } from "./engine.ts";
import { EPS, sizeOf } from "./harness.ts";

const engines = [1, 2, 3].map((threads) => openEngine(threads, 0));
afterAll(async () => {
  await Promise.all(engines.map((e) => e.close()));
});

const onePad = (p: number): ConvOptions => ({
  stride: [1, 1],
  padding: [p, p],
  dilation: [1, 1],
  groups: 1,
});

function reference(
  values: readonly Float32Array[],
  shapes: readonly number[][],
  o: ConvOptions,
): Float32Array {
  const [x, w, b, y] = shapes.map((shape, i): Strided => {
    const storage = referenceBackend.allocate("f32", sizeOf(shape));
    if (i < 3) (storage.data as Float32Array).set(values[i]);
    const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
    return { storage, dtype: "f32", shape, strides, offset: 0 };
  });
  referenceBackend.conv2d(x, w, b, y, o);
  return y.storage.data as Float32Array;
}

/**
 * Greatest error in units of 2^-24 * (greatest sum of |x w|); checks bits and surroundings for every number of threads.
 */
function errorOf(
  batch: number,
  c: number,
  o: number,
  size: readonly [number, number],
  padding = 1,
  axes: readonly [number, number] = [1, 1],
  gap = 0,
): number {
  const options = onePad(padding);
  const out = size.map((n) => n + 2 * padding - 2);
  const shapes = [[batch, c, ...size], [o, c, 3, 3], [o], [batch, o, ...out]];
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
      runWinograd(engine, x, packWinograd(engine, take, w, b), y, options);
      const words = readWords(engine, y);
      if (!first) {
        first = words;
        const values = [x, w, b].map((v) => readView(engine, v));
        const expected = reference(values, shapes, options);
        const magnitude = reference(
          values.map((v) => v.map(Math.abs)),
          shapes,
          options,
        ).reduce((p, q) => Math.max(p, q));
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

// In these units a direct sum may be off by 9 C + 2. Winograd's windows and outputs are sums with factors of up to
// (1 + s + t)^2 = 26 in all, its K products are summed like a direct sum's: at most 14 is measured at these sizes, where
// few channels are the worst because nothing averages out.
const BOUND = 20;

describe(`winograd within ${BOUND} * 2^-24 * max sum |x w|, the same bits for 1, 2 and 3 threads`, () => {
  for (const c of [1, 3, 4, 5, 14, 64]) {
    it(`${c} inputs; outputs at 1, panel - 1, panel, panel + 1, 3 * panel + 2; tiles whole and cut`, () => {
      for (const o of [1, 15, 16, 17, 50]) {
        for (const size of [
          [4, 4],
          [9, 7],
          [13, 22],
        ] as const) {
          expect(errorOf(2, c, o, size), `${c} -> ${o}, ${size}`).toBeLessThan(BOUND);
        }
      }
    });
  }

  it("sizes of 1 to 9, padding 0 to 2", () => {
    for (let n = 1; n <= 9; n++) {
      for (const padding of [0, 1, 2]) {
        if (n + 2 * padding < 3) continue;
        expect(errorOf(1, 4, 5, [n, 10 - n + 2], padding), `${n}, padding ${padding}`).toBeLessThan(BOUND);
      }
    }
  });

  it("row-major tensors, and pixels of the output apart, nothing written between them", () => {
    expect(errorOf(2, 6, 18, [9, 10], 1, [3, 3])).toBeLessThan(BOUND);
    expect(errorOf(2, 6, 18, [9, 10], 1, [1, 1], 7)).toBeLessThan(BOUND);
    expect(errorOf(2, 6, 1, [9, 10], 1, [1, 3])).toBeLessThan(BOUND);
  });
});

describe("winogradSupports and winogradPays", () => {
  it("dense 3x3 of stride and dilation 1 alone", () => {
    const plain = onePad(1);
    expect(winogradSupports([8, 8, 3, 3], plain)).toBe(true);
    expect(winogradSupports([8, 8, 5, 5], plain)).toBe(false);
    expect(winogradSupports([8, 8, 3, 3], { ...plain, stride: [2, 2] })).toBe(false);
    expect(winogradSupports([8, 8, 3, 3], { ...plain, dilation: [1, 2] })).toBe(false);
    expect(winogradSupports([8, 1, 3, 3], { ...plain, groups: 8 })).toBe(false);
  });

  it("pays for wide layers, not for a few channels or pixels", () => {
    const plain = onePad(1);
    expect(winogradPays([1, 128, 80, 80], [128, 128, 3, 3], plain)).toBe(true);
    expect(winogradPays([1, 64, 20, 20], [64, 64, 3, 3], plain)).toBe(true);
    expect(winogradPays([1, 3, 80, 80], [32, 3, 3, 3], plain)).toBe(false);
    expect(winogradPays([1, 256, 2, 2], [256, 256, 3, 3], plain)).toBe(false);
  });
});
