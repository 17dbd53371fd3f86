/** Passes that fold constants into weights, one network each: exact in real arithmetic, and what they leave standing. */
import { afterAll, describe, expect, it } from "vitest";
import { createWasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { dropDead } from "../../../src/compile/passes/drop-dead.ts";
import { foldBatchNorm } from "../../../src/compile/passes/fold-batch-norm.ts";
import { foldConstants } from "../../../src/compile/passes/fold-constants.ts";
import { foldScale } from "../../../src/compile/passes/fold-scale.ts";
import { mergeRepConv } from "../../../src/compile/passes/merge-rep-conv.ts";
import { BatchNorm2d, Conv2d, Linear } from "../../../src/nn/index.ts";
import { add, cat, div, matmul, mul, relu, sin } from "../../../src/ops/index.ts";
import { arange } from "../../../src/tensor/create.ts";
import { Net, tryPasses } from "../harness.ts";

const wasm = createWasmBackend();
afterAll(() => wasm.close());
const MAP = [2, 6, 9, 10];

describe("drop dead operations", () => {
  it("drops what nobody reads, and what only that reads", () => {
    const net = new Net({ a: new Linear(4, 4), b: new Linear(4, 4) }, ({ a, b }, x) => {
      relu(b.call(relu(b.call(x))));
      return a.call(x);
    });
    const { ops, saved } = tryPasses(net, [3, 4], [dropDead], wasm);
    expect(ops("linear").length).toBe(1);
    expect(ops("unary").length).toBe(0);
    expect(saved).toBe(2 * 3 * 16);
  });
});

describe("fold constants", () => {
  it("computes tables, and values that several nodes write, once", () => {
    const net = new Net({}, (_, x) => {
      const table = sin(mul(arange(4).to(x.backend), 0.5));
      return add(x, cat([table, relu(table)], 0));
    });
    const { plan } = tryPasses(net, [3, 8], [foldConstants], wasm);
    expect(plan.graph.nodes.map((node) => node.operation.op)).toEqual(["binary"]);
  });

  it("keeps a value that a constant and the input share", () => {
    const net = new Net({}, (_, x) => cat([arange(8).to(x.backend).unsqueeze(0), x], 0));
    expect(tryPasses(net, [3, 8], [foldConstants], wasm).ops("copy").length).toBe(2);
  });
});

describe("batch norm into convolution", () => {
  const parts = (groups: number, bias: boolean) => ({
    conv: new Conv2d(6, 12, 3, { padding: 1, groups, bias }),
    bn: new BatchNorm2d(12),
  });

  it.each([
    [1, false],
    [1, true],
    [3, true],
    [6, false],
  ])("groups %i, bias %s", (groups, bias) => {
    const net = new Net(parts(groups, bias), ({ conv, bn }, x) => bn.call(conv.call(x)));
    const { ops } = tryPasses(net, MAP, [foldBatchNorm], wasm);
    expect(ops("affineChannels").length).toBe(0);
  });

  it("leaves one whose convolution something else reads, and one that stands alone", () => {
    const net = new Net({ ...parts(1, true), other: new BatchNorm2d(6) }, ({ conv, bn, other }, x) => {
      const y = conv.call(other.call(x));
      return [bn.call(y), relu(y)];
    });
    expect(tryPasses(net, MAP, [foldBatchNorm], wasm).ops("affineChannels").length).toBe(2);
  });
});

describe("added convolutions into one", () => {
  const pair = (options: object, small: object, groups = 1) =>
    new Net(
      {
        a: new Conv2d(6, 6, 3, { groups, ...options }),
        b: new Conv2d(6, 6, 1, { groups, bias: false, ...small }),
      },
      ({ a, b }, x) => add(b.call(x), a.call(x)),
    );

  it.each([
    ["3x3 and 1x1", pair({ padding: 1 }, {}), 2 * 9 * 10 * 36],
    ["with stride 2", pair({ padding: 1, stride: 2 }, { stride: 2 }), 2 * 5 * 5 * 36],
    ["dilated", pair({ padding: 2, dilation: 2 }, {}), 2 * 9 * 10 * 36],
    ["in groups", pair({ padding: 1 }, {}, 2), 2 * 9 * 10 * 18],
  ])("%s", (_, net, macs) => {
    const { ops, saved } = tryPasses(net, MAP, [mergeRepConv], wasm);
    expect(ops("conv2d").length).toBe(1);
    expect(saved).toBe(macs);
  });

  it("leaves kernels whose taps do not coincide", () => {
    const step = { stride: 4, padding: 1 };
    const net = new Net(
      {
        a: new Conv2d(6, 6, 3, step),
        b: new Conv2d(6, 6, 3, { ...step, dilation: 2 }),
        c: new Conv2d(6, 6, 1, { stride: 4 }),
      },
      ({ a, b, c }, x) => [add(a.call(x), b.call(x)), add(b.call(x), c.call(x))],
    );
    expect(tryPasses(net, [2, 6, 11, 11], [mergeRepConv], wasm).ops("conv2d").length).toBe(4);
  });
});

describe("constant factor into weights", () => {
  const passes = [foldConstants, foldScale];

  it("through views, copies and products", () => {
    const net = new Net({ q: new Linear(8, 8), k: new Linear(8, 8) }, ({ q, k }, x) => {
      const heads = q.call(x).reshape(5, 2, 4).transpose(0, 1).contiguous();
      const keys = k.call(x).reshape(5, 2, 4).permute(1, 2, 0);
      return mul(div(matmul(heads, keys), 3), mul(x, x).slice(1, 0, 5).unsqueeze(0));
    });
    const { ops, changes } = tryPasses(net, [5, 8], passes, wasm);
    expect(changes[1].length).toBe(1);
    expect(ops("binary").length).toBe(2);
  });

  it("leaves a factor behind a sum, an activation, or a result that is read elsewhere", () => {
    const net = new Net({ q: new Linear(8, 8) }, ({ q }, x) => {
      const y = q.call(x);
      return [mul(add(relu(y), x), 2), mul(y, 3)];
    });
    expect(tryPasses(net, [5, 8], passes, wasm).changes[1]).toEqual([]);
  });
});
