/** Passes that spare memory and copies: maps made where they are padded, results in the place of what is no longer read. */
import { afterAll, describe, expect, it } from "vitest";
import { createWasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { fuseActivation } from "../../../src/compile/passes/fuse-activation.ts";
import { inPlace } from "../../../src/compile/passes/in-place.ts";
import { writeFramed } from "../../../src/compile/passes/write-framed.ts";
import { Conv2d, type Conv2dOptions, LayerNorm, Linear } from "../../../src/nn/index.ts";
import { add, mul, relu, silu, softmax } from "../../../src/ops/index.ts";
import { Net, tryPasses } from "../harness.ts";

const wasm = createWasmBackend({ threads: 2 });
afterAll(() => wasm.close());
const MAP = [2, 6, 19, 18];

describe("maps made among the zeros of their padding", () => {
  const kinds: [string, number, Conv2dOptions][] = [
    ["strided", 3, { stride: 2, padding: 1 }],
    ["strided, padded on one side alone", 3, { stride: 2, padding: [0, 1] }],
    ["strided, padded above and below alone", 3, { stride: 2, padding: [1, 0] }],
    ["depthwise", 5, { padding: 2, groups: 8 }],
    ["grouped and dilated", 3, { padding: 2, dilation: 2, groups: 2 }],
  ];

  it.each(kinds)("a %s convolution reads them where they are made", (_, k, options) => {
    const net = new Net(
      { a: new Conv2d(6, 8, 3, { padding: 1 }), b: new Conv2d(8, 8, k, options) },
      ({ a, b }, x) => b.call(relu(a.call(x))),
    );
    const { plan, changes } = tryPasses(net, MAP, [fuseActivation, writeFramed], wasm);
    expect(changes[1]).toEqual(["m.a: for m.b"]);
    const [frames] = plan.steps.filter(({ kernel }) => kernel === "zeroFrame").map(({ node }) => node.path);
    expect(frames).toBe("m.a"); // the input's, which the caller makes
    expect(plan.steps.some(({ kernel, node }) => kernel === "zeroFrame" && node.path === "m.b")).toBe(false);
  });

  it("goes on along a chain, and gives the same bits", () => {
    const conv = (): Conv2d => new Conv2d(8, 8, 3, { padding: 1, groups: 8 });
    const net = new Net({ a: new Conv2d(6, 8, 3), b: conv(), c: conv() }, ({ a, b, c }, x) =>
      c.call(b.call(a.call(x))),
    );
    expect(tryPasses(net, MAP, [writeFramed], wasm).changes[0].length).toBe(2);
  });

  it("leaves maps that a 1x1 makes, that others read, that are a result, or that Winograd reads", () => {
    const deep = (): Conv2d => new Conv2d(16, 16, 3, { padding: 1, groups: 16 });
    const net = new Net(
      {
        point: new Conv2d(6, 16, 1),
        maker: new Conv2d(6, 16, 3),
        deep: deep(),
        other: deep(),
        winograd: new Conv2d(16, 16, 3, { padding: 1 }),
      },
      ({ point, maker, deep, other, winograd }, x) => {
        const shared = maker.call(x);
        const shown = maker.call(x);
        return [
          deep.call(point.call(x)),
          add(deep.call(shared), other.call(shared)),
          shown,
          deep.call(shown),
          winograd.call(maker.call(x)),
        ];
      },
    );
    expect(tryPasses(net, MAP, [writeFramed], wasm).changes[0]).toEqual([]);
  });
});

describe("results in the place of what is no longer read", () => {
  it("element-wise functions, sums, norms and softmax after each other share one memory", () => {
    const net = new Net({ l: new Linear(16, 16), norm: new LayerNorm(16) }, ({ l, norm }, x) =>
      softmax(norm.call(silu(mul(l.call(x), l.call(x)))), -1),
    );
    const { plan, changes } = tryPasses(net, [50, 16], [inPlace], wasm);
    expect(changes[0].length).toBe(4);
    const [, , ...rest] = plan.graph.nodes;
    expect(new Set(rest.map(({ outputs }) => outputs[0].value)).size).toBe(1);
  });

  it("a sum goes where the side lies that nobody reads afterwards", () => {
    const net = new Net({ l: new Linear(16, 16) }, ({ l }, x) => {
      const y = l.call(x);
      const z = l.call(y);
      return l.call(mul(add(y, z), y));
    });
    const { plan } = tryPasses(net, [50, 16], [inPlace], wasm);
    const [y, z, sum, product] = plan.graph.nodes.map(({ outputs }) => outputs[0].value);
    expect(sum).toBe(z); // y is read again
    expect([y, z]).toContain(product);
  });

  it("leaves the input, results, constants, what is read later, other shapes and other places", () => {
    const net = new Net({ l: new Linear(16, 16) }, ({ l }, x) => {
      const y = l.call(x);
      const row = l.call(x.slice(0, 0, 1));
      const turned = l.call(x.slice(0, 0, 16));
      const read = relu(y);
      return [relu(x), y, read, add(y, row), add(turned, turned.transpose(0, 1))];
    });
    const { changes } = tryPasses(net, [50, 16], [inPlace], wasm);
    expect(changes[0]).toEqual([]);
  });
});
