/** What passes ask of a graph and do to it: who writes and reads a value, constants as numbers, nodes replaced. */
import type { Strided, TypedArray } from "../backend/backend.ts";
import { HeapStorage, newTypedArray } from "../backend/heap.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { isDense, sizeOf } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Constant } from "./constant.ts";
import { type Graph, mapViews, type Node, type Operation, type Value, type View } from "./graph.ts";
import { isWhole, moveView } from "./views.ts";

/** A convolution or linear layer: sums of products with a weight, and an epilogue. */
export type Product = Node & { readonly operation: Extract<Operation, { op: "conv2d" | "linear" }> };

/** True for conv2d and linear. */
export function isProduct(node: Node | undefined): node is Product {
  return node?.operation.op === "conv2d" || node?.operation.op === "linear";
}

/** True where a product's weight and bias are constants. */
export function hasConstantWeights({ inputs: [, w, bias] }: Product): boolean {
  return w?.value.constant !== undefined && (bias === undefined || bias.value.constant !== undefined);
}

/** True where nothing follows a product's sums. */
export function isBare(node: Product): boolean {
  return node.operation.activation === undefined && node.inputs[3] === undefined;
}

/** Who writes and reads every value of a graph, as it is when this is made. */
export class Uses {
  readonly #graph: Graph;
  readonly #writers = new Map<Value, Node[]>();
  readonly #readers = new Map<Value, Node[]>();
  readonly #place = new Map<Node, number>();
  readonly #outputs: ReadonlySet<Value>;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#outputs = new Set(graph.outputViews().map((view) => view.value));
    graph.nodes.forEach((node, i) => {
      this.#place.set(node, i);
      for (const view of node.inputs) if (view) add(this.#readers, view.value, node);
      for (const view of node.outputs) add(this.#writers, view.value, node);
    });
  }

  /** Position of a node. */
  place(node: Node): number {
    return this.#place.get(node) ?? -1;
  }

  writers(value: Value): readonly Node[] {
    return this.#writers.get(value) ?? [];
  }

  readers(value: Value): readonly Node[] {
    return this.#readers.get(value) ?? [];
  }

  /** True where the value is part of the result. */
  isOutput(value: Value): boolean {
    return this.#outputs.has(value);
  }

  /** The node that alone writes the value, all of it, as its first output; undefined where there is no such node. */
  producer(value: Value): Node | undefined {
    const writers = this.writers(value);
    const [node] = writers;
    if (writers.length !== 1 || node.outputs[0].value !== value || !isWhole(node.outputs[0]))
      return undefined;
    return node.inputs.some((view) => view?.value === value) ? undefined : node;
  }

  /** {@link producer}, where `reader` alone reads what it makes and it makes nothing else. */
  privateProducer(value: Value, reader: Node): Node | undefined {
    const node = this.producer(value);
    if (!node || this.isOutput(value) || node.outputs.length !== 1) return undefined;
    const readers = this.readers(value);
    return readers.length === 1 && readers[0] === reader ? node : undefined;
  }

  /** True where no value that a node reads is written between the node and `later`. */
  canMoveTo(node: Node, later: Node): boolean {
    const [from, to] = [this.place(node), this.place(later)];
    return node.inputs.every(
      (view) => !view || this.writers(view.value).every((w) => this.place(w) <= from || this.place(w) >= to),
    );
  }

  get graph(): Graph {
    return this.#graph;
  }
}

function add(map: Map<Value, Node[]>, value: Value, node: Node): void {
  const list = map.get(value);
  if (!list) map.set(value, [node]);
  else if (list.at(-1) !== node) list.push(node);
}

/** Collects replacements, then makes them: nodes to drop, nodes in the place of others. */
export class Edits {
  readonly #replaced = new Map<Node, readonly Node[]>();
  readonly changes: string[] = [];

