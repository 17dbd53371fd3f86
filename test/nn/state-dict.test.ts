import { describe, expect, it } from "vitest";
import type { Backend, Storage, TypedArray } from "../../src/backend/backend.ts";
import { HeapStorage, newTypedArray } from "../../src/backend/heap.ts";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { track, withScope } from "../../src/backend/scope.ts";
import { MobileDetrError } from "../../src/errors.ts";
import {
  BatchNorm2d,
  Conv2d,
  Linear,
  type LoadOptions,
  loadStateDict,
  type Module,
  Sequential,
  type StateSource,
  stateSourceOf,
} from "../../src/nn/index.ts";
import { full, tensor, zeros } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { openSafetensors, writeSafetensors } from "../../src/weights/safetensors.ts";

/** The reference's loops over memory that scopes free, and a list of all of it. */
function countingBackend(): { backend: Backend; made: Storage[] } {
  const made: Storage[] = [];
  const backend: Backend = {
    ...referenceBackend,
    allocate(dtype, length) {
      const storage = new HeapStorage(backend, newTypedArray(dtype, length));
      track(storage);
      made.push(storage);
      return storage;
    },
  };
  return { backend, made };
}

/** All tensors of a module, filled with one value; `change` edits them. */
function stateOf(module: Module<never, unknown>, value = 0.5, change: Record<string, Tensor | null> = {}) {
  const state = new Map<string, Tensor>();
  for (const [name, { shape, dtype }] of module.stateDict()) state.set(name, full(shape, value, { dtype }));
  for (const [name, replaced] of Object.entries(change)) {
    if (replaced) state.set(name, replaced);
    else state.delete(name);
  }
  return state;
}

function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(MobileDetrError);
    expect((error as MobileDetrError).code).toBe("weights");
    return (error as MobileDetrError).message;
  }
  throw new Error("nothing was thrown");
}

const convBn = (): Sequential =>
  new Sequential({ conv: new Conv2d(2, 3, 1, { bias: false }), bn: new BatchNorm2d(3) });
const reference: LoadOptions = { backend: referenceBackend };

