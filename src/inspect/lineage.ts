/**
 * Where numbers come from: the calls of a run and the operators that ran in them, recorded on shapes alone. Modules tell what
 * went in and out; what is computed between modules (a sum, a cut, the choice of queries) is told by the operators.
 */
import type { Pair } from "../backend/backend.ts";
import type { Operation, Value, View } from "../compile/graph.ts";
import { type Compilable, tracedView, traceGraph } from "../compile/trace.ts";
import { type AnyModule, modulePaths, type Observer } from "../nn/index.ts";
import { namedTensors } from "./named-tensors.ts";

/** A tensor of the run: a run of memory by its number, in a shape. Several tensors may be views of one memory. */
export interface LineageTensor {
  readonly value: number;
  readonly shape: readonly number[];
}

/** One operator. */
export interface LineageNode {
  /** "conv2d", "binary add", "topk", ... */
  readonly name: string;
  /** Number of the innermost call that it runs in. */
  readonly call: number;
  /** Without parameters and other constants. */
  readonly inputs: readonly LineageTensor[];
  readonly outputs: readonly LineageTensor[];
  /** Rows and columns that an output cell reads, where the operator slides a window over a map. */
  readonly window?: Window;
}

/** The window of a convolution or a pooling, (rows, columns) each; `scale` of an upsampling: output cells an input cell. */
export interface Window {
  readonly size: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly scale: Pair;
}

/** One call of a module, in the order in which calls begin: its number is its place. */
export interface LineageCall {
  readonly path: string;
  readonly kind: string;
  /** Number of the call around it; -1 of the model's own. */
  readonly parent: number;
  /** Nodes that ran in it: [first, end). */
  readonly first: number;
  readonly end: number;
  readonly inputs: readonly LineageTensor[];
  readonly outputs: readonly LineageTensor[];
}

/** A run's calls and operators: plain data, which may travel between threads. */
export interface Lineage {
  readonly input: LineageTensor;
  readonly calls: readonly LineageCall[];
  readonly nodes: readonly LineageNode[];
}

/**
 * Traces `model.call(x)` for an input of a shape, [N, 3, H, W]. No arithmetic is done, and the model is as before afterwards. A forward
 * that reads computed numbers cannot be traced: its error.
 */
export function lineageOf(model: AnyModule, shape: readonly number[]): Lineage {
  const calls: LineageCall[] = [];
  const graph = traceGraph(model as unknown as Compilable, shape, {
    watch: ({ nodes }) => callsInto(calls, model, () => nodes.length),
  });
  const owners = new Int32Array(graph.nodes.length);
  for (const [n, { first, end }] of calls.entries()) owners.fill(n, first, end); // a call within another has the greater number
  const views = (list: readonly (View | undefined)[]): LineageTensor[] =>
    list.flatMap((view) => (view && !view.value.constant ? [tensorOf(view)] : []));
  const nodes = graph.nodes.map(({ operation, inputs, outputs }, i) => ({
    name: nameOf(operation),
    call: owners[i],
    inputs: views(inputs),
    outputs: views(outputs),
    window: windowOf(operation, inputs, outputs[0]),
  }));
  return { input: tensorOf(graph.inputs[0]), calls, nodes };
}

/** Adds every call to `calls`; `nodes` counts the operators that have run. */
function callsInto(calls: LineageCall[], model: AnyModule, nodes: () => number): Observer {
  const paths = modulePaths(model);
  const around: number[] = [];
  return {
    call: (module, inputs, proceed) => {
      const n = calls.length;
      const call = {
        path: paths.get(module) ?? module.kind,
        kind: module.kind,
        parent: around.at(-1) ?? -1,
        first: nodes(),
        end: nodes(),
        inputs: tensorsIn(inputs),
        outputs: [] as LineageTensor[],
      };
      calls.push(call);
      around.push(n);
      const output = proceed();
      around.pop();
      call.end = nodes();
      call.outputs = tensorsIn(output);
      return output;
    },
    value: () => {},
  };
}

function tensorsIn(result: unknown): LineageTensor[] {
  return [...namedTensors("", result)].flatMap(([, tensor]) => {
    const view = tracedView(tensor);
    return view ? [tensorOf(view)] : [];
  });
}

function tensorOf({ value, shape }: { value: Value; shape: readonly number[] }): LineageTensor {
  return { value: value.id, shape };
}

function nameOf(operation: Operation): string {
  return "f" in operation ? `${operation.op} ${operation.f}` : operation.op;
}

function windowOf(
  operation: Operation,
  [x, weight]: readonly (View | undefined)[],
  y: View,
): Window | undefined {
  const one: Pair = [1, 1];
  if (operation.op === "conv2d") {
    const { stride, padding, dilation } = operation.options;
    const [height, width] = (weight as View).shape.slice(2);
    return { size: [height, width], stride, padding, dilation, scale: one };
  }
  if (operation.op === "pool2d") {
    const { kernel, stride, padding, dilation } = operation.options;
    return { size: kernel, stride, padding, dilation, scale: one };
  }
  if (operation.op === "interpolate" && operation.options.mode === "nearest") {
    const [height, width] = (x as View).shape.slice(2);
    const scale: Pair = [y.shape[2] / height, y.shape[3] / width];
    return { size: one, stride: one, padding: [0, 0], dilation: one, scale };
  }
  return undefined;
}
