/** Which products of a plan go by Strassen's algorithm, and that an item of a batch has the bits that it has alone. */
import { afterAll, describe, expect, it } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { compile } from "../../src/compile/index.ts";
import { type AnyModule, Conv2d, Linear, type Module } from "../../src/nn/index.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { fill, input, ROUNDING } from "./harness.ts";

const wasm = createWasmBackend({ threads: 2 });
afterAll(() => wasm.close());

interface Ran {
  readonly kernels: readonly string[];
  readonly values: Float32Array;
}

/** Compiles a layer for `shape` and runs it; each item of x by itself where `apart`. */
function run(layer: AnyModule, x: Tensor, exact: boolean, apart: boolean): Ran {
  const shape = apart ? [1, ...x.shape.slice(1)] : [...x.shape];
  const plan = compile(layer as unknown as Module, { shape, backend: wasm, exact });
  const parts: number[] = [];
  for (let n = 0; n < x.shape[0]; n += shape[0]) {
    parts.push(...(plan.run(x.slice(0, n, n + shape[0])) as Tensor).toFloat32Array());
  }
  const kernels = plan.steps.map(({ kernel }) => kernel);
  plan.dispose();
  return { kernels, values: Float32Array.from(parts) };
}

const LAYERS: readonly [title: string, layer: () => AnyModule, shape: readonly number[], halved: boolean][] =
  [
    ["1x1, 384 pixels", () => new Conv2d(128, 96, 1) as never, [3, 128, 24, 16], true],
    ["1x1, 383 pixels", () => new Conv2d(128, 96, 1) as never, [3, 128, 383, 1], false],
    ["1x1, 64 outputs", () => new Conv2d(128, 64, 1) as never, [2, 128, 24, 16], false],
    [
      "3x3, stride 2, rows of 20 pixels",
      () => new Conv2d(32, 96, 3, { stride: 2, padding: 1 }) as never,
      [2, 32, 40, 40],
      true,
    ],
    ["linear [N, L, K]", () => new Linear(128, 96) as never, [3, 385, 128], true],
    ["linear [N, K], whose rows are the batch", () => new Linear(128, 96) as never, [400, 128], false],
  ];

describe.each(LAYERS)("%s", (_title, layer, shape, halved) => {
  const model = fill(layer(), wasm);
  const x = input(shape, wasm);
  const together = run(model, x, false, false);

  it(`${halved ? "goes" : "does not go"} by Strassen's algorithm, and never where exact`, () => {
    expect(together.kernels.includes("strassen")).toBe(halved);
    expect(run(model, x, true, false).kernels).not.toContain("strassen");
  });

  it("has for an item of a batch the bits that it has alone", () => {
    if (shape[0] > 3)
      expect(run(model, x.slice(0, 0, 1), false, false).values).toEqual(together.values.subarray(0, 96));
    else expect(run(model, x, false, true).values).toEqual(together.values);
  });

  it("is near the exact plan", () => {
    const { values } = run(model, x, true, false);
    const scale = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const bound = ROUNDING * scale;
    expect(values.every((v, i) => Math.abs(v - together.values[i]) < bound)).toBe(true);
    expect(values.some((v, i) => v !== together.values[i])).toBe(halved);
  });
});
