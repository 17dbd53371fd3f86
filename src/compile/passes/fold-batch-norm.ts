/**
 * Batch norm into the convolution before it: w * alpha and bias * alpha + beta, per output channel. Holds where nothing
 * else reads the convolution's result.
 */
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
import { moveView, samePlaces } from "../views.ts";

/** See the file's head. */
export const foldBatchNorm: Pass = {
  name: "batch norm into convolution",
  run: (graph: Graph): string[] =>
    sweepUntilStable(graph, (uses, edits) => {
      for (const node of graph.nodes) {
        if (node.operation.op !== "affineChannels") continue;
        const [x, alpha, beta] = node.inputs as [View, View, View];
        const conv = uses.privateProducer(x.value, node);
        if (conv?.operation.op !== "conv2d" || !isProduct(conv) || edits.touches(conv)) continue;
        if (!isBare(conv) || !hasConstantWeights(conv) || !samePlaces(conv.outputs[0], x)) continue;
        if (!alpha.value.constant || !beta.value.constant || !uses.canMoveTo(conv, node)) continue;
        const out = moveView(conv.outputs[0], x, node.outputs[0]);
        if (!out) continue;
        edits.replace(conv);
        edits.replace(node, scaled(graph, conv, out, numbersOf(alpha), numbersOf(beta)));
        edits.changes.push(node.path);
      }
    }),
};

function scaled(graph: Graph, conv: Product, out: View, alpha: Float32Array, beta: Float32Array): Node {
  const [x, w, bias, residual] = conv.inputs as [View, View, View | undefined, View | undefined];
  const weight = graph.madeConstant(w.shape, (numbers) => {
    writeNumbers(w, numbers);
    const perOutput = numbers.length / alpha.length;
    for (let o = 0; o < alpha.length; o++) {
      const factor = alpha[o];
      for (let i = o * perOutput; i < (o + 1) * perOutput; i++) numbers[i] *= factor;
    }
  });
  const before = bias && numbersOf(bias);
  const after = beta.map((shift, o) => (before?.[o] ?? 0) * alpha[o] + shift);
  const inputs = [x, weight, graph.constant(after, [alpha.length]), residual];
  return { operation: conv.operation, inputs, outputs: [out], path: conv.path };
}
