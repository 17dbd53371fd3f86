import { describe, expect, it } from "vitest";
import { HeapStorage } from "../../src/backend/heap.ts";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { track, withScope } from "../../src/backend/scope.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { fail, MobileDetrError } from "../../src/errors.ts";
import {
  type AnyModule,
  BatchNorm2d,
  BufferTensor,
  Conv2d,
  Identity,
  Linear,
  loadStateDict,
  Module,
  ModuleList,
  modulePaths,
  Parameter,
  ReLU,
  Sequential,
  stateSourceOf,
} from "../../src/nn/index.ts";
import { add, relu } from "../../src/ops/index.ts";
import { full, tensor } from "../../src/tensor/create.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { SmallNet } from "./small-net.ts";

/** A module of any function, to be put in the way. */
class Lambda extends Module {
  readonly body: (x: Tensor) => Tensor;

  constructor(body: (x: Tensor) => Tensor) {
    super();
    this.body = body;
  }

  forward(x: Tensor): Tensor {
    return this.body(x);
  }
}

/** Memory that a scope frees, as WASM memory is. */
function scoped(...values: number[]): Tensor {
  const storage = new HeapStorage(referenceBackend, Float32Array.from(values));
  track(storage);
  return new Tensor(storage, [values.length], [1]);
}

describe("the tree of a module", () => {
  it("lists parameters before buffers before children, in the order of the fields", () => {
    class Mixed extends Module {
      readonly child = new Linear(2, 2);
      readonly table = BufferTensor.ofShape([3]);
      readonly left?: Parameter;
      readonly first = Parameter.ofShape(1);
      readonly second = Parameter.ofShape(2);

      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const names = [...new Mixed().stateDict().keys()];
    expect(names).toEqual(["first", "second", "table", "child.weight", "child.bias"]);
    expect([...new Mixed().namedParameters()].map(([name]) => name)).not.toContain("table");
    expect([...new Mixed().namedBuffers()].map(([name]) => name)).toEqual(["table"]);
  });

  it("walks parents before children, and apply children before parents", () => {
    const net = new Sequential({ a: new Sequential([new ReLU(), new Identity()]), b: new ReLU() });
    expect([...net.namedModules()].map(([path]) => path)).toEqual(["", "a", "a.0", "a.1", "b"]);
    const seen: string[] = [];
    net.apply((module) => seen.push(module.kind));
    expect(seen).toEqual(["ReLU", "Identity", "Sequential", "ReLU", "Sequential"]);
  });

  it("gives a module that hangs in two places the first path", () => {
    const shared = new ReLU();
    const net = new Sequential({ a: new Sequential([new Identity(), shared]), b: shared });
    const paths = modulePaths(net as unknown as AnyModule);
    expect([...paths.values()]).toEqual(["", "a", "a.0", "a.1"]);
    expect(paths.get(shared as unknown as AnyModule)).toBe("a.1");
  });

  it("finds a module by its path, and names the children there are where it does not", () => {
    const net = new SmallNet();
    expect(net.getSubmodule("blocks.2.conv.norm")).toBe((net.blocks.at(2).conv as Sequential).at("norm"));
    expect(net.getSubmodule("")).toBe(net);
    expect(() => net.getSubmodule("blocks.1.conf")).toThrow(/Block has conv\), got blocks\.1\.conf/);
  });

  it("gives its own tensors in the state dict", () => {
    const layer = new Linear(2, 3);
    expect(layer.stateDict().get("weight")).toBe(layer.weight);
  });

  it("frees its memory on dispose and has shapes alone again", () => {
    const layer = new Linear(2, 3, { bias: false });
    layer.weight = new Parameter(tensor([1, 2, 3, 4, 5, 6]).storage, [3, 2], [2, 1]);
    const { storage } = layer.weight;
    layer.dispose();
    expect(storage.released).toBe(true);
    expect(layer.weight.isMeta).toBe(true);
    expect(layer.weight).toBeInstanceOf(Parameter);
    expect(layer.weight.shape).toEqual([3, 2]);
  });

  it("is in evaluation mode, always", () => {
    const net = new SmallNet();
    expect(net.eval()).toBe(net);
    expect(net.training).toBe(false);
  });
});

