/** Plans that take the parameters away from their model: the same bits, and no memory held twice. */
import { afterAll, describe, expect, it } from "vitest";
import type { TypedArray } from "../../src/backend/backend.ts";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { Discarder } from "../../src/compile/discard.ts";
import { compile, type Pass } from "../../src/compile/index.ts";
import { type AnyModule, BatchNorm2d, Conv2d, type Module } from "../../src/nn/index.ts";
import { replaceTensor } from "../../src/nn/module.ts";
import { add } from "../../src/ops/index.ts";
import { tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { MODEL_CASES } from "../golden/golden.ts";
import { detectorFor, fillCase } from "../models/support.ts";
import { fill, input, Net, numbers } from "./harness.ts";

const wasm = createWasmBackend();
afterAll(() => wasm.close());
const MAP = [1, 64, 9, 10];

type Network = Module<[Tensor], unknown>;

/** Two convolutions that share one weight, one of them folded with a batch norm, and a RepConv-like sum. */
function tiedNet(): AnyModule {
  const conv = (k: number): Conv2d => new Conv2d(64, 64, k, { padding: k >> 1, bias: false });
  const parts = { a: conv(3), b: conv(3), c: conv(3), d: conv(1), bn: new BatchNorm2d(64) };
  return new Net(parts, ({ a, b, c, d, bn }, x) => {
    const y = bn.call(a.call(x));
    return add(b.call(y), add(c.call(y), d.call(y)));
  });
}

/** Brings a filled network's parameters to the heap, b's weight being a's; gives the arrays. */
function toHeap(model: AnyModule): TypedArray[] {
  const moved = new Map<string, Tensor>();
  for (const slot of [...model.slots()]) {
    const { tensor: old, name } = slot;
    const shared = name === "m.b.weight" ? moved.get("m.a.weight") : undefined;
    const fresh =
      shared ?? (old.isMeta ? old : tensor(old.toFloat32Array(), old.shape, { backend: referenceBackend }));
    replaceTensor(slot, fresh);
    moved.set(name, fresh);
    if (!old.isMeta && old.backend === wasm) old.dispose();
  }
  return [...moved.values()].filter((t) => !t.isMeta && t.dtype === "f32").map((t) => t.storage.data);
}

describe("a plan that takes the parameters", () => {
  it("has the bits of one that does not, with a weight that two layers share", () => {
    const results = [false, true].map((takeParameters) => {
      const net = fill(tiedNet(), wasm);
      const arrays = toHeap(net);
      const x = input(MAP, wasm);
      const plan = compile(net as unknown as Network, { shape: MAP, backend: wasm, takeParameters });
      expect([...net.slots()].every(({ tensor: t }) => t.isMeta)).toBe(takeParameters);
      // What a and b share is worth giving back at once: detached. c's and d's are summed into other numbers.
      expect(arrays[0].length === 0).toBe(takeParameters);
      const [y] = numbers(plan.run(x));
      plan.dispose();
      x.dispose();
      return y;
    });
    expect(results[1]).toEqual(results[0]);
    expect(wasm.bytesInUse).toBe(0);
  });

  it("gives a whole detector the same bits, from the heap and from WASM memory", () => {
    const of = MODEL_CASES.find(({ model }) => model === "narrow")!;
    const shape = [1, 3, of.height, of.width];
    const results = [
      { takeParameters: false, backend: referenceBackend },
      { takeParameters: true, backend: referenceBackend },
      { takeParameters: true, backend: wasm },
    ].map(({ takeParameters, backend }) => {
      const model = detectorFor(of.model);
      fillCase(model, of, backend);
      const plan = compile(model, { shape, backend: wasm, takeParameters });
      const x = input(shape, wasm);
      const y = plan.run(x).output0.toFloat32Array();
      x.dispose();
      plan.dispose();
      return y;
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(wasm.bytesInUse).toBe(0);
  }, 60_000);

  it("takes them on an error too", () => {
    const net = fill(tiedNet(), wasm);
    const failing: Pass = {
      name: "fails",
      run() {
        throw new Error("on purpose");
      },
    };
    const options = { shape: MAP, backend: wasm, passes: [failing], takeParameters: true };
    expect(() => compile(net as unknown as Network, options)).toThrow("on purpose");
    expect([...net.slots()].every(({ tensor: t }) => t.isMeta)).toBe(true);
    expect(wasm.bytesInUse).toBe(0);
  });
});

describe("discarding", () => {
  it("empties large heap arrays, and leaves small and shared ones", () => {
    const discarder = new Discarder();
    const large = new Float32Array(1 << 20);
    const small = new Float32Array(4);
    const shared = new Float32Array(new SharedArrayBuffer(1 << 20));
    for (const array of [large, small, shared]) discarder.discard(array);
    expect([large.length, small.length, shared.length]).toEqual([0, 4, 1 << 18]);
  });
});
