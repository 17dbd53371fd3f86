/** Stepping: the places and their order, the numbers of an ordinary run, moves, breakpoints, replacement, memory, cost. */
import { afterAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { withScope } from "../../src/backend/scope.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { recordTrace, type Step, Stepper, steps } from "../../src/inspect/index.ts";
import type { DetectorOutput, RTDETRDetectionModel } from "../../src/models/index.ts";
import { modelInfo } from "../../src/models/index.ts";
import {
  type AnyModule,
  Identity,
  Linear,
  Module,
  MultiheadAttention,
  observe,
  ReLU,
  Sequential,
} from "../../src/nn/index.ts";
import { replaceTensor } from "../../src/nn/module.ts";
import { add, mul } from "../../src/ops/index.ts";
import { tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { loadModelGolden, MODEL_CASES } from "../golden/golden.ts";
import { loadCase, pictureFor } from "../models/support.ts";

const wasm = createWasmBackend({ threads: 2 });
afterAll(() => wasm.close());

/** Calls one child twice, works between, and names a value. */
class Twice extends Module {
  readonly lin = new Linear(3, 3);
  readonly seq = new Sequential([new Linear(3, 3), new ReLU()]);

  forward(x: Tensor): Tensor {
    const y = this.lin.call(mul(x, 2));
    const z = add(this.seq.call(y), y);
    observe("between", () => z);
    return add(this.lin.call(z), x);
  }
}

const SLOW_MS = 15;

/** Doubles, and takes its time. */
class Slow extends Module {
  forward(x: Tensor): Tensor {
    const end = performance.now() + SLOW_MS;
    while (performance.now() < end);
    return mul(x, 2);
  }
}

/** Attention, whose result is a record. */
class Around extends Module {
  readonly ma = new MultiheadAttention(4, 2, { batchFirst: true });

  forward(x: Tensor): Tensor {
    return this.ma.call(x, x, x, { needWeights: false }).output;
  }
}

function small(): Twice {
  const model = new Twice();
  for (const slot of model.slots()) {
    const values = Float32Array.from({ length: slot.tensor.size }, (_, i) => Math.sin(i + slot.name.length));
    replaceTensor(slot, tensor(values, slot.tensor.shape));
  }
  return model;
}

const input = (): Tensor => tensor([1, -2, 0.5], [1, 3]);
const place = ({ phase, path }: Step): string => `${phase} ${path}`;

async function walk(
  model: AnyModule,
  x: Tensor,
  move: (step: Step) => void,
  breakpoints?: string[],
): Promise<string[]> {
  const places: string[] = [];
  for await (const step of steps(model as unknown as Module, x, { breakpoints })) {
    places.push(place(step));
    move(step);
  }
  return places;
}

describe("places", () => {
  it("into: every call, before and after, in the order of the run, one module twice", async () => {
    expect(await walk(small() as unknown as AnyModule, input(), () => {})).toEqual([
      "before ",
      "before lin",
      "after lin",
      "before seq",
      "before seq.0",
      "after seq.0",
      "before seq.1",
      "after seq.1",
      "after seq",
      "before lin",
      "after lin",
      "after ",
    ]);
  });

  it("over: a module's end, then what is next to it", async () => {
    const model = small() as unknown as AnyModule;
    const places = await walk(model, input(), (step) => (step.path === "" ? step.into() : step.over()));
    expect(places).toEqual([
      "before ",
      "before lin",
      "after lin",
      "before seq",
      "after seq",
      "before lin",
      "after lin",
      "after ",
    ]);
  });

  it("out: the end of the module around", async () => {
    const model = small() as unknown as AnyModule;
    const places = await walk(model, input(), (step) => (step.path === "seq.0" ? step.out() : step.into()));
    expect(places.slice(4)).toEqual(["before seq.0", "after seq", "before lin", "after lin", "after "]);
  });

  it("breakpoints: from one to the next, and within what is stepped over", async () => {
    const model = small() as unknown as AnyModule;
    expect(await walk(model, input(), (step) => step.continue(), ["seq.*"])).toEqual([
      "before seq.0",
      "after seq.0",
      "before seq.1",
      "after seq.1",
    ]);
    const over = await walk(model, input(), (step) => step.over(), ["seq.1"]);
    expect(over).toEqual(["before seq.1", "after seq.1", "after seq", "before lin", "after lin", "after "]);
    expect(await walk(model, input(), () => {}, ["nothing"])).toEqual([]);
    const within = await walk(model, input(), (step) => step.over(), ["lin", "seq.1"]);
    expect(within.slice(2, 6)).toEqual(["before seq", "before seq.1", "after seq.1", "after seq"]);
    const out = await walk(model, input(), (step) => step.out(), ["seq.*"]);
    expect(out).toEqual([
      "before seq.0",
      "after seq.0",
      "before seq.1",
      "after seq.1",
      "after seq",
      "after ",
    ]);
  });

  it("until: to a module and the breakpoints before it; the last move that was asked for counts", async () => {
    const model = small() as unknown as AnyModule;
    const until = (step: Step): void => step.until("seq.1");
    expect(await walk(model, input(), until)).toEqual(["before ", "before seq.1", "after seq.1"]);
    expect(await walk(model, input(), until, ["seq.0"])).toEqual([
      "before seq.0",
      "after seq.0",
      "before seq.1",
      "after seq.1",
    ]);
    const anew = (move: "over" | "continue") => (step: Step) => {
      until(step);
      step[move]();
    };
    expect(await walk(model, input(), anew("over"))).toEqual(["before ", "after "]);
    expect(await walk(model, input(), anew("continue"))).toEqual(["before "]);
  });

  it("breakpoints come and go while the run stands", async () => {
    const run = steps(small(), input(), { breakpoints: ["lin", "seq"] });
    const places: string[] = [];
    for await (const step of run) {
      places.push(place(step));
      if (places.length > 1) continue;
      expect([run.removeBreakpoint("seq"), run.removeBreakpoint("none")]).toEqual([true, false]);
      run.addBreakpoint("seq.0");
      expect(run.breakpoints).toEqual(["lin", "seq.0"]);
    }
    expect(places).toEqual([
      "before lin",
      "after lin",
      "before seq.0",
      "after seq.0",
      "before lin",
      "after lin",
    ]);
  });
});

describe("what a step says", () => {
  it("inputs, outputs, values, parameters, cost, line", async () => {
    const model = small();
    const seen = new Map<string, unknown>();
    for await (const step of steps(model, input())) {
      if (step.phase === "before") {
        expect(step.outputs).toEqual([]);
        expect(step.seconds).toBe(0);
      }
      if (step.path === "lin" && step.phase === "after") {
        expect(step.kind).toBe("Linear");
        expect(step.line).toBe("F.linear(input, weight, bias)");
        expect(step.multiplyAdds).toBe(9);
        expect(step.bytes).toBe(12);
        expect(step.parameters.map(({ name }) => name)).toEqual(["weight", "bias"]);
        if (!seen.has("lin")) expect([...step.inputs[0].tensor.toFloat32Array()]).toEqual([2, -4, 1]);
        seen.set("lin", step.outputs[0].tensor.toArray());
      }
      if (["", "seq"].includes(step.path)) expect(step.parameters).toEqual([]); // those within are theirs
      if (step.path === "" && step.phase === "after") {
        expect(step.multiplyAdds).toBe(27);
        expect(step.values.map(({ name }) => name)).toEqual(["between"]);
        expect(step.values[0].tensor.shape).toEqual([1, 3]);
        expect(step.seconds).toBeGreaterThan(0);
      }
    }
    expect(seen.size).toBe(1);
  });

  it("statistics: counts of what is not finite, zeros, moments, a histogram that sums to the finite", async () => {
    const model = new Sequential([new ReLU()]);
    const x = tensor([Number.NaN, Infinity, -Infinity, -1, 0, 1, 2, 5], [8]);
    for await (const step of steps(model, x)) {
      if (step.phase === "before") continue;
      const { count, min, max, mean, std, zeros, nan, inf, histogram } = step.statistics();
      expect({ count, min, max, mean, nan, inf }).toEqual({
        count: 8,
        min: 0,
        max: 5,
        mean: 8 / 6,
        nan: 1,
        inf: 1,
      });
      expect(zeros).toBe(3 / 8);
      expect(std).toBeCloseTo(Math.sqrt((30 - 64 / 6) / 5), 12); // unbiased, as PyTorch's
      expect(histogram.reduce((a, b) => a + b)).toBe(6);
      expect([histogram[0], histogram.at(-1)]).toEqual([3, 1]);
    }
  });
});

it("seconds: a module's with all that is within, however often the run stood still there", async () => {
  const model = new Sequential([new Sequential([new Slow(), new Slow()]), new Slow()]);
  const seconds = new Map<string, number>();
  for await (const step of steps(model, input())) {
    if (step.phase === "after") seconds.set(step.path, step.seconds);
    await new Promise((resolve) => setTimeout(resolve, SLOW_MS)); // standing still is not counted
  }
  const of = (path: string): number => (1000 * (seconds.get(path) ?? 0)) / SLOW_MS;
  expect(of("0.1")).toBeGreaterThanOrEqual(1);
  expect(of("0")).toBeGreaterThanOrEqual(of("0.0") + of("0.1"));
  expect(of("")).toBeGreaterThanOrEqual(of("0") + of("1"));
  expect(of("") - of("0") - of("1")).toBeLessThan(1);
});

it("statistics: of all outputs together, or of one tensor of the step", async () => {
  class Both extends Module<[Tensor], Tensor[]> {
    forward(x: Tensor): Tensor[] {
      return [mul(x, 1), mul(x, -3)];
    }
  }
  for await (const step of steps(new Both(), input())) {
    if (step.phase === "before") continue;
    const { count, min, max, mean } = step.statistics(); // of 1, -2, 0.5, -3, 6, -1.5
    expect([count, min, max, mean]).toEqual([6, -3, 6, 1 / 6]);
    expect(step.statistics(step.outputs[1].tensor)).toMatchObject({ count: 3, min: -3, max: 6, mean: 0.5 });
    expect(step.bytes).toBe(24);
  }
});

describe("replacement", () => {
  it("is what a forward hook that returns another output gives", async () => {
    const changed = (y: Tensor): Tensor => add(y, tensor([1, 0, 0], [3]));
    const model = small();
    const remove = model.seq.registerForwardHook((_module, _inputs, output) => changed(output as Tensor));
    const expected = model.call(input()).toArray();
    remove();
    const run = steps(model, input(), { breakpoints: ["seq"] });
    for await (const step of run) if (step.phase === "after") step.replace(changed(step.outputs[0].tensor));
    expect(run.result.toArray()).toEqual(expected);
    expect(expected).not.toEqual(model.call(input()).toArray());
  });

  it("keeps the form of a result that is a record: attention's", async () => {
    const model = new Around();
    for (const slot of model.slots()) {
      replaceTensor(
        slot,
        tensor(
          Float32Array.from({ length: slot.tensor.size }, (_, i) => Math.sin(i)),
          slot.tensor.shape,
        ),
      );
    }
    const x = tensor([1, -2, 0.5, 3, 1, 0, -1, 2], [1, 2, 4]);
    const run = steps(model, x, { breakpoints: ["ma"] });
    const doubled: number[] = [];
    for await (const step of run) {
      if (step.phase === "before") continue;
      step.replace(mul(step.outputs[0].tensor, 2));
      doubled.push(...(step.outputs[0].tensor.toArray() as Float32Array));
    }
    expect([...run.result.toFloat32Array()]).toEqual(doubled);
    expect(doubled.some(Number.isNaN)).toBe(false);
  });

  it("keeps the form of a result that is a list, and the tensors that are given back", async () => {
    class Pair extends Module<[Tensor], Tensor[]> {
      forward(x: Tensor): Tensor[] {
        return [mul(x, 1), mul(x, 10)];
      }
    }
    class Sum extends Module {
      readonly pair = new Pair();

      forward(x: Tensor): Tensor {
        const [a, b] = this.pair.call(x);
        return add(a, b);
      }
    }
    const x = input().to(wasm).keep();
    const held = wasm.bytesInUse;
    const run = steps(new Sum(), x, { breakpoints: ["pair"] });
    for await (const step of run) {
      if (step.phase === "before") continue;
      const [a, b] = step.outputs;
      step.replace(a.tensor, mul(b.tensor, 2).keep());
      expect(step.outputs.map(({ name }) => name)).toEqual(["pair.0", "pair.1"]);
    }
    expect([...run.result.toFloat32Array()]).toEqual([21, -42, 10.5]);
    run.result.dispose();
    expect(wasm.bytesInUse).toBe(held);
    x.dispose();
  });

  it("names what does not fit, and where it cannot be", async () => {
    for await (const step of steps(small(), input(), { breakpoints: ["seq"] })) {
      if (step.phase === "before")
        expect(() => step.replace()).toThrow(/a run that stands after the module, got before/);
      else {
        const wanted = /replace at seq: expected f32 \[1, 3\] on reference, got /;
        expect(() => step.replace(tensor([1], [1]))).toThrow(new RegExp(`${wanted.source}f32 \\[1\\]`));
        expect(() => step.replace()).toThrow(new RegExp(`${wanted.source}no tensors`));
        expect(() => step.replace(input(), input())).toThrow(wanted);
      }
    }
  });
});

describe("a detector", () => {
  const of = MODEL_CASES.find(
    ({ model, kind }) => model === "MobileNetV4HybridMedium" && kind === "detector",
  );
  if (!of) throw new Error("no such case");
  const shape = [of.height, of.width] as const;

  it("gives every tensor of a trace and the result, bit for bit; costs are info's; nothing stays in memory", async () => {
    const model = loadCase(of, wasm) as RTDETRDetectionModel;
    const x = pictureFor(of, loadModelGolden(of), wasm);
    const { result, trace } = recordTrace(model as unknown as AnyModule, () => model.call(x));
    const expected = result.output0.toFloat32Array();
    for (const t of Object.values(result)) t.dispose();
    const held = wasm.bytesInUse;
    const run = steps(model, x);
    const seen = new Map<string, Float32Array>(); // of modules that are called again the last time counts, as in a trace
    let multiplyAdds = 0;
    for await (const step of run) {
      if (step.phase === "before") continue;
      if (step.path === "") multiplyAdds = step.multiplyAdds;
      for (const { name, tensor } of step.outputs) {
        if (trace.has(name)) seen.set(name, tensor.toFloat32Array());
      }
    }
    expect([...seen.keys()].sort()).toEqual([...trace.keys()].sort());
    for (const [name, { data }] of trace) {
      expect(Buffer.compare(Buffer.from(seen.get(name)!.buffer), Buffer.from(data.buffer)), name).toBe(0);
    }
    expect(run.result.output0.toFloat32Array()).toEqual(expected);
    expect(2 * multiplyAdds).toBeCloseTo(modelInfo(model, shape).gflops * 1e9, -1);
    for (const t of Object.values(run.result as DetectorOutput)) t.dispose();
    expect(wasm.bytesInUse).toBe(held);
    x.dispose();
    model.dispose();
  }, 120_000);

  it("names attention, sampling, scores of tokens and boxes; left early, nothing stays in memory", async () => {
    const model = loadCase(of, wasm) as RTDETRDetectionModel;
    const x = pictureFor(of, loadModelGolden(of), wasm);
    const held = wasm.bytesInUse;
    const names = new Map<string, readonly number[]>();
    const breakpoints = ["**.ma", "**.multi_query_attention", "**.cross_attn", "**.self_attn"];
    const head = [...model.namedModules()].find(([, m]) => m.kind === "RTDETRDecoder")?.[0] ?? "";
    for await (const step of steps(model, x, { breakpoints: [...breakpoints, head] })) {
      for (const { name, tensor } of step.values) names.set(name, tensor.shape);
      if (step.path === head && step.phase === "after") break;
      step.continue();
    }
    const [tokens, queries] = [(of.height / 8) ** 2 + (of.height / 16) ** 2 + (of.height / 32) ** 2, 300];
    const attention = (of.height / 32) ** 2;
    expect(names.get("model.2.ma.attention")).toEqual([1, 8, attention, attention]);
    expect(
      [...names].filter(([name]) => /multi_query_attention\.attention$/.test(name)).length,
    ).toBeGreaterThan(3);
    expect(names.get(`${head}.decoder.layers.0.cross_attn.sampling_locations`)).toEqual([
      1,
      queries,
      8,
      3,
      4,
      2,
    ]);
    expect(names.get(`${head}.decoder.layers.2.cross_attn.sampling_weights`)).toEqual([1, queries, 8, 3, 4]);
    expect(names.get(`${head}.decoder.layers.1.self_attn.attention`)).toEqual([1, 8, queries, queries]);
    expect(names.get(`${head}.token_scores`)).toEqual([1, tokens]);
    expect([...names.keys()].filter((name) => name.startsWith(`${head}.boxes.`))).toHaveLength(4);
    expect(wasm.bytesInUse).toBe(held);
    x.dispose();
    model.dispose();
  }, 120_000);
});

describe("whose memory is whose", () => {
  /** `body` as a forward. */
  class Of extends Module {
    readonly inner: Module;
    readonly #body: (x: Tensor, inner: Module) => Tensor;

    constructor(inner: Module, body: (x: Tensor, inner: Module) => Tensor) {
      super();
      this.inner = inner;
      this.#body = body;
    }

    forward(x: Tensor): Tensor {
      return this.#body(x, this.inner);
    }
  }
  const onWasm = (): Tensor => input().to(wasm).keep();
  const passing = (): Of =>
    new Of(new Sequential([new Identity(), new ReLU()]), (x, inner) => {
      const t = mul(x, 2);
      return add(inner.call(t), t); // what the Identity within gives is this frame's own
    });

  it("a module may give back what is the caller's: with no stop, with one within, at every place", async () => {
    for (const backend of [wasm, referenceBackend]) {
      const x = input().to(backend).keep();
      const right = passing().call(x);
      const expected = right.toArray();
      right.dispose();
      for (const breakpoints of [["nothing"], ["inner.0"], ["**"]]) {
        const run = steps(passing(), x, { breakpoints });
        for await (const _ of run);
        expect(run.result.toArray(), breakpoints[0]).toEqual(expected);
        run.result.dispose();
      }
      x.dispose();
    }
    expect(wasm.bytesInUse).toBe(0);
  });

  it("a module may give back a tensor that it keeps, which stays its own", async () => {
    const kept = tensor([1, 2, 3], [1, 3]).to(wasm).keep();
    const x = onWasm();
    const model = new Of(new Of(new Identity(), () => kept), (y, inner) => add(inner.call(y), y));
    for (const breakpoints of [["nothing"], ["**"]]) {
      const run = steps(model, x, { breakpoints });
      for await (const _ of run);
      expect([...run.result.toFloat32Array()]).toEqual([2, 0, 3.5]);
      run.result.dispose();
    }
    expect([...kept.toFloat32Array()]).toEqual([1, 2, 3]);
    for (const t of [kept, x]) t.dispose();
    expect(wasm.bytesInUse).toBe(0);
  });

  it("an output may be replaced by the module's own input, or by a value that it named", async () => {
    const skipped = new Of(new ReLU(), (x, inner) => add(inner.call(mul(x, 2)), x));
    const x = onWasm();
    const run = steps(skipped, x, { breakpoints: ["inner"] });
    for await (const step of run) if (step.phase === "after") step.replace(step.inputs[0].tensor);
    expect([...run.result.toFloat32Array()]).toEqual([3, -6, 1.5]);
    run.result.dispose();
    const naming = new Of(
      new Of(new Identity(), (y) => {
        const half = mul(y, 0.5);
        observe("half", () => y); // of a name that comes again the last counts
        observe("half", () => half);
        return mul(half, 4);
      }),
      (y, inner) => add(inner.call(y), y),
    );
    const other = steps(naming, x, { breakpoints: ["inner"] });
    for await (const step of other) if (step.phase === "after") step.replace(step.values[0].tensor);
    expect([...other.result.toFloat32Array()]).toEqual([1.5, -3, 0.75]);
    other.result.dispose();
    x.dispose();
    expect(wasm.bytesInUse).toBe(0);
  });

  it("a parameter may be put in the place of an output, and stays the module's", async () => {
    const model = new Sequential([new Linear(3, 3, { bias: false }), new ReLU()]);
    for (const slot of model.slots())
      replaceTensor(slot, tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3], { backend: wasm }).keep());
    const x = tensor([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3], { backend: wasm }).keep();
    const held = wasm.bytesInUse;
    const run = steps(model, x, { breakpoints: ["0"] });
    for await (const step of run) if (step.phase === "after") step.replace(step.parameters[0].tensor);
    expect([...run.result.toFloat32Array()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    run.result.dispose();
    expect(wasm.bytesInUse).toBe(held);
    const usual = model.call(x);
    expect([...usual.toFloat32Array()]).toEqual([1, 4, 7, 2, 5, 8, 3, 6, 9]);
    usual.dispose();
    model.dispose();
    x.dispose();
  });

  it("an input of a scope around it stays that scope's, through modules that give it back", () => {
    const model = new Sequential([new Identity(), new ReLU()]);
    const before = wasm.bytesInUse;
    const result = withScope(
      () => {
        const x = mul(input().to(wasm), 2);
        const stepper = new Stepper(model as unknown as AnyModule, [x]);
        while (stepper.advance(() => true));
        expect([...x.toFloat32Array()]).toEqual([2, -4, 1]);
        return stepper.result as Tensor;
      },
      (y) => [y.storage],
    );
    expect([...result.toFloat32Array()]).toEqual([2, 0, 1]);
    result.dispose();
    expect(wasm.bytesInUse).toBe(before);
  });

  it("what is named where the run does not stand is not copied; what was replaced is the pause's", async () => {
    const naming = new Of(new ReLU(), (x, inner) => {
      observe("twice", () => mul(x, 2));
      return inner.call(x);
    });
    const x = onWasm();
    const held = wasm.bytesInUse;
    const run = steps(naming, x, { breakpoints: ["inner"] });
    for await (const _ of run);
    run.result.dispose();
    expect(wasm.bytesInUse).toBe(held);
    x.dispose();
    const stepper = new Stepper(naming as unknown as AnyModule, [input()]);
    const pause = stepper.advance((phase, path) => phase === "after" && path === "inner");
    const other = tensor([7, 8, 9], [1, 3]);
    stepper.replace(pause?.key ?? "", other);
    expect(stepper.pause?.output).toBe(other);
    expect(stepper.advance(() => false)).toBeUndefined();
    expect([...(stepper.result as Tensor).toFloat32Array()]).toEqual([7, 8, 9]);
  });

  it("a step that is past, a tensor that was released and a second loop are refused", async () => {
    const x = onWasm();
    let past: Step | undefined;
    const run = steps(passing(), x);
    for await (const step of run) {
      if (step.phase !== "after") continue;
      const gone = input().to(wasm).keep();
      gone.dispose();
      expect(() => step.replace(gone)).toThrow(/memory is held, got one that was released/);
      if (past) expect(() => (past as Step).replace(x)).toThrow(/got one that has gone on/);
      past = step;
    }
    run.result.dispose();
    await expect(run[Symbol.asyncIterator]().next()).rejects.toThrow(/one loop over a run/);
    x.dispose();
    expect(wasm.bytesInUse).toBe(0);
  });

  it("a forward that catches what is thrown is found out, not believed", async () => {
    const careless = new Of(new ReLU(), (x, inner) => {
      try {
        return inner.call(x);
      } catch {
        return mul(x, -100);
      }
    });
    const walked = async (): Promise<void> => {
      for await (const _ of steps(careless, input(), { breakpoints: ["inner"] }));
    };
    await expect(walked()).rejects.toThrow(/steps at inner: expected forwards that let pass what is thrown/);
  });

  it("a model that reads numbers can be walked; what it costs is not known", async () => {
    const reading = new Of(new ReLU(), (x, inner) => mul(inner.call(x), x.toFloat32Array()[0]));
    for await (const step of steps(reading, input())) {
      expect(step.multiplyAdds).toBeNaN();
      if (step.path === "" && step.phase === "after")
        expect([...(step.outputs[0].tensor.toArray() as Float32Array)]).toEqual([1, 0, 0.5]);
    }
  });
});

describe("interruption", () => {
  const slow = (): Sequential =>
    new Sequential([new Sequential(Array.from({ length: 12 }, () => new Slow())), new ReLU()]);

  it("ends a move before a module; what follows has the numbers, the places and the memory of any run", async () => {
    const x = input().to(wasm).keep();
    const held = wasm.bytesInUse;
    const run = steps(slow(), x, { breakpoints: ["0", "1"], interruptible: true });
    const places: string[] = [];
    let timer: NodeJS.Timeout | undefined;
    for await (const step of run) {
      places.push(place(step));
      if (places.length === 1) timer = setTimeout(() => run.interrupt(), 20);
      step.continue();
    }
    clearTimeout(timer);
    const [first, second, ...rest] = places;
    expect(first).toBe("before 0");
    expect(second).toMatch(/^before 0\.[3-9]$/); // after a turn, of 50 ms, and long before the end
    expect(rest).toEqual(["after 0", "before 1", "after 1"]);
    expect([...run.result.toFloat32Array()]).toEqual([4096, 0, 2048]);
    run.result.dispose();
    expect(wasm.bytesInUse).toBe(held);
    x.dispose();
  });

  it("does nothing to a run that stands, nor to one that is not interruptible", async () => {
    for (const interruptible of [true, false]) {
      const run = steps(slow(), input(), { breakpoints: ["1"], interruptible });
      const places: string[] = [];
      const timer = interruptible ? undefined : setTimeout(() => run.interrupt());
      run.interrupt();
      for await (const step of run) {
        places.push(place(step));
        run.interrupt();
      }
      clearTimeout(timer);
      expect(places).toEqual(["before 1", "after 1"]);
      expect([...run.result.toFloat32Array()]).toEqual([4096, 0, 2048]);
    }
  });

  it("arrives where it was led, though turns were taken on the way", async () => {
    const run = steps(slow(), input(), { interruptible: true });
    const places: string[] = [];
    for await (const step of run) {
      places.push(place(step));
      if (step.path === "0.1") step.out();
      else if (step.path === "") step.into();
      else if (step.path === "0" && step.phase === "before") step.until("0.1");
      else step.over();
    }
    expect(places).toEqual(["before ", "before 0", "before 0.1", "after 0", "before 1", "after 1", "after "]);
  });
});

it("an ordinary call within a loop over steps is refused nothing: the run is not under way between steps", async () => {
  const model = small();
  const expected = model.call(input()).toArray();
  for await (const step of steps(model, input())) {
    if (step.path === "seq") expect(model.call(input()).toArray()).toEqual(expected);
  }
  expect(referenceBackend.name).toBe("reference");
});
