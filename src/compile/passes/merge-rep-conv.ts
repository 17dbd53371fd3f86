/**
 * Two convolutions of one input whose results are added become one (RepVGG, arXiv 2101.03697): the smaller kernel is put
 * into the middle of the larger one. Holds where both step alike and their kernels are centred on the same pixel.
 */
import type { ConvOptions } from "../../backend/backend.ts";
import { sameShape } from "../../tensor/shape.ts";
import {
  hasConstantWeights,
  isBare,
  isProduct,
  numbersOf,
  type Product,
  sweepUntilStable,
  writeNumbers,
} from "../edit.ts";
import type { Graph, Node, View } from "../graph.ts";
import type { Pass } from "../passes.ts";
import { moveView, samePlaces, sameView } from "../views.ts";

/** See the file's head. */
export const mergeRepConv: Pass = {
  name: "added convolutions into one",
  run: (graph: Graph): string[] =>
    sweepUntilStable(graph, (uses, edits) => {
      for (const node of graph.nodes) {
        if (node.operation.op !== "binary" || node.operation.f !== "add") continue;
        const [left, right] = node.inputs as [View, View];
        if (left.value === right.value) continue;
        const [a, b] = [left, right].map((view) => uses.privateProducer(view.value, node));
        if (!isConv(a) || !isConv(b) || edits.touches(a, b)) continue;
        if (!samePlaces(left, right) || !samePlaces(a.outputs[0], b.outputs[0])) continue;
        const [large, small] = size(a) >= size(b) ? [a, b] : [b, a];
        const out = moveView(large.outputs[0], large === a ? left : right, node.outputs[0]);
        if (!out || !fits(large, small) || !uses.canMoveTo(large, node)) continue;
        edits.replace(large);
        edits.replace(small);
        edits.replace(node, merged(graph, large, small, out));
        edits.changes.push(`${large.path} + ${small.path}`);
      }
    }),
};

type Conv = Product & { readonly operation: { readonly op: "conv2d"; readonly options: ConvOptions } };

function isConv(node: Node | undefined): node is Conv {
  return isProduct(node) && node.operation.op === "conv2d" && isBare(node) && hasConstantWeights(node);
}

function kernelOf(conv: Conv): readonly number[] {
  return conv.inputs[1]?.shape.slice(2) ?? [];
}

function size(conv: Conv): number {
  const [h, w] = kernelOf(conv);
  return h * w;
}

function fits(large: Conv, small: Conv): boolean {
  const [a, b] = [large.operation.options, small.operation.options];
  if (!sameView(large.inputs[0], small.inputs[0]) || a.groups !== b.groups || !sameShape(a.stride, b.stride))
    return false;
  return [0, 1].every((axis) => {
    const [k, l] = [kernelOf(large)[axis], kernelOf(small)[axis]];
    const dilated = l === 1 || a.dilation[axis] === b.dilation[axis];
    const shift = ((k - l) / 2) * a.dilation[axis];
    return k >= l && (k - l) % 2 === 0 && dilated && a.padding[axis] - b.padding[axis] === shift;
  });
}

function merged(graph: Graph, large: Conv, small: Conv, out: View): Node {
  const [x, w, bias] = large.inputs as [View, View, View | undefined];
  const [, v, other] = small.inputs as [View, View, View | undefined];
  const [kh, kw] = kernelOf(large);
  const [lh, lw] = kernelOf(small);
  const [top, left] = [(kh - lh) / 2, (kw - lw) / 2];
  const [most, least] = [kh * kw, lh * lw];
  const places = Array.from({ length: least }, (_, i) => (Math.floor(i / lw) + top) * kw + (i % lw) + left);
  const weight = graph.madeConstant(w.shape, (numbers) => {
    writeNumbers(w, numbers);
    const added = numbersOf(v);
    for (let at = 0, to = 0; at < added.length; at += least, to += most) {
      for (let i = 0; i < least; i++) numbers[to + places[i]] += added[at + i];
    }
  });
  let sum = bias && numbersOf(bias);
  if (other) {
    const second = numbersOf(other);
    sum = sum ? sum.map((value, i) => value + second[i]) : second;
  }
  const inputs = [x, weight, sum && graph.constant(sum, [sum.length])];
  return { operation: large.operation, inputs, outputs: [out], path: large.path };
}
