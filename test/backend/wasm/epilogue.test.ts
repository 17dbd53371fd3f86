/**
 * Activations and residuals in the kernels of products: the bits of the product followed by the separate operators, at
 * the edges of the tiles, for 1 and 3 threads, with nothing written between or behind the outputs.
 */
import { afterAll, describe, expect, it } from "vitest";
import type { ConvOptions } from "../../../src/backend/backend.ts";
import { packConv, runConv } from "../../../src/backend/wasm/conv.ts";
import { copyView } from "../../../src/backend/wasm/copy.ts";
import { binaryView, unaryView } from "../../../src/backend/wasm/elementwise.ts";
import type { Engine, View } from "../../../src/backend/wasm/engine.ts";
import type { Activation, Epilogue } from "../../../src/backend/wasm/epilogue.ts";
import { packLinear, runLinear } from "../../../src/backend/wasm/gemm.ts";
import { packWinograd, runWinograd } from "../../../src/backend/wasm/winograd.ts";
import { fillAll, fillTensor, openEngine, readWords, viewIn } from "./engine.ts";

const engines = [1, 3].map((threads) => openEngine(threads, 0));
afterAll(async () => {
  await Promise.all(engines.map((e) => e.close()));
});

const ACTIVATIONS: readonly (Activation | undefined)[] = [
  undefined,
  "relu",
  "relu6",
  "silu",
  "gelu",
  "sigmoid",
];

/** Runs `product` with every epilogue, and without one followed by the operators; compares all words of the outputs. */
function expectSame(
  about: string,
  shape: readonly number[],
  gap: number,
  channelAxis: number,
  product: (engine: Engine, take: (bytes: number) => number, y: View, epilogue: Epilogue) => void,
): void {
  for (const activation of ACTIVATIONS) {
    for (const withResidual of [false, true]) {
      let first: Buffer | undefined;
      for (const { engine } of engines) {
        engine.scratch((take) => {
          const [whole, parts, residual] = [0, 1, 2].map(() => viewIn(take, shape, channelAxis, gap));
          for (const v of [whole, parts]) fillTensor(engine, v, undefined, 0);
          fillTensor(engine, residual, 77, 1);
          product(engine, take, whole, { activation, residual: withResidual ? residual : undefined });
          product(engine, take, parts, {});
          if (activation) unaryView(engine, activation, parts, parts);
          if (withResidual) binaryView(engine, "add", parts, residual, parts);
          const [got, expected] = [whole, parts].map((v) => readWords(engine, v));
          const title = `${about}, ${activation ?? "none"}, residual ${withResidual}, ${engine.pool.threads} threads`;
          expect(
            got.findIndex((v, i) => v !== expected[i]),
            `${title}: first word that differs`,
          ).toBe(-1);
          first ??= got;
          expect(Buffer.compare(got, first), `${title}: bits of 1 thread`).toBe(0);
        });
      }
    }
  }
}

describe("linear with an epilogue is linear, then the activation, then the sum, bit for bit", () => {
  for (const [m, k, n] of [
    [1, 1, 1],
    [3, 5, 15],
    [2, 4, 16],
    [130, 7, 17],
    [33, 40, 50],
  ]) {
    it(`${m} rows, K ${k}, N ${n}; rows contiguous and apart`, () => {
      for (const gap of [0, 3]) {
        expectSame(`gap ${gap}`, [m, n], gap, 1, (engine, take, y, epilogue) => {
          const [x, w, b] = [[m, k], [n, k], [n]].map((shape) => viewIn(take, shape, shape.length - 1, 0));
          fillAll(engine, [x, w, b], 3);
          runLinear(engine, x, packLinear(engine, take, w, b), y, epilogue);
        });
      }
    });
  }

  it("Strassen's algorithm: 1, 2 and 71 rows, an odd one in both halves", () => {
    for (const m of [1, 2, 71]) {
      for (const gap of [0, 3]) {
        expectSame(`${m} rows, gap ${gap}`, [m, 64], gap, 1, (engine, take, y, epilogue) => {
          const [x, w, b] = [[m, 24], [64, 24], [64]].map((shape) =>
            viewIn(take, shape, shape.length - 1, 0),
          );
          fillAll(engine, [x, w, b], 3);
          runLinear(engine, x, packLinear(engine, take, w, b, true), y, epilogue);
        });
      }
    }
  });

  it("a residual and an output whose last axis is not contiguous", () => {
    expectSame("transposed", [9, 21], 0, 0, (engine, take, y, epilogue) => {
      const [x, w] = [
        [9, 6],
        [21, 6],
      ].map((shape) => viewIn(take, shape, 1, 0));
      fillAll(engine, [x, w], 3);
      runLinear(engine, x, packLinear(engine, take, w, undefined), y, epilogue);
    });
  });
});

