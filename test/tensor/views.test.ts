/** Views against PyTorch: 400 random chains of view methods (`test/golden/make/tensors.py`). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { arange } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

type Step = [string, ...number[]];

interface ViewCase {
  readonly shape: number[];
  readonly steps: Step[];
  readonly error?: true;
  readonly result?: {
    shape: number[];
    strides: number[];
    offset: number;
    shared: boolean;
    values: number[];
  };
}

const file = new URL("../golden/tensor/views.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: ViewCase[] };

function apply(x: Tensor, [method, ...a]: Step): Tensor {
  switch (method) {
    case "permute":
      return x.permute(...a);
    case "transpose":
      return x.transpose(a[0], a[1]);
    case "slice":
      return x.slice(a[0], a[1], a[2], a[3]);
    case "select":
      return x.select(a[0], a[1]);
    case "squeeze":
      return x.squeeze(a[0]);
    case "unsqueeze":
      return x.unsqueeze(a[0]);
    case "flatten":
      return x.flatten(a[0], a[1]);
    case "expand":
      return x.expand(...a);
    case "reshape":
      return x.reshape(...a);
    case "viewAs":
      return x.viewAs(...a);
    case "chunk":
      return x.chunk(a[0], a[1])[a[2]];
    case "channels_last":
      return x.contiguous("channels_last");
    default:
      throw new Error(`no such step: ${method}`);
  }
}

describe("chains of views give PyTorch's shape, strides, offset and elements, and copy where it copies", () => {
  cases.forEach(({ shape, steps, error, result }, i) => {
    it(`${i}: [${shape}] ${steps.map(([m, ...a]) => `${m}(${a})`).join(".")}`, () => {
      const base = arange(shape.reduce((a, b) => a * b, 1)).reshape(...shape);
      const run = (): Tensor => steps.reduce(apply, base);
      if (error || !result) {
        expect(run).toThrow(/expected .* got/);
        return;
      }
      const x = run();
      expect(x.shape).toEqual(result.shape);
      expect(Array.from(x.toArray(), Number)).toEqual(result.values);
      expect(x.storage === base.storage).toBe(result.shared);
      if (x.size === 0) return;
      const places = (strides: readonly number[]): number[] => strides.filter((_, k) => x.shape[k] > 1);
      expect(places(x.strides)).toEqual(places(result.strides));
      expect(x.offset).toBe(result.offset);
    });
  });
});