describe("Sequential and ModuleList", () => {
  it("keep the order in which children were added, whatever their names", () => {
    const net = new Sequential()
      .append(new ReLU(), "1")
      .append(new Linear(1, 1), "x")
      .append(new Linear(1, 1), "0");
    expect([...net.namedChildren()].map(([name]) => name)).toEqual(["1", "x", "0"]);
    expect([...net.stateDict().keys()]).toEqual(["x.weight", "x.bias", "0.weight", "0.bias"]);
  });

  it("are indexed from both ends and by name, iterated, appended to and changed in place", () => {
    const [a, b, c] = [new ReLU(), new Identity(), new ReLU()];
    const list = new ModuleList<ReLU | Identity>([a, b]);
    expect([list.length, list.at(0), list.at(-1)]).toEqual([2, a, b]);
    expect([...list.append(c)]).toEqual([a, b, c]);
    list.replace(1, a);
    expect([...list.namedChildren()].map(([name, child]) => [name, child === b])).toContainEqual([
      "1",
      false,
    ]);
    const net = new Sequential({ first: a, second: b });
    expect(net.at("second")).toBe(b);
    expect(net.replace("first", c).at(0)).toBe(c);
    expect(net.length).toBe(2);
  });

  it("see a child that was replaced through its field", () => {
    const net = new Sequential({ conv: new Conv2d(1, 1, 1) });
    const other = new Identity();
    (net as unknown as Record<string, AnyModule>).conv = other;
    expect([...net]).toEqual([other]);
  });

  it("refuse indices and names that they do not have", () => {
    const net = new Sequential([new ReLU(), new ReLU()]);
    expect(() => net.at(2)).toThrow("Sequential: expected an index in [-2, 2), got 2");
    expect(() => net.at(0.5)).toThrow("got 0.5");
    expect(() => net.at("length")).toThrow('Sequential: expected one of 0, 1, got "length"');
  });

  it("refuse names that are taken, empty or hold a dot, and what is no module", () => {
    for (const name of ["forward", "call", "length", "a.b", ""]) {
      expect(() => new Sequential({ [name]: new ReLU() }), name).toThrow(MobileDetrError);
    }
    expect(() => new Sequential().append(new ReLU(), "a").append(new ReLU(), "a")).toThrow('got "a"');
    expect(() => new Sequential([undefined as unknown as ReLU])).toThrow(
      "expected a Module as 0, got undefined",
    );
  });

  it("of a ModuleList cannot be called as a whole", () => {
    expect(() => new ModuleList([new ReLU()]).call()).toThrow("called one by one");
  });
});

describe("hooks", () => {
  const x = tensor([-1, 2]);

  it("run in the order of registration: pre-hooks, forward, hooks", () => {
    const seen: string[] = [];
    const layer = new Lambda((t) => {
      seen.push("forward");
      return t;
    });
    layer.registerForwardHook(() => void seen.push("hook 1"));
    layer.registerForwardPreHook(() => void seen.push("pre 1"));
    layer.registerForwardPreHook(() => void seen.push("pre 2"));
    layer.registerForwardHook(() => void seen.push("hook 2"));
    layer.call(x);
    expect(seen).toEqual(["pre 1", "pre 2", "forward", "hook 1", "hook 2"]);
  });

  it("see module, inputs and output, and replace inputs and outputs for those after them", () => {
    const layer = new ReLU();
    layer.registerForwardPreHook((_, [input]) => [add(input as Tensor, 10)]);
    layer.registerForwardHook((module, [input], output) => {
      expect(module).toBe(layer);
      expect((input as Tensor).toNested()).toEqual([9, 12]);
      return add(output as Tensor, 100);
    });
    layer.registerForwardHook((_, __, output) => add(output as Tensor, 1000));
    expect(layer.call(x).toNested()).toEqual([1109, 1112]);
  });

  it("run once for each registration and no more once removed", () => {
    const layer = new ReLU();
    let count = 0;
    const hook = (): undefined => void count++;
    const removeFirst = layer.registerForwardHook(hook);
    const removeSecond = layer.registerForwardHook(hook);
    layer.call(x);
    expect(count).toBe(2);
    removeFirst();
    removeFirst();
    layer.call(x);
    expect(count).toBe(3);
    removeSecond();
    const removePre = layer.registerForwardPreHook(hook);
    removePre();
    layer.call(x);
    expect(count).toBe(3);
  });

  it("on a child run when the parent is called", () => {
    const child = new ReLU();
    const outputs: unknown[] = [];
    child.registerForwardHook((_, __, output) => void outputs.push((output as Tensor).toNested()));
    new Sequential([new Identity(), child]).call(x);
    expect(outputs).toEqual([[0, 2]]);
  });
});

