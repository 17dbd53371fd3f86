/** Traces: what is reported under which name, once each; what stays behind afterwards: copies, and no hook. */
import { describe, expect, it } from "vitest";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { recordTrace, traceModules } from "../../src/inspect/index.ts";
import {
  type AnyModule,
  Identity,
  Linear,
  Module,
  MultiheadAttention,
  observe,
  Sequential,
} from "../../src/nn/index.ts";
import { replaceTensor } from "../../src/nn/module.ts";
import { add, mul, topk } from "../../src/ops/index.ts";
import { ones, tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** A module from a function. */
class Lambda<Out> extends Module<[Tensor], Out> {
  readonly #compute: (x: Tensor) => Out;

  constructor(compute: (x: Tensor) => Out) {
    super();
    this.#compute = compute;
  }

  forward(x: Tensor): Out {
    return this.#compute(x);
  }
}

/** A network whose one child is called with the input. */
class Around<Out> extends Module<[Tensor], Out> {
  readonly child: Module<[Tensor], Out>;

  constructor(child: Module<[Tensor], Out>) {
    super();
    this.child = child;
  }

  forward(x: Tensor): Out {
    return this.child.call(x);
  }
}

/** Attention within a network. */
class Attending extends Module {
  readonly ma = new MultiheadAttention(4, 2, { batchFirst: true });
  readonly #needWeights: boolean;

  constructor(needWeights: boolean) {
    super();
    this.#needWeights = needWeights;
    for (const slot of this.slots()) {
      const values = Float32Array.from({ length: slot.tensor.size }, (_, i) => Math.sin(i));
      replaceTensor(slot, tensor(values, slot.tensor.shape));
    }
  }

  forward(x: Tensor): Tensor {
    return this.ma.call(x, x, x, { needWeights: this.#needWeights }).output;
  }
}

const any = (module: unknown): AnyModule => module as AnyModule;
const x = tensor([1, 2, 3, 4], [1, 4]);

/** Paths and values, as they were reported. */
function reported<Out>(model: Module<[Tensor], Out>, input = x): [string, number[]][] {
  const seen: [string, number[]][] = [];
  traceModules(
    any(model),
    () => model.call(input),
    (path, output) => void seen.push([path, [...output.toFloat32Array()]]),
  );
  return seen;
}

const pathsOf = (model: Module<[Tensor], unknown>, input = x): string[] =>
  reported(model, input).map(([path]) => path);

describe("a trace names", () => {
  it("a tensor by its module's path, in the order in which modules finish, and leaves the model itself out", () => {
    const twice = new Lambda((x) => mul(x, 2));
    const next = new Lambda((x) => add(x, 1));
    const model = new Sequential([new Sequential([twice]), next]);
    expect(reported(model)).toEqual([
      ["0.0", [2, 4, 6, 8]],
      ["0", [2, 4, 6, 8]],
      ["1", [3, 5, 7, 9]],
    ]);
  });

  it("a list by numbers, a list within a list too", () => {
    const list = new Lambda((x) => [mul(x, 2), [mul(x, 3), mul(x, 4)]]);
    expect(reported(new Around(list))).toEqual([
      ["child.0", [2, 4, 6, 8]],
      ["child.1.0", [3, 6, 9, 12]],
      ["child.1.1", [4, 8, 12, 16]],
    ]);
  });

  it("a record by its fields, and as PyTorch does where the field is output0", () => {
    const record = new Lambda((x) => ({ output0: mul(x, 2), enc_bboxes: mul(x, 3) }));
    expect(reported(new Around(record))).toEqual([
      ["child.0", [2, 4, 6, 8]],
      ["child.enc_bboxes", [3, 6, 9, 12]],
    ]);
  });

  it("attention's output by its path, its projection, and its weights where they are asked for", () => {
    const tokens = ones([1, 3, 4]);
    expect(pathsOf(new Attending(false), tokens)).toEqual(["ma.out_proj", "ma"]);
    expect(pathsOf(new Attending(true), tokens)).toEqual(["ma.out_proj", "ma", "ma.weights"]);
  });

  it("f32 alone, and passes over what is no tensor", () => {
    const chosen = new Lambda((x) => {
      const { values, indices } = topk(x, 2, 1);
      return { values, indices, count: 2, nothing: undefined, none: null };
    });
    expect(pathsOf(new Around(chosen))).toEqual(["child.values"]);
    expect(pathsOf(new Around(new Lambda((x) => topk(x, 2, 1).indices)))).toEqual([]);
  });
});

describe("a trace with values", () => {
  it("names them by the module whose forward does, before its output, not by those around or within", () => {
    class Naming extends Module {
      readonly child = new Identity();

      forward(x: Tensor): Tensor {
        const y = this.child.call(x);
        observe("half", () => mul(y, 0.5));
        return y;
      }
    }
    const model = new Around(new Naming());
    const seen: string[] = [];
    const trace = (values: boolean): string[] => {
      seen.length = 0;
      traceModules(
        any(model),
        () => model.call(x),
        (path) => void seen.push(path),
        { values },
      );
      return [...seen];
    };
    expect(trace(true)).toEqual(["child.child", "child.half", "child"]);
    expect(trace(false)).toEqual(["child.child", "child"]);
  });
});

describe("a trace reports", () => {
  it("a module that hangs in two places by both paths", () => {
    const shared = new Identity();
    const model = new Sequential({ a: new Sequential([shared]), b: shared });
    expect(pathsOf(model)).toEqual(["a.0", "b", "a", "a.0", "b"]);
  });

  it("each module once, whether it ran before, is traced again, or holds others", () => {
    const model = new Sequential([new Around(new Identity()), new Identity()]);
    const once = ["0.child", "0", "1"];
    model.call(x);
    expect(pathsOf(model)).toEqual(once);
    expect(pathsOf(model)).toEqual(once);
  });

  it("a module that runs twice twice, and one that does not run never", () => {
    const model = new Sequential([new Identity(), new Identity()]);
    const seen: string[] = [];
    const first = model.getSubmodule("0") as unknown as Module;
    traceModules(
      any(model),
      () => first.call(first.call(x)),
      (path) => void seen.push(path),
    );
    expect(seen).toEqual(["0", "0"]);
  });

  it("nothing after the run, nor after an error in a module or in the sink", () => {
    const model = new Sequential([new Identity(), new Lambda((x) => mul(x, 2))]);
    const seen: string[] = [];
    const sink = (path: string): void => void seen.push(path);
    traceModules(any(model), () => model.call(x), sink);
    const crash = (): never => {
      throw new Error("out of order");
    };
    expect(() =>
      traceModules(
        any(model),
        () => {
          model.call(x);
          return crash();
        },
        sink,
      ),
    ).toThrow("out of order");
    expect(() => traceModules(any(model), () => model.call(x), crash)).toThrow("out of order");
    const before = seen.length;
    model.call(x);
    expect([before, seen.length]).toEqual([4, 4]);
  });

  it("to the caller what the run gave, unchanged", () => {
    const model = new Sequential([new Lambda((x) => mul(x, 2))]);
    const result = traceModules(
      any(model),
      () => model.call(x),
      () => "not an output",
    );
    expect([...result.toArray()]).toEqual([2, 4, 6, 8]);
  });
});

describe("recordTrace", () => {
  it("copies: what it holds outlives the run's memory and its reuse", async () => {
    const backend = createWasmBackend({ threads: 1 });
    const model = new Sequential([new Lambda((x) => mul(x, 2)), new Lambda((x) => mul(x, 10))]);
    const input = tensor([1, 2, 3, 4], [2, 2], { backend }).keep();
    const { result, trace } = recordTrace(any(model), () => model.call(input));
    result.dispose();
    const inUse = backend.bytesInUse;
    const others = Array.from({ length: 8 }, () => model.call(tensor([9, 9, 9, 9], [2, 2], { backend })));
    expect(inUse).toBeLessThan(backend.bytesInUse);
    expect([...trace]).toEqual([
      ["0", { shape: [2, 2], data: Float32Array.of(2, 4, 6, 8) }],
      ["1", { shape: [2, 2], data: Float32Array.of(20, 40, 60, 80) }],
    ]);
    for (const other of others) other.dispose();
    await backend.close();
    expect([...(trace.get("0")?.data ?? [])]).toEqual([2, 4, 6, 8]);
  });

  it("copies row-major, whatever the memory of a tensor", () => {
    const model = new Sequential([new Lambda((x) => x.transpose(0, 1))]);
    const { trace } = recordTrace(any(model), () => model.call(tensor([1, 2, 3, 4, 5, 6], [2, 3])));
    expect(trace.get("0")).toEqual({ shape: [3, 2], data: Float32Array.of(1, 4, 2, 5, 3, 6) });
  });

  it("copies an output that is its last child's once, and others each", () => {
    const model = new Sequential([
      new Sequential([new Lambda((x) => mul(x, 2))]),
      new Sequential([new Linear(4, 2)]),
    ]);
    for (const slot of model.slots())
      replaceTensor(slot, ones(slot.tensor.shape, { backend: referenceBackend }));
    const { trace } = recordTrace(any(model), () => model.call(x));
    expect([...trace.keys()]).toEqual(["0.0", "0", "1.0", "1"]);
    expect(trace.get("0")?.data).toBe(trace.get("0.0")?.data);
    expect(trace.get("1")?.data).toBe(trace.get("1.0")?.data);
    expect(trace.get("1")?.data).not.toBe(trace.get("0")?.data);
    expect([...(trace.get("1")?.data ?? [])]).toEqual([21, 21]);
  });
});
