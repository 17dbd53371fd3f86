/** Small networks for the compiler's tests, filled with seeded weights, and a plan's result beside eager's. */
import { expect } from "vitest";
import type { WasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import type { Node, Operation } from "../../src/compile/graph.ts";
import { compile, type Pass, type Plan } from "../../src/compile/index.ts";
import { type AnyModule, Module } from "../../src/nn/index.ts";
import { replaceTensor, storagesOf } from "../../src/nn/module.ts";
import { tensor } from "../../src/tensor/create.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { randomUniform } from "../../src/weights/generator.ts";
import { seededTensor } from "../../src/weights/seeded-state.ts";

type Parts = Record<string, AnyModule>;

/** A network of named parts and a function; its state-dict names begin with "m.". */
export class Net<P extends Parts> extends Module<[Tensor], unknown> {
  readonly m: AnyModule;
  readonly #parts: P;
  readonly #run: (parts: P, x: Tensor) => unknown;

  constructor(parts: P, run: (parts: P, x: Tensor) => unknown) {
    super();
    class Holder extends Module {
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    this.m = Object.assign(new Holder(), parts) as unknown as AnyModule;
    this.#parts = parts;
    this.#run = run;
  }

  forward(x: Tensor): unknown {
    return this.#run(this.#parts, x);
  }
}

/** Seeded weights for every parameter, on a backend. */
export function fill<M extends AnyModule>(model: M, backend: WasmBackend): M {
  const slots = [...model.slots()];
  const named = (name: string): string => (name.includes(".") ? name : `m.${name}`);
  const names = new Set(slots.map((slot) => named(slot.name)));
  for (const slot of slots) {
    if (slot.tensor.dtype !== "f32") continue;
    const data = seededTensor(named(slot.name), slot.tensor.shape, {
      has: (name) => names.has(name),
      seed: 5,
    });
    replaceTensor(slot, tensor(data, slot.tensor.shape, { backend }));
  }
  return model;
}

/** Repeatable numbers in [-1, 1). */
export function input(shape: readonly number[], backend: WasmBackend): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    randomUniform(9, "input", size).map((v) => 2 * v - 1),
    shape,
    { backend },
  ).keep();
}

/** All tensors of a result, row-major. */
export function numbers(result: unknown): Float32Array[] {
  if (result instanceof Tensor) return [result.toFloat32Array()];
  return Object.values(result as object).flatMap(numbers);
}

/** What {@link tryPasses} found. */
export interface Tried {
  readonly plan: Plan;
  readonly changes: readonly (readonly string[])[];
  readonly saved: number;
  /** Greatest difference to eager, and eager's greatest number. */
  readonly difference: number;
  readonly scale: number;
  /** The graph's operations of a kind. */
  ops(op: Operation["op"]): Node[];
}

/** Rounding of sums of up to a few thousand products, relative to the greatest output. */
export const ROUNDING = 1e-5;

/**
 * Compiles a network with the given passes and compares it with its eager run: the results agree to {@link ROUNDING}.
 * Nothing stays allocated.
 */
export function tryPasses(
  model: AnyModule,
  shape: readonly number[],
  passes: readonly Pass[],
  backend: WasmBackend,
): Tried {
  const inUse = backend.bytesInUse;
  fill(model, backend);
  const x = input(shape, backend);
  const net = model as unknown as Module<[Tensor], unknown>;
  const eager = net.call(x);
  const expected = numbers(eager);
  for (const storage of storagesOf(eager)) storage.release();
  const plan = compile(net, { shape, backend, passes, exact: true });
  const actual = numbers(plan.run(x));
  const again = numbers(plan.run(x));
  let difference = 0;
  let scale = 0;
  expect(actual.length).toBe(expected.length);
  expected.forEach((list, i) => {
    expect(actual[i].length).toBe(list.length);
    expect(again[i]).toEqual(actual[i]);
    list.forEach((value, j) => {
      const apart = Math.abs(actual[i][j] - value);
      if (!(apart <= difference)) difference = apart;
      scale = Math.max(scale, Math.abs(value));
    });
  });
  expect(difference / scale).toBeLessThan(ROUNDING);
  plan.dispose();
  model.dispose();
  x.dispose();
  expect(backend.bytesInUse).toBe(inUse);
  return {
    plan,
    changes: plan.reports.map((report) => report.changes),
    saved: plan.reports.reduce((sum, report) => sum + report.saved, 0),
    difference,
    scale,
    ops: (op) => plan.graph.nodes.filter((node) => node.operation.op === op),
  };
}