describe("memory of a call", () => {
  it("is given back but for the result", () => {
    const made: Tensor[] = [];
    const layer = new Lambda(() => {
      made.push(scoped(1), scoped(2), scoped(3));
      return made[1];
    });
    expect(layer.call(tensor([0])).toNested()).toEqual([2]);
    expect(made.map((t) => t.storage.released)).toEqual([true, false, true]);
  });

  it("of a child's result is given back at the end of the parent's call", () => {
    const made: Tensor[] = [];
    const child = new Lambda(() => {
      made.push(scoped(made.length));
      return made[made.length - 1];
    });
    const parent = new Lambda((x) => {
      child.call(x);
      const second = child.call(x);
      expect(made.map((t) => t.storage.released)).toEqual([false, false]);
      return second;
    });
    parent.call(tensor([0]));
    expect(made.map((t) => t.storage.released)).toEqual([true, false]);
  });

  it("survives in lists and records of tensors, and in views", () => {
    class Many extends Module<[], unknown> {
      forward(): unknown {
        const loose = scoped(0);
        return { a: scoped(1), b: [scoped(2), { c: scoped(3, 4).slice(0, 1) }], loose, nothing: undefined };
      }
    }
    const { a, b } = new Many().call() as { a: Tensor; b: [Tensor, { c: Tensor }] };
    expect([a.toNested(), b[0].toNested(), b[1].c.toNested()]).toEqual([[1], [2], [4]]);
  });

  it("leaves the caller's inputs alone, also where the result is a view of one", () => {
    const x = scoped(1, 2);
    const y = new Lambda((t) => t.slice(0, 1)).call(x);
    expect(x.storage.released).toBe(false);
    expect(y.toNested()).toEqual([2]);
  });

  it("survives where keep() says so", () => {
    const made: Tensor[] = [];
    new Lambda((x) => {
      made.push(scoped(1).keep());
      return x;
    }).call(tensor([0]));
    expect(made[0].storage.released).toBe(false);
  });

  it("that a hook swapped in as the result survives, and the former result goes", () => {
    const made: Tensor[] = [];
    const make = (v: number): Tensor => {
      made.push(scoped(v));
      return made[made.length - 1];
    };
    const layer = new Lambda(() => make(1));
    layer.registerForwardHook(() => make(2));
    expect(layer.call(tensor([0])).toNested()).toEqual([2]);
    expect(made[0].storage.released).toBe(true);
  });

  it("in WASM is given back but for the result, call after call, and with dispose in full", async () => {
    const backend = createWasmBackend();
    const net = new SmallNet();
    const state = new Map(
      [...net.stateDict()].map(([name, t]) => [name, full(t.shape, 0.1, { dtype: t.dtype })]),
    );
    const start = backend.bytesInUse;
    loadStateDict(net, stateSourceOf(state), { backend });
    const x = full([1, 3, 8, 8], 0.5, { backend });
    net.call(x).dispose(); // backends may keep packed weights from the first call on
    const before = backend.bytesInUse;
    const y = net.call(x);
    expect(y.shape).toEqual([1, 16, 5]);
    expect(backend.bytesInUse - before).toBeGreaterThanOrEqual(16 * 5 * 4);
    expect(backend.bytesInUse - before).toBeLessThan(1024);
    for (const t of [x, y]) t.dispose();
    net.dispose();
    expect(backend.bytesInUse).toBe(start);
    await backend.close();
  });

  it("is given back where a call fails", () => {
    const made: Tensor[] = [];
    const layer = new Lambda(() => {
      made.push(scoped(1));
      throw new Error("broken");
    });
    expect(() => new Sequential([layer]).call(tensor([0]))).toThrow("broken");
    expect(made[0].storage.released).toBe(true);
  });
});

