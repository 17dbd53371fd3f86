/** What MultiheadAttention and the samplers refuse; their numbers are in goldens.test.ts. */
import { describe, expect, it } from "vitest";
import { metaBackend } from "../../src/backend/meta.ts";
import {
  AdaptiveAvgPool2d,
  Dropout,
  Embedding,
  GELU,
  type Module,
  MultiheadAttention,
  Upsample,
} from "../../src/nn/index.ts";
import { ones, zeros } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

describe("MultiheadAttention", () => {
  const layer = new MultiheadAttention(8, 2, { kdim: 4, vdim: 6, batchFirst: true });
  const q = zeros([2, 5, 8]);
  const k = zeros([2, 3, 4]);
  const v = zeros([2, 3, 6]);

  it.each<[string, [Tensor, Tensor, Tensor]]>([
    ["query of another width", [zeros([2, 5, 7]), k, v]],
    ["another batch", [q, zeros([1, 3, 4]), zeros([1, 3, 6])]],
    ["keys and values of other lengths", [q, k, zeros([2, 4, 6])]],
    ["tensors with and without a batch", [q, zeros([3, 4]), zeros([3, 6])]],
    ["four dimensions", [zeros([1, 2, 5, 8]), zeros([1, 2, 3, 4]), zeros([1, 2, 3, 6])]],
  ])("refuses %s and tells all shapes", (_, inputs) => {
    expect(() => layer.forward(...inputs)).toThrow(
      /query \[N, L, 8\], key \[N, S, 4\], value \[N, S, 6\], or all without N, got \[/,
    );
  });

  it("refuses heads that do not divide the width", () => {
    expect(() => new MultiheadAttention(10, 4)).toThrow("embedDim that 4 heads divide, got 10");
  });

  it("calls its output projection, so that hooks on it see what the attention gives", () => {
    const inner: unknown[] = [];
    const attention = new MultiheadAttention(8, 2, { batchFirst: true });
    attention.out_proj.registerForwardHook((_module, _inputs, output) => void inner.push(output));
    const x = zeros([2, 5, 8], { backend: metaBackend });
    const { output } = attention.call(x, x, x);
    expect(inner).toEqual([output]);
    expect(inner[0]).toBe(output);
  });

  it("refuses masks of another shape or type", () => {
    const small = new MultiheadAttention(2, 1, { bias: false, batchFirst: true });
    small.in_proj_weight = Object.assign(small.in_proj_weight!, { storage: ones([6, 2]).storage });
    small.out_proj.weight = Object.assign(small.out_proj.weight, { storage: ones([2, 2]).storage });
    const x = ones([1, 3, 2]);
    expect(() => small.forward(x, x, x, { attnMask: zeros([3, 2]) })).toThrow(
      "attnMask: expected u8 or f32 [3, 3], got f32 [3, 2]",
    );
    expect(() => small.forward(x, x, x, { keyPaddingMask: zeros([1, 3], { dtype: "i32" }) })).toThrow(
      "keyPaddingMask: expected u8 or f32 [1, 3], got i32 [1, 3]",
    );
  });
});

describe("a constructor refuses", () => {
  it.each<[string, () => Module]>([
    ["either size or scaleFactor, got neither", () => new Upsample({})],
    ["either size or scaleFactor, got both", () => new Upsample({ size: 2, scaleFactor: 2 })],
    [
      'mode "nearest" or "bilinear", got "bicubic"',
      () => new Upsample({ size: 2, mode: "bicubic" as "nearest" }),
    ],
    ["alignCorners with bilinear mode only", () => new Upsample({ size: 2, alignCorners: true })],
    ["paddingIdx in [-4, 4), got 4", () => new Embedding(4, 2, { paddingIdx: 4 })],
    ["p in [0, 1], got 1.5", () => new Dropout(1.5)],
    ['approximate "none" or "tanh", got "erf"', () => new GELU({ approximate: "erf" as "none" })],
    ["whole numbers >= 1 for outputSize, got 0", () => new AdaptiveAvgPool2d([0, null])],
  ])("%s", (message, make) => {
    expect(make).toThrow(message);
  });
});