describe("loadStateDict", () => {
  it("fills parameters and buffers, and reports what it did", () => {
    const net = convBn();
    const report = loadStateDict(net, stateSourceOf(stateOf(net, 2), "here"), reference);
    expect(report).toEqual({
      source: "here",
      tensors: 6,
      elements: 6 + 4 * 3 + 1,
      missing: [],
      unexpected: [],
    });
    for (const [name, loaded] of net.namedTensors()) {
      expect(loaded.isMeta, name).toBe(false);
      expect(
        [...loaded.toArray()].every((v) => Number(v) === 2),
        name,
      ).toBe(true);
    }
  });

  it("reads each tensor straight into the module's own memory, once", () => {
    const net = new Linear(3, 2);
    const outs: TypedArray[] = [];
    const from = stateSourceOf(stateOf(net));
    loadStateDict(
      net,
      {
        ...from,
        names: from.names,
        readInto: (name, out) => {
          outs.push(out);
          from.readInto(name, out);
        },
      },
      reference,
    );
    expect(outs).toEqual([net.weight.storage.data, net.bias!.storage.data]);
    expect(outs[0]).toBe(net.weight.storage.data);
  });

  it("leaves its memory out of the scope around it", () => {
    const net = new Linear(3, 2);
    const { backend } = countingBackend();
    withScope(
      () => loadStateDict(net, stateSourceOf(stateOf(net)), { backend }),
      () => [],
    );
    expect(net.weight.storage.released).toBe(false);
  });

  it("takes tensors of any strides from memory", () => {
    const net = new Linear(2, 2, { bias: false });
    const weight = tensor([
      [1, 2],
      [3, 4],
    ]).transpose(0, 1);
    loadStateDict(net, stateSourceOf(new Map([["weight", weight]])), reference);
    expect(net.weight.toNested()).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  it("takes a safetensors file as it is", () => {
    const net = convBn();
    const stored = (t: Tensor) => ({
      dtype: t.dtype === "i64" ? ("I64" as const) : ("F16" as const),
      shape: t.shape,
      data: t.toArray(),
    });
    const bytes = writeSafetensors([...stateOf(net, 3)].map(([name, t]) => [name, stored(t)] as const));
    using file = openSafetensors(bytes, { name: "net.safetensors" });
    expect(loadStateDict(net, file, reference).source).toBe("net.safetensors");
    expect(net.at("bn").stateDict().get("running_mean")!.toNested()).toEqual([3, 3, 3]);
    expect(net.at("bn").stateDict().get("num_batches_tracked")!.item()).toBe(3);
  });

  it("accepts a scalar stored with shape [1], as PyTorch does", () => {
    const net = new BatchNorm2d(2);
    const state = stateOf(net, 1, { num_batches_tracked: tensor([7], [1], { dtype: "i64" }) });
    loadStateDict(net, stateSourceOf(state), reference);
    expect(net.num_batches_tracked!.shape).toEqual([]);
    expect(net.num_batches_tracked!.item()).toBe(7);
  });

  it("accepts halves and doubles for weights, and refuses integers there", () => {
    const net = new Linear(1, 1, { bias: false });
    for (const dtype of ["F64", "F32", "F16", "BF16"]) {
      loadStateDict(net, typed(dtype), reference);
    }
    expect(messageOf(() => loadStateDict(net, typed("I32"), reference))).toBe(
      "w.bin: expected the weights of Linear, got others:\n  1 of another type:\n    weight: model f32, file I32",
    );
    function typed(dtype: string): StateSource {
      const entry = { dtype, shape: [1, 1] };
      return {
        name: "w.bin",
        names: ["weight"],
        entry: () => entry,
        readInto: (_, out) => void out.fill(0 as never),
      };
    }
  });
});

describe("what does not fit is told all at once", () => {
  it("names, shapes and types, with the source, and leaves the module as it was", () => {
    const net = convBn();
    const state = stateOf(net, 1, {
      "conv.weight": zeros([3, 2, 3, 3]),
      "bn.weight": null,
      "bn.running_var": null,
      "bn.bias": zeros([4]),
      "bn.running_mean": zeros([3], { dtype: "i32" }),
      "extra.weight": zeros([1]),
      other: zeros([2, 2]),
    });
    const message = messageOf(() =>
      loadStateDict(net, stateSourceOf(state, "run/best.safetensors"), reference),
    );
    expect(message.split("\n")).toEqual([
      "run/best.safetensors: expected the weights of Sequential, got others:",
      "  2 missing from the file:",
      "    bn.weight",
      "    bn.running_var",
      "  2 unexpected, not in the model:",
      "    extra.weight",
      "    other",
      "  2 of another shape:",
      "    conv.weight: model [3, 2, 1, 1], file [3, 2, 3, 3]",
      "    bn.bias: model [3], file [4]",
      "  1 of another type:",
      "    bn.running_mean: model f32, file I32",
    ]);
    expect([...net.namedTensors()].every(([, t]) => t.isMeta)).toBe(true);
  });

  it("lists twenty names of a kind and counts the others", () => {
    const net = new Sequential(Array.from({ length: 13 }, () => new Linear(1, 1)));
    const lines = messageOf(() => loadStateDict(net, stateSourceOf(new Map(), "empty"), reference)).split(
      "\n",
    );
    expect(lines[1]).toBe("  26 missing from the file:");
    expect(lines.length).toBe(2 + 20 + 1);
    expect(lines.at(-1)).toBe("    ... and 6 more");
  });

  it("not strict: takes what is there and says what is not", () => {
    const net = convBn();
    const state = stateOf(net, 1, { "bn.weight": null, other: zeros([1]) });
    const report = loadStateDict(net, stateSourceOf(state), { ...reference, strict: false });
    expect([report.missing, report.unexpected, report.tensors]).toEqual([["bn.weight"], ["other"], 5]);
    expect(net.at("bn").stateDict().get("weight")!.isMeta).toBe(true);
  });

  it("not strict: another shape is an error still, and the only one told", () => {
    const net = convBn();
    const state = stateOf(net, 1, { "bn.weight": null, "bn.bias": zeros([3, 1]) });
    const message = messageOf(() =>
      loadStateDict(net, stateSourceOf(state), { ...reference, strict: false }),
    );
    expect(message).toContain("bn.bias: model [3], file [3, 1]");
    expect(message).not.toContain("missing");
  });

  it("names that may be missing stay on the meta backend; others are still required", () => {
    const net = convBn();
    const mayMiss = (name: string): boolean => name.endsWith("num_batches_tracked");
    const state = stateOf(net, 1, { "bn.num_batches_tracked": null });
    expect(messageOf(() => loadStateDict(net, stateSourceOf(state), reference))).toContain(
      "bn.num_batches_tracked",
    );
    const report = loadStateDict(net, stateSourceOf(state), { ...reference, mayMiss });
    expect(report.missing).toEqual(["bn.num_batches_tracked"]);
    expect((net.at("bn") as BatchNorm2d).num_batches_tracked!.isMeta).toBe(true);
    state.delete("bn.bias");
    expect(
      messageOf(() => loadStateDict(net, stateSourceOf(state), { ...reference, mayMiss })),
    ).not.toContain("tracked");
  });

  it("with a prefix, other names of the source are another module's", () => {
    const net = new Linear(1, 1);
    const state = new Map([...stateOf(net, 4)].map(([name, t]) => [`model.0.${name}`, t]));
    state.set("model.1.weight", zeros([9]));
    loadStateDict(net, stateSourceOf(state), { ...reference, prefix: "model.0." });
    expect(net.weight.item()).toBe(4);
    state.set("model.0.gain", zeros([1]));
    expect(
      messageOf(() => loadStateDict(net, stateSourceOf(state), { ...reference, prefix: "model.0." })),
    ).toContain("1 unexpected, not in the model:\n    gain");
  });
});

describe("a hint is given where the pattern tells", () => {
  const renamed = (state: Map<string, Tensor>, rename: (name: string) => string): Map<string, Tensor> =>
    new Map([...state].map(([name, t]) => [rename(name), t]));
  const hintOf = (net: Module<never, unknown>, state: Map<string, Tensor>): string | undefined =>
    messageOf(() => loadStateDict(net, stateSourceOf(state), reference))
      .split("\n")
      .find((line) => line.startsWith("hint: "))
      ?.slice("hint: ".length);

  it("a prefix too much", () => {
    const net = convBn();
    expect(
      hintOf(
        net,
        renamed(stateOf(net), (name) => `model.module.${name}`),
      ),
    ).toBe('the file\'s names begin with "model.module."; load with that prefix');
  });

  it("a prefix too little", () => {
    const net = new Sequential({ backbone: convBn() });
    expect(
      hintOf(
        net,
        renamed(stateOf(net), (name) => name.replace("backbone.", "")),
      ),
    ).toBe(`the file's names lack "backbone." in front: it holds the weights of the model's backbone alone`);
  });

  it("a fused file for a model that is not, and the other way round", () => {
    const fused = new Sequential({ conv: new Conv2d(2, 3, 1) });
    const plain = convBn();
    expect(hintOf(plain, stateOf(fused))).toMatch(/^the file's batch norms are folded into its convolutions/);
    expect(hintOf(fused, stateOf(plain))).toMatch(/^the model is fused and the file is not/);
  });

  it("another number of classes", () => {
    const heads = (classes: number): Sequential =>
      new Sequential({
        body: new Linear(4, 4),
        enc_score_head: new Linear(4, classes),
        embed: new Linear(4, classes),
      });
    expect(hintOf(heads(80), stateOf(heads(3)))).toBe(
      "only a first dimension differs, 3 in the file and 80 in the model: another number of classes (nc)?",
    );
    const wider = new Sequential({
      body: new Linear(5, 4),
      enc_score_head: new Linear(5, 3),
      embed: new Linear(4, 3),
    });
    expect(hintOf(heads(80), stateOf(wider))).toBeUndefined();
  });

  it("none where names merely differ", () => {
    const net = convBn();
    expect(
      hintOf(
        net,
        renamed(stateOf(net), (name) => `${name}_old`),
      ),
    ).toBeUndefined();
  });
});

describe("values that no weights have", () => {
  it("are told of all tensors, with the first index and the count", () => {
    const net = convBn();
    const weight = tensor([0, 0, 0, Number.NaN, Number.POSITIVE_INFINITY, 0], [3, 2, 1, 1]);
    const state = stateOf(net, 1, {
      "conv.weight": weight,
      "bn.bias": tensor([0, 0, Number.NEGATIVE_INFINITY]),
      "bn.running_var": tensor([1, -0.25, 0]),
      "bn.running_mean": tensor([-1, -2, -3]),
    });
    const source = stateSourceOf(state, "best.pt");
    expect(messageOf(() => loadStateDict(net, source, reference)).split("\n")).toEqual([
      "best.pt: expected finite weights and variances >= 0, got 3 tensors with others:",
      "    conv.weight: NaN at [1, 1, 0, 0] and 1 more",
      "    bn.bias: -Infinity at [2]",
      "    bn.running_var: negative variance -0.25 at [1]",
    ]);
    expect([...net.namedTensors()].every(([, t]) => t.isMeta)).toBe(true);
    loadStateDict(net, source, { ...reference, checkFinite: false });
    expect(net.at("bn").stateDict().get("running_var")!.toNested()).toEqual([1, -0.25, 0]);
  });
});

describe("memory", () => {
  it("of a loaded module is freed when it is loaded again", () => {
    const net = convBn();
    const { backend, made } = countingBackend();
    loadStateDict(net, stateSourceOf(stateOf(net, 1)), { backend });
    loadStateDict(net, stateSourceOf(stateOf(net, 2)), { backend });
    expect(made.map((s) => s.released)).toEqual(made.map((_, i) => i < 6));
    expect(made.length).toBe(12);
    net.dispose();
    expect(made.every((s) => s.released)).toBe(true);
  });

  it("of a module that hangs in two places is not lost: the last name loaded counts", () => {
    const shared = new Linear(1, 1, { bias: false });
    const net = new Sequential({ a: shared, b: shared });
    const { backend, made } = countingBackend();
    const state = new Map([
      ["a.weight", tensor([[1]])],
      ["b.weight", tensor([[2]])],
    ]);
    loadStateDict(net, stateSourceOf(state), { backend });
    expect(shared.weight.item()).toBe(2);
    expect(made.map((s) => s.released)).toEqual([true, false]);
  });

  it.each([0, 1, 5])("is given back where reading tensor %i fails, and the module stays as it was", (at) => {
    const net = convBn();
    const { backend, made } = countingBackend();
    loadStateDict(net, stateSourceOf(stateOf(net, 1)), { backend });
    const before = [...net.namedTensors()].map(([, t]) => t);
    const good = stateSourceOf(stateOf(net, 2));
    let reads = 0;
    const failing: StateSource = {
      name: good.name,
      names: good.names,
      entry: good.entry,
      readInto: (name, out) => {
        if (reads++ === at) throw new Error("disk gone");
        good.readInto(name, out);
      },
    };
    expect(() => loadStateDict(net, failing, { backend })).toThrow("disk gone");
    expect([...net.namedTensors()].map(([, t]) => t)).toEqual(before);
    expect(before.map((t) => t.toArray().at(0)).every((v) => Number(v) === 1)).toBe(true);
    expect(made.length).toBe(6 + at + 1);
    expect(made.slice(6).every((s) => s.released)).toBe(true);
  });
});

describe("skip", () => {
  it("leaves tensors as they were although the file has them, and still wants their shapes", () => {
    const module = convBn();
    const skip = (name: string): boolean => name.startsWith("bn.");
    loadStateDict(module, stateSourceOf(stateOf(convBn()), "a file"), { backend: referenceBackend, skip });
    const meta = [...module.namedTensors()].filter(([, t]) => t.isMeta).map(([name]) => name);
    expect(meta.length).toBeGreaterThan(0);
    expect(meta.every(skip)).toBe(true);
    const wrong = stateOf(convBn(), 0.5, { "bn.weight": zeros([4]) });
    const options = { backend: referenceBackend, skip };
    expect(messageOf(() => loadStateDict(convBn(), stateSourceOf(wrong, "a file"), options))).toContain(
      "bn.weight",
    );
  });
});

describe("stateSourceOf", () => {
  it("converts between integers and floats, and refuses names that it does not have", () => {
    const source = stateSourceOf(
      new Map([
        ["f", tensor([1, 2])],
        ["i", tensor([3, 4], [2], { dtype: "i64" })],
      ]),
      "it",
    );
    const f = new Float32Array(2);
    const i = new BigInt64Array(2);
    source.readInto("i", f);
    source.readInto("f", i);
    expect([[...f], [...i]]).toEqual([
      [3, 4],
      [1n, 2n],
    ]);
    expect(source.entry("i")).toEqual({ dtype: "I64", shape: [2] });
    expect([...source.names, ...source.names]).toEqual(["f", "i", "f", "i"]);
    expect(() => source.entry("x")).toThrow('it: expected a tensor that it has, got "x"');
  });
});
