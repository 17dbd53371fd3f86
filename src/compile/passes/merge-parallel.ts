/**
 * Convolutions of the same kind, or linear layers, that read the same input become one with all their outputs: one matrix
 * product reads the input once and has work for more threads. Their readers see slices of its result.
 */
import { sameShape, sizeOf } from "../../tensor/shape.ts";
import {
  hasConstantWeights,
  isProduct,
  numbersOf,
  type Product,
  redirect,
  Uses,
  writeNumbers,
} from "../edit.ts";
import type { Graph, Node, Operation, View } from "../graph.ts";
import type { Pass } from "../passes.ts";
import { isWhole, sameView } from "../views.ts";

/** Operators that read rows or pixels with others between them as fast as if there were none. */
const READS_SLICES: ReadonlySet<Operation["op"]> = new Set<Operation["op"]>([
  "conv2d",
  "linear",
  "matmul",
  "binary",
  "copy",
  "interpolate",
]);

/** See the file's head. */
export const mergeParallel: Pass = {
  name: "parallel products into one",
  run(graph: Graph): string[] {
    const changes: string[] = [];
    for (let found = true; found; ) {
      found = false;
      const uses = new Uses(graph);
      for (const first of graph.nodes) {
        if (!isProduct(first)) continue;
        const readers = uses.readers((first.inputs[0] as View).value);
        if (readers.length < 2 || !isCandidate(uses, first)) continue;
        const twins = readers.filter(
          (other): other is Product => isCandidate(uses, other) && areAlike(first, other),
        );
        if (twins.length < 2 || twins[0] !== first || !uses.canMoveTo(first, twins[twins.length - 1]))
          continue;
        merge(graph, twins);
        changes.push(twins.map((node) => node.path).join(" + "));
        found = true;
        break;
      }
    }
    return changes;
  },
};

function isCandidate(uses: Uses, node: Node): node is Product {
  if (!isProduct(node) || node.inputs[3] || !hasConstantWeights(node)) return false;
  const { operation, outputs } = node;
  if (operation.op === "conv2d" && (operation.options.groups !== 1 || outputs[0].strides[1] !== 1))
    return false;
  const { value } = outputs[0];
  if (uses.producer(value) !== node || uses.isOutput(value) || !isWhole(outputs[0])) return false;
  return uses.readers(value).every((reader) => READS_SLICES.has(reader.operation.op));
}

function areAlike(a: Product, b: Product): boolean {
  const [p, q] = [a.operation, b.operation];
  if (p.op !== q.op || p.activation !== q.activation || !sameView(a.inputs[0], b.inputs[0])) return false;
  if (p.op === "conv2d" && q.op === "conv2d") {
    const alike = (["stride", "padding", "dilation"] as const).every((of) =>
      sameShape(p.options[of], q.options[of]),
    );
    return alike && sameShape((a.inputs[1] as View).shape.slice(1), (b.inputs[1] as View).shape.slice(1));
  }
  return true;
}

function merge(graph: Graph, twins: readonly Product[]): void {
  const [first] = twins;
  const counts = twins.map((node) => (node.inputs[1] as View).shape[0]);
  const total = counts.reduce((sum, n) => sum + n, 0);
  const weights = twins.map((node) => node.inputs[1] as View);
  const bias = twins.some((node) => node.inputs[2]) ? new Float32Array(total) : undefined;
  const axis = first.operation.op === "conv2d" ? 1 : first.outputs[0].shape.length - 1;
  const { shape, strides } = first.outputs[0];
  // Everything but the outputs' axis lies as before, farther apart.
  const merged: View = {
    value: graph.value("f32", (first.outputs[0].value.length / counts[0]) * total),
    shape: shape.map((n, i) => (i === axis ? total : n)),
    strides: strides.map((s, i) => (i === axis ? s : (s / counts[0]) * total)),
    offset: 0,
  };
  let offset = 0;
  twins.forEach((node, i) => {
    const b = node.inputs[2];
    if (bias && b) bias.set(numbersOf(b), offset);
    const slice: View = { ...merged, shape: node.outputs[0].shape, offset };
    if (!redirect(graph, node.outputs[0], slice)) throw new Error("compile: a view that a slice cannot show");
    offset += counts[i];
  });
  const weight = graph.madeConstant([total, ...weights[0].shape.slice(1)], (numbers) => {
    let at = 0;
    for (const w of weights) {
      const to = at + sizeOf(w.shape);
      writeNumbers(w, numbers.subarray(at, to));
      at = to;
    }
  });
  const inputs = [first.inputs[0], weight, bias && graph.constant(bias, [total])];
  const node: Node = { ...first, inputs, outputs: [merged] };
  const gone = new Set(twins.map((twin) => twin.outputs[0]));
  graph.nodes = graph.nodes.flatMap((other) => {
    if (other.outputs[0] === first.outputs[0]) return [node];
    return gone.has(other.outputs[0]) ? [] : [other];
  });
}