  /** True where a node was replaced already: its uses are no longer those that were counted. */
  touches(...nodes: (Node | undefined)[]): boolean {
    return nodes.some((node) => node !== undefined && this.#replaced.has(node));
  }

  replace(node: Node, ...by: readonly Node[]): void {
    this.#replaced.set(node, by);
  }

  apply(graph: Graph): void {
    if (this.#replaced.size === 0) return;
    graph.nodes = graph.nodes.flatMap((node) => this.#replaced.get(node) ?? [node]);
  }
}

/** Runs `sweep` until it changes nothing; gives all its changes. */
export function sweepUntilStable(graph: Graph, sweep: (uses: Uses, edits: Edits) => void): string[] {
  const changes: string[] = [];
  for (;;) {
    const edits = new Edits();
    sweep(new Uses(graph), edits);
    edits.apply(graph);
    if (edits.changes.length === 0) return changes;
    changes.push(...edits.changes);
  }
}

/**
 * Every reader of the value of `from` (whole) reads the places of `to` instead, and so does the result. False, with
 * nothing changed, where a view cannot be moved. `skip` are nodes that go away.
 */
export function redirect(graph: Graph, from: View, to: View, skip: readonly Node[] = []): boolean {
  const moved = new Map<View, View>();
  const collect = (view: View | undefined): boolean => {
    if (!view || view.value !== from.value) return true;
    const there = moveView(view, from, to);
    if (there) moved.set(view, there);
    return there !== undefined;
  };
  const concerned = graph.nodes.filter(
    (node) => !skip.includes(node) && node.inputs.some((view) => view?.value === from.value),
  );
  if (!concerned.every((node) => node.inputs.every(collect))) return false;
  if (!graph.outputViews().every(collect)) return false;
  const swap = (view: View): View => moved.get(view) ?? view;
  const known = new Set(concerned);
  graph.nodes = graph.nodes.map((node) =>
    known.has(node) ? { ...node, inputs: node.inputs.map((view) => view && swap(view)) } : node,
  );
  graph.output = mapViews(graph.output, swap);
  return true;
}

/** A constant view as a tensor on the JavaScript heap: it shares the constant's memory. */
export function constantTensor(view: View): Tensor {
  const storage = new HeapStorage(referenceBackend, knownNumbers(view.value).data);
  return new Tensor(storage, view.shape, view.strides, view.offset);
}

/** The numbers of a constant f32 view, row-major; a copy. */
export function numbersOf(view: View): Float32Array {
  const numbers = new Float32Array(sizeOf(view.shape));
  writeNumbers(view, numbers);
  return numbers;
}

/** Writes the numbers of a constant f32 view, row-major, to `out`, which has as many elements. */
export function writeNumbers(view: View, out: Float32Array): void {
  const { value, shape, strides, offset } = view;
  const constant = knownNumbers(value);
  if (!isDense(shape, strides) || strides.some((s, i) => i > 0 && s > strides[i - 1])) {
    out.set(constantTensor(view).toFloat32Array());
  } else if (out.length === constant.length) constant.writeTo(out);
  else out.set((constant.held ?? madeNow(constant)).subarray(offset, offset + out.length) as Float32Array);
}

/** Numbers that are made for this once, and not kept. */
function madeNow(constant: Constant): TypedArray {
  const data = newTypedArray(constant.dtype, constant.length);
  constant.writeTo(data);
  return data;
}

function knownNumbers({ constant }: Value): Constant {
  if (!constant) throw new Error("compile: a value whose numbers are not known");
  return constant;
}

/** The one number that a constant f32 view consists of, or undefined where it is not constant or holds several. */
export function uniformValue(view: View): number | undefined {
  const { constant, dtype } = view.value;
  if (!constant || dtype !== "f32" || sizeOf(view.shape) === 0) return undefined;
  if (view.shape.some((n, i) => n !== 1 && view.strides[i] !== 0)) return undefined;
  return Number(constant.data[view.offset]);
}

/** A view of a heap tensor for the reference backend. */
export function stridedOf(view: View): Strided {
  return constantTensor(view);
}
