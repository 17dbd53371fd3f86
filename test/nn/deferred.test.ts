/** Weights that stay in their file until somebody asks for them. */
import { describe, expect, it } from "vitest";
import type { TypedArray } from "../../src/backend/backend.ts";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { MobileDetrError } from "../../src/errors.ts";
import { deferStateDict } from "../../src/nn/deferred.ts";
import { BatchNorm2d, Conv2d, loadStateDict, Sequential, type StateSource } from "../../src/nn/index.ts";
import { tensor } from "../../src/tensor/create.ts";

const SHAPES: Readonly<Record<string, readonly number[]>> = {
  "conv.weight": [3, 2, 1, 1],
  "bn.weight": [3],
  "bn.bias": [3],
  "bn.running_mean": [3],
  "bn.running_var": [3],
  "bn.num_batches_tracked": [],
};

const net = (): Sequential =>
  new Sequential({ conv: new Conv2d(2, 3, 1, { bias: false }), bn: new BatchNorm2d(3) });

/** A source that writes down what it was asked for. */
function source(change: Readonly<Record<string, number>> = {}): StateSource & { readonly read: string[] } {
  const read: string[] = [];
  return {
    name: "test source",
    names: Object.keys(SHAPES),
    entry: (name) => ({
      dtype: name.endsWith("tracked") ? "I64" : "F32",
      shape: SHAPES[name],
    }),
    readInto(name, out: TypedArray) {
      read.push(name);
      if (out instanceof BigInt64Array) out.fill(7n);
      else for (let i = 0; i < out.length; i++) out[i] = change[name] ?? i + 1;
    },
    read,
  };
}

function refusal(body: () => unknown): MobileDetrError {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(MobileDetrError);
    return error as MobileDetrError;
  }
  throw new Error("nothing was thrown");
}

describe("deferStateDict", () => {
  it("reads nothing, then what is asked for, once", () => {
    const from = source();
    const module = net();
    deferStateDict(module, from);
    expect(from.read).toEqual([]);
    const weight = module.stateDict().get("bn.weight")!;
    expect(weight.isMeta).toBe(false);
    expect(weight.toArray()).toEqual(Float32Array.of(1, 2, 3));
    expect(weight.toArray()).toEqual(Float32Array.of(1, 2, 3));
    expect(from.read).toEqual(["bn.weight"]);
  });

  it("gives a module that computes what a loaded one does", () => {
    const [deferred, loaded] = [net(), net()];
    deferStateDict(deferred, source());
    loadStateDict(loaded, source(), { backend: referenceBackend });
    const x = tensor([1, -2, 3, -4, 5, -6, 7, -8], [1, 2, 2, 2]);
    expect(deferred.call(x).toArray()).toEqual(loaded.call(x).toArray());
  });

  it("leaves the module as it was where names or shapes differ, with the message of loadStateDict", () => {
    const wrong: StateSource = { ...source(), names: Object.keys(SHAPES).slice(1) };
    const module = net();
    const error = refusal(() => deferStateDict(module, wrong));
    expect(error.code).toBe("weights");
    expect(error.message).toBe(
      refusal(() => loadStateDict(net(), wrong, { backend: referenceBackend })).message,
    );
    expect([...module.slots()].every((slot) => slot.tensor.isMeta)).toBe(true);
  });

  it("leaves out what is to be skipped and what may miss", () => {
    const from = source();
    const module = net();
    const state = deferStateDict(module, from, { skip: (name) => name.endsWith("tracked") });
    state.finish();
    expect(from.read).toEqual(Object.keys(SHAPES).filter((name) => !name.endsWith("tracked")));
    expect(module.stateDict().get("bn.num_batches_tracked")!.isMeta).toBe(true);
  });

  it("tells of all bad values at the end, in what was asked for and in what was not, as loadStateDict does", () => {
    const bad = { "conv.weight": Number.NaN, "bn.bias": Number.POSITIVE_INFINITY, "bn.running_var": -1 };
    const module = net();
    const state = deferStateDict(module, source(bad));
    module.stateDict().get("conv.weight")!.toArray();
    const error = refusal(() => state.finish());
    expect(error.code).toBe("weights");
    expect(error.message).toBe(
      refusal(() => loadStateDict(net(), source(bad), { backend: referenceBackend })).message,
    );
    expect(error.message).toContain("conv.weight: NaN at [0, 0, 0, 0] and 5 more");
  });

  it("reads what was not asked for at the end, and nothing twice", () => {
    const from = source();
    const module = net();
    const state = deferStateDict(module, from);
    module.stateDict().get("bn.bias")!.toArray();
    state.finish();
    expect([...from.read].sort()).toEqual(Object.keys(SHAPES).sort());
  });

  it("refuses to read for a module that was disposed of", () => {
    const module = net();
    deferStateDict(module, source());
    const weight = module.stateDict().get("conv.weight")!;
    module.dispose();
    expect(refusal(() => weight.toArray()).code).toBe("state");
  });
});