describe("an error in a call", () => {
  const broken = (): Lambda => new Lambda(() => fail("size", "here", "less", "more"));
  const x = tensor([0]);

  it("is headed by the path of the module that failed, and keeps its code and cause", () => {
    const net = new Sequential({ layer3: new Sequential({ uib_0: broken() }) });
    let caught: unknown;
    try {
      net.call(x);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(MobileDetrError);
    const { message, code, cause } = caught as MobileDetrError;
    expect(message).toBe("layer3.uib_0: here: expected less, got more");
    expect(code).toBe("size");
    expect((cause as Error).message).toBe("here: expected less, got more");
  });

  it("has no path in front where the called module itself failed", () => {
    expect(() => broken().call(x)).toThrow(/^here: expected less, got more$/);
  });

  it("that a parent caught does not lend its path to a later one", () => {
    class Careful extends Module {
      readonly bad = broken();

      forward(input: Tensor): Tensor {
        expect(() => this.bad.call(input)).toThrow("here: expected less");
        return fail("argument", "Careful", "nothing", "something");
      }
    }
    const net = new Sequential({ careful: new Careful() });
    expect(() => net.call(x)).toThrow(/^careful: Careful: expected nothing, got something$/);
    expect(() => new Sequential({ other: broken() }).call(x)).toThrow(/^other: here: /);
  });

  it("of another kind passes as it is", () => {
    const error = new RangeError("odd");
    const net = new Sequential([
      new Lambda(() => {
        throw error;
      }),
    ]);
    expect(() => net.call(x)).toThrow(error);
  });

  it("names the layer whose weights were not loaded", () => {
    const net = new Sequential({ stem: new Sequential({ conv: new Conv2d(1, 1, 1) }) });
    expect(() => net.call(relu(tensor([1], [1, 1, 1, 1])))).toThrow(/^stem\.conv: .*load weights/);
  });
});

describe("a constructor refuses", () => {
  it.each<[string, () => unknown]>([
    ["whole numbers >= 1 for outChannels, got 0", () => new Conv2d(3, 0, 1)],
    ["whole numbers >= 1 for kernelSize, got (3, 1.5)", () => new Conv2d(3, 4, [3, 1.5])],
    ["whole numbers >= 0 for padding, got -1", () => new Conv2d(3, 4, 3, { padding: -1 })],
    ["channel counts that 4 groups divide, got 6 and 8", () => new Conv2d(6, 8, 1, { groups: 4 })],
    [
      'paddingMode "zeros", the only one there is, got "reflect"',
      () => new Conv2d(1, 1, 1, { paddingMode: "reflect" }),
    ],
    [
      'stride 1 with padding "same", got stride (2, 2)',
      () => new Conv2d(1, 1, 3, { padding: "same", stride: 2 }),
    ],
    ["whole numbers >= 1 for numFeatures, got NaN", () => new BatchNorm2d(Number.NaN)],
  ])("%s", (message, make) => {
    expect(make).toThrow(message);
  });
});

describe("to(backend)", () => {
  it("frees the memory that the parameters had", async () => {
    const backend = createWasmBackend({ threads: 1 });
    const layer = new Linear(8, 4);
    const weights = new Map([
      ["weight", full([4, 8], 1)],
      ["bias", full([4], 2)],
    ]);
    loadStateDict(layer, stateSourceOf(weights), { backend });
    expect(backend.bytesInUse).toBeGreaterThan(0);
    layer.to(referenceBackend);
    expect(backend.bytesInUse).toBe(0);
    expect(layer.bias!.toArray()).toEqual(Float32Array.of(2, 2, 2, 2));
    await backend.close();
  });
});

describe("withScope", () => {
  it("refuses an asynchronous body, whose memory would be freed too early", () => {
    expect(() =>
      withScope(
        async () => 1,
        () => [],
      ),
    ).toThrow(/withScope: expected a synchronous function, got a promise/);
  });
});