interface Conv {
  readonly about: string;
  readonly c: number;
  readonly o: number;
  readonly k: number;
  readonly stride?: number;
  readonly groups?: number;
  readonly winograd?: boolean;
  readonly strassen?: boolean;
}

describe("conv with an epilogue is conv, then the activation, then the sum, bit for bit", () => {
  const convs: readonly Conv[] = [
    { about: "1x1", c: 6, o: 18, k: 1 },
    { about: "3x3, stride 2", c: 3, o: 16, k: 3, stride: 2 },
    { about: "2 groups", c: 6, o: 10, k: 3, groups: 2 },
    { about: "Strassen, 1x1", c: 8, o: 32, k: 1, strassen: true },
    { about: "Strassen, 3x3, stride 2", c: 16, o: 64, k: 3, stride: 2, strassen: true },
    { about: "depthwise 3x3", c: 7, o: 7, k: 3, groups: 7 },
    { about: "depthwise 5x5, stride 2", c: 12, o: 12, k: 5, stride: 2, groups: 12 },
    { about: "Winograd, 7 to 18 channels", c: 7, o: 18, k: 3, winograd: true },
    { about: "Winograd, 16 to 16 channels", c: 16, o: 16, k: 3, winograd: true },
  ];
  for (const conv of convs) {
    it(`${conv.about}: channels-last, pixels apart, and row-major`, () => {
      const { c, o, k, stride = 1, groups = 1 } = conv;
      const pad = (k - 1) / 2;
      const [height, width] = [10, 13];
      const options: ConvOptions = {
        stride: [stride, stride],
        padding: [pad, pad],
        dilation: [1, 1],
        groups,
      };
      const out = [height, width].map((n) => Math.floor((n + 2 * pad - k) / stride) + 1);
      for (const [axis, gap] of [
        [1, 0],
        [1, 5],
        [3, 0],
      ]) {
        expectSame(`axis ${axis}, gap ${gap}`, [2, o, ...out], gap, axis, (engine, take, y, epilogue) => {
          const x = viewIn(take, [2, c, height, width], 1, 0);
          const w = viewIn(take, [o, c / groups, k, k], 3, 0);
          const b = viewIn(take, [o], 0, 0);
          fillAll(engine, [x, w, b], 3);
          if (conv.winograd) runWinograd(engine, x, packWinograd(engine, take, w, b), y, options, epilogue);
          else runConv(engine, x, packConv(engine, take, w, b, groups, conv.strassen), y, options, epilogue);
        });
      }
    });
  }

  it("framed input: no copy, the same bits", () => {
    const { engine } = engines[0];
    for (const groups of [1, 8]) {
      engine.scratch((take) => {
        const framed = viewIn(take, [1, 8, 7, 8], 1, 0);
        fillTensor(engine, framed, undefined, 0);
        new Float32Array(engine.memory.buffer as ArrayBuffer, framed.address, 8 * 7 * 8).fill(0);
        const x = viewIn(take, [1, 8, 5, 6], 1, 0);
        fillTensor(engine, x, 5, 1);
        const inner: View = {
          address: framed.address + (framed.strides[2] + framed.strides[3]) * 4,
          shape: x.shape,
          strides: framed.strides,
        };
        copyView(engine, x, inner);
        const w = viewIn(take, [8, 8 / groups, 3, 3], 3, 0);
        fillTensor(engine, w, 6, 1);
        const options: ConvOptions = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups };
        const packed = packConv(engine, take, w, undefined, groups);
        const [a, b] = [0, 1].map(() => viewIn(take, [1, 8, 5, 6], 1, 0));
        for (const v of [a, b]) fillTensor(engine, v, undefined, 0);
        runConv(engine, x, packed, a, options);
        runConv(engine, inner, packed, b, options, { framed: true });
        expect(Buffer.compare(readWords(engine, a), readWords(engine, b))).toBe(0);
      });
    }
  });
});

describe("NaN", () => {
  it("passes through every activation and the residual", () => {
    const { engine } = engines[0];
    for (const activation of ACTIVATIONS) {
      engine.scratch((take) => {
        const [x, w, y] = [
          [1, 2],
          [5, 2],
          [1, 5],
        ].map((shape) => viewIn(take, shape, 1, 0));
        fillTensor(engine, w, 1, 1);
        new Float32Array(engine.memory.buffer as ArrayBuffer, x.address, 2).set([1, Number.NaN]);
        runLinear(engine, x, packLinear(engine, take, w, undefined), y, { activation });
        const got = new Float32Array(engine.memory.buffer as ArrayBuffer, y.address, 5);
        expect([...got].every(Number.isNaN), activation ?? "none").toBe(true);
      });
    }
  });
});
