/** Plans of weights that stay in their file until they are packed: the same bits, and one plain weight in memory at a time. */
import { mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { compile } from "../../src/compile/index.ts";
import { MobileDetrError } from "../../src/errors.ts";
import { deferStateDict } from "../../src/nn/deferred.ts";
import { DeferredStorage } from "../../src/nn/deferred-storage.ts";
import { type AnyModule, BatchNorm2d, Conv2d, type Module, stateSourceOf } from "../../src/nn/index.ts";
import { loadStateDict } from "../../src/nn/state-dict.ts";
import type { StateSource } from "../../src/nn/state-source.ts";
import { add } from "../../src/ops/index.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { openSafetensors, type SafetensorsTensor, saveSafetensors } from "../../src/weights/safetensors.ts";
import { MODEL_CASES } from "../golden/golden.ts";
import { detectorFor, fillCase } from "../models/support.ts";
import { fill, input, Net, numbers } from "./harness.ts";

const wasm = createWasmBackend();
const folder = mkdtempSync(join(tmpdir(), "deferred-"));
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await wasm.close();
});
const MAP = [1, 64, 9, 10];

type Network = Module<[Tensor], unknown>;

/** A convolution folded with a batch norm, a RepConv-like sum, and two convolutions that become one. */
function net(): AnyModule {
  const conv = (k: number): Conv2d => new Conv2d(64, 64, k, { padding: k >> 1, bias: false });
  const parts = { a: conv(3), b: conv(3), c: conv(1), d: conv(1), e: conv(1), bn: new BatchNorm2d(64) };
  return new Net(parts, ({ a, b, c, d, e, bn }, x) => {
    const y = bn.call(a.call(x));
    return add(add(d.call(y), e.call(y)), add(b.call(y), c.call(y)));
  });
}

/** The state of a network as a file. */
function saved(model: AnyModule, name: string): string {
  const path = join(folder, name);
  const state = [...model.stateDict()].filter(([, t]) => t.dtype === "f32" && !t.isMeta);
  saveSafetensors(
    path,
    new Map(
      state.map(([key, t]): [string, SafetensorsTensor] => {
        return [key, { dtype: "F32", shape: t.shape, data: t.toFloat32Array() }];
      }),
    ),
  );
  return path;
}

const isCounter = (name: string): boolean => name.endsWith("num_batches_tracked");

describe("a plan of deferred parameters", () => {
  it("has the bits of one whose parameters are in memory, and keeps none of them", () => {
    const loaded = fill(net(), wasm);
    const path = saved(loaded, "small.safetensors");
    const x = input(MAP, wasm);
    const plain = compile(loaded as unknown as Network, { shape: MAP, backend: wasm });
    const [expected] = numbers(plain.run(x));
    plain.dispose();
    loaded.dispose();
    const model = net();
    using file = openSafetensors(path);
    const state = deferStateDict(model, file, { mayMiss: isCounter });
    const plan = compile(model as unknown as Network, { shape: MAP, backend: wasm });
    state.finish();
    const kept = [...model.slots()].filter(({ tensor: { storage } }) => {
      return storage instanceof DeferredStorage && storage.length > 64 && storage.isHeld;
    });
    expect(kept).toEqual([]);
    expect(numbers(plan.run(x))[0]).toEqual(expected);
    plan.dispose();
    x.dispose();
    model.dispose();
    expect(wasm.bytesInUse).toBe(0);
  });

  it("gives a whole detector the same bits", () => {
    const of = MODEL_CASES.find(({ model }) => model === "narrow")!;
    const shape = [1, 3, of.height, of.width];
    const loaded = detectorFor(of.model);
    fillCase(loaded, of, referenceBackend);
    const x = input(shape, wasm);
    const results = [false, true].map((deferred) => {
      const model = detectorFor(of.model);
      const source = stateSourceOf(new Map([...loaded.stateDict()].filter(([, t]) => !t.isMeta)));
      const options = { mayMiss: () => true, strict: false };
      if (deferred) deferStateDict(model as unknown as AnyModule, source, options);
      else loadStateDict(model as unknown as AnyModule, source, { ...options, backend: referenceBackend });
      const plan = compile(model, { shape, backend: wasm });
      const y = plan.run(x).output0.toFloat32Array();
      plan.dispose();
      return y;
    });
    x.dispose();
    expect(results[1]).toEqual(results[0]);
    expect(wasm.bytesInUse).toBe(0);
  }, 60_000);

  it("asks for a weight straight into WASM memory, where it is packed", () => {
    const loaded = fill(net(), wasm);
    const state = new Map([...loaded.stateDict()].filter(([, t]) => !t.isMeta));
    const from = stateSourceOf(state);
    const targets = new Map<string, boolean>();
    const source: StateSource = {
      name: from.name,
      names: from.names,
      entry: from.entry,
      readInto(name, out) {
        targets.set(name, out.buffer === wasm.memory.buffer);
        from.readInto(name, out);
      },
    };
    const model = net();
    deferStateDict(model, source, { mayMiss: isCounter });
    compile(model as unknown as Network, { shape: MAP, backend: wasm }).dispose();
    // The others are added into b's kernel, which is there already.
    expect(["a", "b"].map((name) => targets.get(`m.${name}.weight`))).toEqual([true, true]);
    loaded.dispose();
    model.dispose();
  });

  it("fails with code file where the file was cut short meanwhile, and holds no memory afterwards", () => {
    const loaded = fill(net(), wasm);
    const path = saved(loaded, "cut.safetensors");
    loaded.dispose();
    const model = net();
    using file = openSafetensors(path);
    deferStateDict(model, file, { mayMiss: isCounter });
    truncateSync(path, 100_000);
    let error: unknown;
    try {
      compile(model as unknown as Network, { shape: MAP, backend: wasm });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(MobileDetrError);
    expect((error as MobileDetrError).code).toBe("file");
    expect((error as MobileDetrError).message).toMatch(
      /cut\.safetensors: expected \d+ bytes, as when it was opened, got its end at byte/,
    );
    expect(wasm.bytesInUse).toBe(0);
  });
});
