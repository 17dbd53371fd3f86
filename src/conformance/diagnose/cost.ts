/**
 * What computations cost, counted by doing them on the meta backend, where tensors have shapes alone. For a tensor inside a module
 * only what comes before it counts: nothing else need be done.
 */
import type { Backend } from "../../backend/backend.ts";
import { metaBackend } from "../../backend/meta.ts";
import { withScope } from "../../backend/scope.ts";
import { traceModules } from "../../inspect/trace.ts";
import type { AnyModule, TensorSlot } from "../../nn/index.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { HostTensors } from "../host-tensor.ts";

/**
 * Multiply-adds that `run` does on the meta backend, where tensors have shapes alone; `soFar` tells them on the way. What cannot
 * be run there counts up to where it ends.
 */
export function multiplyAddsOf(run: (soFar: () => number) => unknown): number {
  const before = metaBackend.multiplyAdds;
  const soFar = (): number => metaBackend.multiplyAdds - before;
  try {
    withScope(
      () => run(soFar),
      () => [],
    );
  } catch {
    // It wanted numbers. A measure need not be exact, only always the same.
  }
  return soFar();
}

/** Tensors of these shapes on the meta backend. */
export function withoutNumbers(tensors: HostTensors): ReadonlyMap<string, Tensor> {
  const empty = new Map<string, Tensor>();
  for (const [name, { dtype, shape }] of tensors) {
    empty.set(name, Tensor.empty(metaBackend, shape, dtype === "I64" ? "i64" : "f32"));
  }
  return empty;
}

/** Elements of tensors. */
export function elementsOf(tensors: HostTensors): number {
  let count = 0;
  for (const { data } of tensors.values()) count += data.length;
  return count;
}

/** A run of a module up to where one tensor comes by for the last time, or whole where it never does. */
export interface Prefix {
  readonly multiplyAdds: number;
  /** How often the tensor comes by. */
  readonly times: number;
  /** The parameters that are read, by name, and their elements. */
  readonly read: ReadonlyMap<string, number>;
}

/** A computation by a module. */
export interface ModuleRun {
  /** The module with shapes alone. */
  readonly build: () => AnyModule;
  /** Calls it; `backend` is where modules without inputs make their results. */
  readonly call: (module: AnyModule, inputs: ReadonlyMap<string, Tensor>, backend: Backend) => unknown;
  readonly inputs: HostTensors;
}

/** What a run has to do up to the tensor of a trace's name, found on shapes alone. A module that cannot be built does nothing. */
export function prefixOf({ build, call, inputs }: ModuleRun, wanted: string): Prefix {
  let [times, until] = [0, 0];
  let read = new Map<string, number>();
  const all = multiplyAddsOf((soFar) => {
    const root = build();
    read = sizes(root.slots());
    const [begun, ended] = [new Set<AnyModule>(), new Set<AnyModule>()];
    for (const [, module] of root.namedModules()) {
      module.registerForwardPreHook(() => void begun.add(module));
      module.registerForwardHook(() => void ended.add(module));
    }
    const run = (): unknown => call(root, withoutNumbers(inputs), metaBackend);
    traceModules(root, run, (path) => {
      if (path !== wanted) return;
      [times, until] = [times + 1, soFar()];
      read = sizes(readBy(root, begun, ended));
    });
  });
  return { multiplyAdds: times > 0 ? until : all, times, read };
}

function sizes(slots: Iterable<TensorSlot>): Map<string, number> {
  return new Map([...slots].map(({ name, tensor }) => [name, tensor.size]));
}

/** Parameters that may have been read: own ones of a module that has begun, and all within one that has ended. */
function* readBy(
  module: AnyModule,
  begun: ReadonlySet<AnyModule>,
  ended: ReadonlySet<AnyModule>,
  path = "",
): Generator<TensorSlot> {
  for (const slot of module.slots(path)) {
    if (ended.has(module) || (slot.owner === module && begun.has(module))) yield slot;
  }
  if (ended.has(module)) return;
  for (const [name, child] of module.namedChildren()) {
    yield* readBy(child, begun, ended, path === "" ? name : `${path}.${name}`);
  }
}
