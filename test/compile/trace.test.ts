/** From forward to graph. */
import { afterAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { multiplyAddsOf, totalMultiplyAdds } from "../../src/compile/graph.ts";
import { compile, traceGraph } from "../../src/compile/index.ts";
import { Conv2d, Linear, ReLU, Sequential } from "../../src/nn/index.ts";
import { add, cat, mul, relu, topk } from "../../src/ops/index.ts";
import { tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { fill, input, Net, numbers } from "./harness.ts";

const backend = createWasmBackend();
afterAll(() => backend.close());

const conv = (): Sequential => new Sequential({ conv: new Conv2d(3, 8, 3), act: new ReLU() });

describe("traceGraph", () => {
  it("prints a line an operation with the path of the module that made it", () => {
    const graph = traceGraph(fill(conv(), backend), [1, 3, 8, 8]);
    expect(graph.toString()).toBe(
      [
        "inputs %2 [1, 3, 8, 8]",
        "conv  conv2d(stride 1,1, padding 0,0, dilation 1,1, groups 1) %2 [1, 3, 8, 8], $conv.weight [8, 3, 3, 3], $conv.bias [8] -> %3 [1, 8, 6, 6]",
        "act   unary(relu) %3 [1, 8, 6, 6] -> %4 [1, 8, 6, 6]",
        "outputs %4 [1, 8, 6, 6]",
        "",
      ].join("\n"),
    );
    expect(graph.toDot()).toMatch(/^digraph plan \{.*n0 -> n1.*n1 -> out.*\}\n$/s);
    expect(totalMultiplyAdds(graph)).toBe(36 * 8 * 27);
    expect(multiplyAddsOf(graph.nodes[1])).toBe(0);
  });

  it("leaves the model, its parameters and its hooks as they were, after an error too", () => {
    const model = fill(conv(), backend);
    const before = [...model.namedTensors()].map(([, t]) => t);
    const x = input([1, 3, 8, 8], backend);
    const expected = numbers(model.call(x));
    traceGraph(model, [1, 3, 8, 8]);
    expect(() => traceGraph(model, [1, 4, 8, 8])).toThrow(/conv2d/);
    expect([...model.namedTensors()].map(([, t]) => t)).toEqual(before);
    expect(numbers(model.call(x))).toEqual(expected);
  });

  it("keeps the numbers that forward makes, and the structure of what it returns", () => {
    const net = new Net({}, (_, x) => ({
      sum: add(x, tensor([1, 2, 3]).to(x.backend)),
      list: [mul(x, 2), x],
      size: 7,
    }));
    const plan = compile(net, { shape: [2, 3], backend });
    const out = plan.run(tensor([1, 1, 1, 0, 0, 0], [2, 3])) as { sum: Tensor; list: Tensor[]; size: number };
    expect([...out.sum.toArray()]).toEqual([2, 3, 4, 1, 2, 3]);
    expect([...out.list[0].toArray()]).toEqual([2, 2, 2, 0, 0, 0]);
    expect([...out.list[1].toArray()]).toEqual([1, 1, 1, 0, 0, 0]);
    expect(out.size).toBe(7);
    plan.dispose();
  });

  it("refuses a forward that reads numbers which it computed", () => {
    const net = new Net({}, (_, x) => (relu(x).toArray()[0] > 0 ? x : mul(x, 2)));
    expect(() => compile(net, { shape: [2, 3], backend })).toThrow(
      /expected a forward that depends on shapes alone/,
    );
  });

  it("refuses parameters without numbers where they are used, and only there", () => {
    const net = new Net({ used: new Linear(3, 3), never: new Linear(3, 3) }, ({ used }, x) => used.call(x));
    expect(() => compile(net, { shape: [2, 3], backend })).toThrow(
      /m\.used: linear: expected tensors that have numbers.*load weights first/,
    );
    const full = fill(new Linear(3, 3), backend);
    const partly = new Net({ used: full, never: new Linear(3, 3) }, ({ used }, x) => used.call(x));
    compile(partly, { shape: [2, 3], backend }).dispose();
  });
});

describe("Plan", () => {
  it("refuses another shape, and a run after dispose", () => {
    const model = fill(conv(), backend);
    const plan = compile(model, { shape: [1, 3, 8, 8], backend });
    expect(() => plan.run(input([1, 3, 8, 9], backend))).toThrow(/shape \[1, 3, 8, 8\].*\[1, 3, 8, 9\]/);
    const out = plan.output;
    plan.dispose();
    plan.dispose();
    expect(() => plan.execute()).toThrow(/disposed/);
    expect(() => relu(out)).toThrow(/released/);
  });

  it("outlives the model's weights and takes inputs of any layout and backend", () => {
    const model = fill(conv(), backend);
    const x = input([1, 3, 8, 8], backend);
    const expected = numbers(model.call(x))[0];
    const plan = compile(model, { shape: [1, 3, 8, 8], backend });
    model.dispose();
    const variants = [x, x.contiguous("channels_last"), tensor(x.toFloat32Array(), x.shape)];
    for (const variant of variants) expect(numbers(plan.run(variant))[0]).toEqual(expected);
    (plan.input.storage.data as Float32Array).set(x.toFloat32Array());
    expect(numbers(plan.execute())[0]).toEqual(expected);
    plan.dispose();
  });

  it("takes a model whose weights are on the JavaScript heap", () => {
    const model = fill(conv(), backend);
    const x = input([1, 3, 8, 8], backend);
    const expected = numbers(model.call(x))[0];
    const plan = compile(model.to(referenceBackend), { shape: [1, 3, 8, 8], backend });
    expect(numbers(plan.run(x))[0]).toEqual(expected);
    plan.dispose();
  });

  it("runs what has no kernel, on integers too", () => {
    const net = new Net({}, (_, x) => {
      const { values, indices } = topk(x, 2, 1);
      return { values, indices: cat([indices, indices], 1) };
    });
    const plan = compile(net, { shape: [2, 4], backend });
    const out = plan.run(tensor([3, 1, 2, 0, 0, 5, 7, 6], [2, 4])) as { values: Tensor; indices: Tensor };
    expect([...out.values.toArray()]).toEqual([3, 2, 7, 6]);
    expect([...out.indices.toArray()]).toEqual([0, 2, 0, 2, 2, 3, 2, 3]);
    plan.dispose();
  });

  it("times every step and explains every pass", () => {
    const plan = compile(fill(conv(), backend), { shape: [1, 3, 8, 8], backend });
    const steps = plan.profile(3);
    expect(steps.length).toBe(plan.steps.length);
    expect(steps.reduce((sum, step) => sum + step.multiplyAdds, 0)).toBe(36 * 8 * 27);
    expect(steps.some((step) => step.path === "conv" && step.gflops > 0)).toBe(true);
    expect(plan.explain()).toMatch(/activation into producer +1 /);
    expect(plan.bytes.total).toBe(plan.bytes.area + plan.bytes.constants);
    plan.dispose();
  });
});
