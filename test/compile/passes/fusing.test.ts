/** Passes that let a product do more where it stores: activations, sums, slices of other values. */
import { afterAll, describe, expect, it } from "vitest";
import { createWasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { foldConstants } from "../../../src/compile/passes/fold-constants.ts";
import { fuseActivation } from "../../../src/compile/passes/fuse-activation.ts";
import { fuseResidual } from "../../../src/compile/passes/fuse-residual.ts";
import { mergeParallel } from "../../../src/compile/passes/merge-parallel.ts";
import { writeThrough } from "../../../src/compile/passes/write-through.ts";
import { Conv2d, Linear } from "../../../src/nn/index.ts";
import {
  add,
  cat,
  clamp,
  gelu,
  interpolate,
  matmul,
  relu,
  relu6,
  sigmoid,
  silu,
  softmax,
} from "../../../src/ops/index.ts";
import { tensor } from "../../../src/tensor/create.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { Net, tryPasses } from "../harness.ts";

const wasm = createWasmBackend({ threads: 2 });
afterAll(() => wasm.close());
const MAP = [2, 6, 9, 10];

describe("activation into producer", () => {
  const functions: [string, (x: Tensor) => Tensor][] = [
    ["relu", relu],
    ["relu6", relu6],
    ["silu", silu],
    ["gelu", gelu],
    ["sigmoid", sigmoid],
    ["relu6", (x) => clamp(x, { min: 0, max: 6 })],
    ["relu", (x) => clamp(x, { min: 0 })],
  ];

  it.each(functions)("%s of a convolution, a depthwise one and a linear layer", (name, f) => {
    const net = new Net(
      {
        conv: new Conv2d(6, 10, 3, { padding: 1 }),
        deep: new Conv2d(10, 10, 3, { groups: 10 }),
        linear: new Linear(8, 7),
      },
      ({ conv, deep, linear }, x) => f(linear.call(f(deep.call(f(conv.call(x)))))),
    );
    const { plan } = tryPasses(net, MAP, [fuseActivation], wasm);
    expect(plan.graph.nodes.map(({ operation: o }) => ("activation" in o ? o.activation : o.op))).toEqual([
      name,
      name,
      name,
    ]);
  });

  it("leaves one whose input something else reads, that reads a part, or that follows a fused one", () => {
    const net = new Net({ a: new Linear(8, 8), b: new Linear(8, 8) }, ({ a, b }, x) => {
      const y = a.call(x);
      return [relu(y), y, relu(b.call(x).slice(1, 0, 4)), silu(relu(a.call(x)))];
    });
    const { ops } = tryPasses(net, [5, 8], [fuseActivation], wasm);
    expect(ops("unary").length).toBe(3);
  });
});

describe("values that are overwritten", () => {
  it("a product does not move behind the write that changes its input", () => {
    const net = new Net({ a: new Conv2d(6, 6, 1) }, ({ a }, x) => {
      const buffer = x.newEmpty(x.shape).copyFrom(x);
      const y = a.call(buffer);
      buffer.copyFrom(relu(x));
      return [relu(y), add(a.call(buffer), x), buffer];
    });
    const { ops } = tryPasses(net, MAP, [fuseActivation, fuseResidual, mergeParallel, writeThrough], wasm);
    expect(ops("unary").length).toBe(2);
    expect(ops("conv2d").length).toBe(2);
  });

  it("products of one input before and after it changes stay two", () => {
    const net = new Net({ a: new Conv2d(6, 6, 1), b: new Conv2d(6, 6, 1) }, ({ a, b }, x) => {
      const buffer = x.newEmpty(x.shape).copyFrom(x);
      const y = a.call(buffer);
      buffer.copyFrom(relu(x));
      return add(y, b.call(buffer));
    });
    expect(tryPasses(net, MAP, [mergeParallel], wasm).ops("conv2d").length).toBe(2);
  });

  it("a copy over an older one stays behind it", () => {
    const net = new Net({ a: new Conv2d(6, 6, 1) }, ({ a }, x) => {
      const y = a.call(x);
      return y.newEmptyLike().copyFrom(relu(x)).copyFrom(y);
    });
    expect(tryPasses(net, MAP, [writeThrough], wasm).ops("copy").length).toBe(2);
  });
});

describe("residual sum into producer", () => {
  const conv = (): Conv2d => new Conv2d(6, 6, 3, { padding: 1 });

  it.each([
    ["a sum with the input", (c: Conv2d, x: Tensor): Tensor => add(c.call(x), x)],
    ["a sum after an activation", (c: Conv2d, x: Tensor): Tensor => add(x, silu(c.call(x)))],
    ["a sum with a broadcast vector", (c: Conv2d, x: Tensor): Tensor => add(c.call(x), x.slice(3, 0, 1))],
    [
      "a sum seen in another order of axes",
      (c: Conv2d, x: Tensor): Tensor => {
        return add(c.call(x).permute(0, 2, 3, 1), x.permute(0, 2, 3, 1));
      },
    ],
  ])("%s", (_, f) => {
    const net = new Net({ c: conv() }, ({ c }, x) => f(c, x));
    const { plan } = tryPasses(net, MAP, [fuseActivation, fuseResidual], wasm);
    expect(plan.graph.nodes.length).toBe(1);
  });

  it("goes to the product that runs last, and leaves a sum of a thing with itself", () => {
    const net = new Net({ a: conv(), b: conv() }, ({ a, b }, x) => {
      const y = b.call(a.call(x));
      return [add(a.call(x), y), add(y, y)];
    });
    expect(tryPasses(net, MAP, [fuseResidual], wasm).ops("binary").length).toBe(1);
  });
});

describe("copies into strided writes", () => {
  it("a concatenation of maps is written by what makes its parts, and read there by others", () => {
    const net = new Net(
      { a: new Conv2d(6, 8, 1), b: new Conv2d(6, 5, 3, { padding: 1 }), c: new Conv2d(8, 3, 1) },
      ({ a, b, c }, x) => {
        const y = a.call(x);
        const up = interpolate(b.call(x.slice(2, 0, 3).slice(3, 0, 5)), { size: [9, 10] });
        return [cat([y, silu(b.call(x)), up], 1), c.call(y)];
      },
    );
    const { ops } = tryPasses(net, MAP, [fuseActivation, writeThrough], wasm);
    expect(ops("copy").length).toBe(0);
  });

  it("tokens of several maps, and heads put back together", () => {
    const net = new Net({ a: new Conv2d(6, 8, 1), l: new Linear(8, 8) }, ({ a, l }, x) => {
      const small = a.call(x.slice(2, 0, 4));
      const tokens = cat(
        [a.call(x), small].map((y) => y.flatten(2).permute(0, 2, 1)),
        1,
      );
      const heads = tokens.reshape(2, -1, 2, 4).transpose(1, 2);
      const mixed = matmul(softmax(matmul(heads, heads.transpose(-1, -2)), -1), heads);
      return l.call(mixed.transpose(1, 2).flatten(2));
    });
    expect(tryPasses(net, MAP, [writeThrough], wasm).ops("copy").length).toBe(0);
  });

  it("leaves a part that an operator reads which wants it dense", () => {
    const net = new Net({ a: new Conv2d(6, 6, 1) }, ({ a }, x) => {
      const y = a.call(x);
      return cat([softmax(y, 1), y], 1);
    });
    expect(tryPasses(net, MAP, [writeThrough], wasm).ops("copy").length).toBe(2);
  });

  it("leaves the input, constants, and what is read before the copy by an operator that wants it dense", () => {
    const net = new Net({ a: new Conv2d(6, 6, 1) }, ({ a }, x) => {
      const y = a.call(x);
      return cat(
        [
          x,
          tensor(new Float32Array(540).fill(2), [1, 6, 9, 10]).to(x.backend).expand(2, 6, 9, 10),
          softmax(y, 1),
          y,
        ],
        1,
      );
    });
    expect(tryPasses(net, MAP, [foldConstants, writeThrough], wasm).ops("copy").length).toBe(4);
  });
});

describe("parallel products into one", () => {
  it("convolutions and linear layers on one input, with biases and without", () => {
    const parts = {
      a: new Conv2d(6, 8, 3, { padding: 1 }),
      b: new Conv2d(6, 5, 3, { padding: 1, bias: false }),
      c: new Conv2d(13, 4, 1),
      q: new Linear(10, 8),
      k: new Linear(10, 8),
    };
    const net = new Net(parts, ({ a, b, c, q, k }, x) => {
      const y = c.call(cat([silu(a.call(x)), silu(b.call(x))], 1));
      return matmul(q.call(y), k.call(y).transpose(-1, -2));
    });
    const { ops } = tryPasses(net, MAP, [fuseActivation, mergeParallel, writeThrough], wasm);
    expect(ops("conv2d").map((node) => node.outputs[0].shape[1])).toEqual([13, 4]);
    expect(ops("linear").map((node) => node.outputs[0].shape[3])).toEqual([16]);
  });

  it("leaves products that differ, or whose readers want them dense", () => {
    const parts = {
      a: new Linear(8, 8),
      b: new Linear(8, 8),
      c: new Conv2d(6, 6, 1),
      d: new Conv2d(6, 6, 3, { padding: 1 }),
    };
    const net = new Net(parts, ({ a, b, c, d }, x) => {
      const y = add(c.call(x), d.call(x)).slice(3, 0, 8);
      return add(softmax(a.call(y), -1), add(relu(b.call(y)), b.call(y)));
    });
    const { ops } = tryPasses(net, MAP, [fuseActivation, mergeParallel], wasm);
    expect([ops("conv2d").length, ops("linear").length]).toEqual([2, 3]);
  });
});
