/** Every layer against PyTorch: what it prints, what it holds, what it computes from inputs in any layout. */
import { afterAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { metaBackend } from "../../src/backend/meta.ts";
import {
  type AnyModule,
  loadStateDict,
  type Module,
  replaceTensor,
  stateSourceOf,
} from "../../src/nn/index.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { openBackends } from "../backends.ts";
import { deviation } from "../close.ts";
import { LAYERS } from "../tolerances.ts";
import { build, LAYER_CASES, type LayerCase } from "./layer-golden.ts";
import { LAYOUTS, type Layout } from "./layouts.ts";

describe("a layer equals PyTorch's", () => {
  it.each(LAYER_CASES)("in repr, byte for byte: $title", ({ spec, repr }) => {
    expect(String(build(spec))).toBe(repr);
  });

  it.each(LAYER_CASES)("in names, order, types and shapes of its state dict: $title", ({ spec, state }) => {
    const about = (tensors: Iterable<[string, Tensor]>): unknown[] =>
      [...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape]);
    expect(about(build(spec).stateDict())).toEqual(about(state));
  });
});

const backends = openBackends();
const called = LAYER_CASES.filter(({ outputs }) => outputs.length > 0);
const rowMajor = LAYOUTS["row-major"];
afterAll(async () => {
  for (const { close } of backends) await close();
});

describe.each(backends)(
  "on $name, a layer computes what PyTorch's does, within its tolerance",
  ({ backend }) => {
    for (const [layout, arrange] of Object.entries(LAYOUTS)) {
      it.each(called.filter((golden) => fits(golden, arrange)))(`inputs ${layout}: $title`, (golden) => {
        const layer = build(golden.spec);
        loadStateDict(layer, stateSourceOf(golden.state), { backend });
        expectOutputs(run(layer, golden, arrange, backend), golden);
        layer.dispose();
      });
    }

    const weighted = called.filter(({ state }) => state.size > 0);
    it.each(weighted)("weights with gaps: $title", (golden) => {
      const layer = build(golden.spec);
      const arrange = LAYOUTS["every second element of larger memory"];
      for (const slot of layer.slots()) {
        const value = golden.state.get(slot.name)!;
        replaceTensor(slot, (arrange(value, backend) ?? rowMajor(value, backend))!);
      }
      expectOutputs(run(layer, golden, rowMajor, backend), golden);
      layer.dispose();
    });
  },
);

it.each(called)("on the meta backend, a layer gives the shapes of PyTorch's outputs: $title", (golden) => {
  const shapes = run(build(golden.spec), golden, (x) => x.to(metaBackend), metaBackend).map((y) => y?.shape);
  expect(shapes).toEqual(golden.outputs.map((y) => y?.shape));
});

it.each(called)("one thread and two give the same bits: $title", (golden) => {
  const [one, two] = backends.slice(1).map(({ backend }) => {
    const layer = build(golden.spec);
    loadStateDict(layer, stateSourceOf(golden.state), { backend });
    return run(layer, golden, rowMajor, backend).map((output) => output && bytesOf(output));
  });
  expect(two).toEqual(one);
});

function bytesOf(x: Tensor): Uint8Array {
  return new Uint8Array(x.toArray().buffer);
}

/** The outputs of one call, its tensors laid out on a backend. */
function run(layer: AnyModule, golden: LayerCase, arrange: Layout, backend: Backend): (Tensor | undefined)[] {
  const place = (x: Tensor): Tensor => arrange(x, backend) ?? x.to(backend);
  const inputs: unknown[] = golden.inputs.map(place);
  const options = Object.entries(golden.options).map(([k, v]) => [k, v instanceof Tensor ? place(v) : v]);
  if (options.length > 0) inputs.push(Object.fromEntries(options));
  const result = (layer as unknown as Module<unknown[], unknown>).call(...inputs);
  if (result instanceof Tensor) return [result];
  const { output, weights } = result as { output: Tensor; weights?: Tensor };
  return [output, weights];
}

/** Layouts that no input has would run the same call twice. */
function fits({ inputs }: LayerCase, arrange: Layout): boolean {
  return inputs.some((x) => arrange(x, x.backend) !== undefined);
}

function expectOutputs(outputs: readonly (Tensor | undefined)[], golden: LayerCase): void {
  expect(outputs.length).toBe(golden.outputs.length);
  outputs.forEach((output, i) => {
    const expected = golden.outputs[i];
    if (!output || !expected) {
      expect(output).toBe(expected);
      return;
    }
    expect(output.shape).toEqual(expected.shape);
    const found = deviation(output.toArray(), expected.toArray(), LAYERS[golden.spec.class]);
    expect(found.failure, `output ${i}: max abs ${found.maxAbs}, max rel ${found.maxRel}`).toBe("");
  });
}
