/**
 * Traces: every module's output by its path, as PyTorch's forward hooks see them. Costs nothing when not used.
 *
 * Names: a module that gives a tensor has its path ("model.0.layer3.uib_0"); one that gives a list has ".0", ".1", ...
 * appended; attention has its path for the output and ".weights" for the weights, where they were asked for; the
 * detection head has ".0" for the detections (PyTorch gives a tuple there) and its other results by name.
 */
import { type AnyModule, type Observer, withObserver } from "../nn/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { namedTensors } from "./named-tensors.ts";

/** Receives an output during the run. The tensor is valid until it returns: copy out what should stay. */
export type TraceSink = (path: string, output: Tensor) => void;

/** Options of {@link traceModules}. */
export interface TraceOptions {
  /** Also what modules name within forward (docs/step-through.md), as "PATH.name", before the module's own output. */
  readonly values?: boolean;
}

/** Runs `run` and hands every output of the modules below `model` to `sink`, in the order in which they finish. */
export function traceModules<R>(
  model: AnyModule,
  run: () => R,
  sink: TraceSink,
  { values = false }: TraceOptions = {},
): R {
  const paths = new Map<AnyModule, string[]>(); // a module may hang in several places
  for (const [path, module] of model.namedModules()) {
    if (path !== "") paths.set(module, [...(paths.get(module) ?? []), path]);
  }
  const around: (readonly string[])[] = [];
  const observer: Observer = {
    call: (module, _inputs, proceed) => {
      const at = paths.get(module) ?? [];
      around.push(at);
      const output = proceed();
      around.pop();
      for (const path of at) report(path, output, sink);
      return output;
    },
    value: (name, tensor) => {
      if (values) for (const path of around.at(-1) ?? []) report(`${path}.${name}`, tensor, sink);
    },
  };
  return withObserver(observer, run);
}

/** {@link traceModules} with everything copied to the JavaScript heap, by path. Outputs that are one are copied once. */
export function recordTrace<R>(
  model: AnyModule,
  run: () => R,
): { result: R; trace: Map<string, TracedTensor> } {
  const trace = new Map<string, TracedTensor>();
  let last: { tensor: Tensor; copy: TracedTensor } | undefined; // a container's output is its last child's
  const result = traceModules(model, run, (path, tensor) => {
    if (last?.tensor !== tensor)
      last = { tensor, copy: { shape: tensor.shape, data: tensor.toFloat32Array() } };
    trace.set(path, last.copy);
  });
  return { result, trace };
}

/** A copied output: row-major, in the shape that PyTorch prints. */
export interface TracedTensor {
  readonly shape: readonly number[];
  /** Of its own: it stays valid. */
  readonly data: Float32Array;
}

function report(path: string, output: unknown, sink: TraceSink): void {
  for (const [name, tensor] of namedTensors(path, output)) if (tensor.dtype === "f32") sink(name, tensor);
}
