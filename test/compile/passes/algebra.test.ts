/** Passes that multiply less: products moved before upsampling, into each other, and behind sampling. */
import { afterAll, describe, expect, it } from "vitest";
import { createWasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { dropDead } from "../../../src/compile/passes/drop-dead.ts";
import { foldMemory } from "../../../src/compile/passes/fold-memory.ts";
import { fuseActivation } from "../../../src/compile/passes/fuse-activation.ts";
import { fuseResidual } from "../../../src/compile/passes/fuse-residual.ts";
import { sampleThenProject } from "../../../src/compile/passes/sample-then-project.ts";
import { splitConcat } from "../../../src/compile/passes/split-concat.ts";
import { writeThrough } from "../../../src/compile/passes/write-through.ts";
import { type AnyModule, Conv2d, Linear } from "../../../src/nn/index.ts";
import {
  add,
  cat,
  deformableAttention,
  interpolate,
  mul,
  relu,
  sigmoid,
  silu,
  softmax,
} from "../../../src/ops/index.ts";
import { tensor } from "../../../src/tensor/create.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { Net, tryPasses } from "../harness.ts";

const wasm = createWasmBackend({ threads: 2 });
afterAll(() => wasm.close());

describe("1x1 of a concatenation by parts", () => {
  const MAP = [2, 6, 8, 10];
  const passes = [fuseActivation, splitConcat, dropDead, fuseResidual, writeThrough];
  const up = (x: Tensor, scaleFactor = 2): Tensor => interpolate(x, { scaleFactor });

  it.each([
    ["bare", (x: Tensor): Tensor => x],
    ["with an activation", silu],
  ])("an upsampled part goes before the upsampling, %s", (_, f) => {
    const net = new Net({ small: new Conv2d(6, 12, 1), c: new Conv2d(18, 7, 1) }, ({ small, c }, x) => {
      const low = relu(small.call(x.slice(2, 0, 4).slice(3, 0, 5)));
      return f(c.call(cat([up(low), x], 1)));
    });
    const { saved, ops } = tryPasses(net, MAP, passes, wasm);
    expect(saved).toBe(2 * 7 * 12 * (80 - 20));
    expect(ops("copy").length).toBe(0);
  });

  it("an un-activated projection goes into the product, its bias too", () => {
    const net = new Net(
      { l: new Conv2d(6, 40, 1), s: new Conv2d(6, 8, 1), c: new Conv2d(48, 9, 1) },
      ({ l, s, c }, x) => silu(c.call(cat([silu(s.call(x)), l.call(x)], 1))),
    );
    const { saved } = tryPasses(net, MAP, passes, wasm);
    expect(saved).toBe(2 * 80 * (6 * 40 + 40 * 9 - 6 * 9));
  });

  it("all three kinds of parts at once", () => {
    const parts = {
      small: new Conv2d(6, 8, 3, { padding: 1 }),
      l: new Conv2d(6, 32, 1),
      c: new Conv2d(46, 16, 1, { bias: false }),
    };
    const net = new Net(parts, ({ small, l, c }, x) => {
      const low = silu(small.call(x.slice(2, 0, 4).slice(3, 0, 5)));
      return silu(c.call(cat([up(low), x, l.call(x)], 1)));
    });
    const { ops, changes } = tryPasses(net, MAP, passes, wasm);
    expect(changes[1]).toEqual(["m.c: before upsampling, as it is, folded"]);
    expect(ops("conv2d").length).toBe(4);
  });

  it("leaves what it would make dearer or cannot see", () => {
    const parts = {
      l: new Conv2d(6, 4, 1),
      three: new Conv2d(10, 9, 3),
      c: new Conv2d(10, 40, 1),
      d: new Conv2d(6, 3, 1),
    };
    const net = new Net(parts, ({ l, three, c, d }, x) => {
      const y = l.call(x);
      const both = cat([x, y], 1);
      const used = cat([up(x.slice(2, 0, 4).slice(3, 0, 5)), x], 1).slice(1, 0, 6);
      return [three.call(cat([x, y], 1)), c.call(both), c.call(cat([silu(y), x], 1)), d.call(used), both];
    });
    expect(tryPasses(net, MAP, passes, wasm).changes[1]).toEqual([]);
  });
});

describe("sample, then project", () => {
  const SHAPES = [
    [12, 16],
    [6, 8],
  ] as const;
  const TOKENS = 12 * 16 + 6 * 8;

  /** `layers` attentions into one memory; offsets reach over the maps' borders. */
  function attention(layers: number, bias: boolean, spread: number): Net<Record<string, Linear>> {
    const parts: Record<string, Linear> = { memory: new Linear(8, 16) };
    for (let i = 0; i < layers; i++) {
      parts[`v${i}`] = new Linear(16, 12, { bias });
      parts[`at${i}`] = new Linear(8, 4 * 2 * 2 * 2);
      parts[`w${i}`] = new Linear(8, 4 * 2 * 2);
    }
    return new Net(parts, (p, x) => {
      const n = x.shape[0];
      const memory = p.memory.call(x);
      let sum: Tensor | undefined;
      for (let i = 0; i < layers; i++) {
        const queries = x.slice(1, 0, 5);
        const weights = softmax(p[`w${i}`].call(queries).viewAs(n, 5, 4, 4), -1).viewAs(n, 5, 4, 2, 2);
        const spots = mul(sigmoid(p[`at${i}`].call(queries)), spread).viewAs(n, 5, 4, 2, 2, 2);
        const value = p[`v${i}`].call(memory).viewAs(n, TOKENS, 4, 3);
        const out = deformableAttention(value, SHAPES, spots, weights);
        sum = sum ? add(sum, out) : out;
      }
      return [sum, relu(memory)];
    });
  }

  it.each([
    ["inside the maps", 1, true, 0.99, 1],
    ["over their borders, where the bias must not count", 1, true, 1.4, 1],
    ["without bias", 1, false, 1.4, 1],
    ["two layers, one memory", 2, true, 1.2, 1],
    ["a batch", 2, true, 1.2, 2],
  ])("%s", (_, layers, bias, spread, batch) => {
    const net = attention(layers, bias, spread);
    const { ops, saved } = tryPasses(net, [batch, TOKENS, 8], [sampleThenProject, writeThrough], wasm);
    expect(ops("deformableAttention").map((node) => node.inputs[0]?.shape[3])).toEqual(
      new Array(layers).fill(20),
    );
    expect(ops("linear").length).toBe(1 + 2 * layers);
    expect(ops("copy").length).toBe(1); // the ones
    expect(saved).toBeGreaterThan(0);
  });
});

describe("projected memory into its readers", () => {
  const SHAPES = [
    [10, 12],
    [5, 6],
  ] as const;
  const TOKENS = 150;
  const up = (x: Tensor): Tensor => x.slice(2, 0, 5).slice(3, 0, 6);

  interface Variation {
    readonly mask?: boolean;
    readonly bias?: boolean;
    readonly layers?: number;
    /** Something else reads the memory. */
    readonly read?: boolean;
    readonly activated?: boolean;
    /** Of the memory. */
    readonly width?: number;
  }

  /** Two maps of 6 and 9 channels, a memory that joins their projections, a linear layer on it and attentions into it. */
  function decoder(variation: Variation): AnyModule {
    const { mask = true, bias = true, layers = 1, read = false, activated = false, width = 32 } = variation;
    const parts: Record<string, Linear | Conv2d> = {
      fine: new Conv2d(6, 6, 3, { padding: 1 }),
      coarse: new Conv2d(6, 9, 1),
      p0: new Conv2d(6, width, 1, { bias }),
      p1: new Conv2d(9, width, 1, { bias }),
      enc: new Linear(width, 24, { bias }),
    };
    for (let i = 0; i < layers; i++) {
      parts[`v${i}`] = new Linear(width, 16, { bias });
      parts[`at${i}`] = new Linear(24, 4 * 2 * 2 * 2);
      parts[`w${i}`] = new Linear(24, 4 * 2 * 2);
    }
    return new Net(parts, (p, x) => {
      const n = x.shape[0];
      const maps = [silu(p.fine.call(x)), silu(p.coarse.call(up(x)))];
      const projected = maps.map((map, i) => p[`p${i}`].call(map));
      const tokens = projected.map((map) => (activated ? relu(map) : map).flatten(2).permute(0, 2, 1));
      const memory = cat(tokens, 1);
      const valid = tensor(
        Float32Array.from({ length: TOKENS }, (_, i) => (i % 7 === 0 ? 0 : 1)),
        [1, TOKENS, 1],
      );
      const encoded = p.enc.call(mask ? mul(valid.to(x.backend), memory) : memory);
      const queries = encoded.slice(1, 3, 8);
      const results = [encoded, ...maps];
      for (let i = 0; i < layers; i++) {
        const weights = softmax(p[`w${i}`].call(queries).viewAs(n, 5, 4, 4), -1).viewAs(n, 5, 4, 2, 2);
        const spots = mul(sigmoid(p[`at${i}`].call(queries)), 1.3).viewAs(n, 5, 4, 2, 2, 2);
        const value = p[`v${i}`].call(memory).viewAs(n, TOKENS, 4, 4);
        results.push(deformableAttention(value, SHAPES, spots, weights));
      }
      return read ? [...results, softmax(memory, 2)] : results;
    }) as unknown as AnyModule;
  }

  it.each<[string, Variation, number]>([
    ["with a mask", {}, 1],
    ["without a mask", { mask: false }, 1],
    ["without biases", { bias: false }, 1],
    ["two layers, a batch", { layers: 2 }, 2],
  ])("%s", (_, variation, batch) => {
    const shape = [batch, 6, 10, 12];
    const { ops, saved } = tryPasses(decoder(variation), shape, [foldMemory, dropDead, writeThrough], wasm);
    const layers = variation.layers ?? 1;
    expect(ops("linear").length).toBe(2 * layers);
    expect(ops("conv2d").length).toBe(4);
    expect(ops("deformableAttention").length).toBe(2 * layers);
    expect(saved).toBeGreaterThan(batch * TOKENS * 32 * 24 * 0.5);
  });

  it.each<[string, Variation]>([
    ["a memory that something else reads", { read: true }],
    ["projections with an activation", { activated: true }],
    ["a memory so narrow that the fold would not save", { width: 4 }],
  ])("leaves %s", (_, variation) => {
    expect(tryPasses(decoder(variation), [1, 6, 10, 12], [foldMemory], wasm).changes[0]).toEqual([]);
  });
});
