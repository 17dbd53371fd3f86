/**
 * Batch norm into the convolution before it: w * alpha and bias * alpha + beta, per output channel. Holds where nothing
 * else reads the convolution's result.
 */
import {
  hasConstantWeights,
  isBare,
  isProduct,
  numbersOf,
  numbersToChange,
  type Product,
  sweepUntilStable,
  type Uses,
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
        edits.replace(node, scaled(graph, uses, conv, out, numbersOf(alpha), numbersOf(beta), conv.path));
        edits.changes.push(node.path);
      }
    }),
};

function scaled(
  graph: Graph,
  uses: Uses,
  conv: Product,
  out: View,
  alpha: Float32Array,
  beta: Float32Array,
  path: string,
): Node {
  const [x, w, bias, residual] = conv.inputs as [View, View, View | undefined, View | undefined];
  const weight = numbersToChange(uses, w);
  const before = bias && numbersOf(bias);
  const perOutput = weight.length / alpha.length;
  const after = new Float32Array(alpha.length);
  for (let o = 0; o < alpha.length; o++) {
    after[o] = (before?.[o] ?? 0) * alpha[o] + beta[o];
    for (let i = o * perOutput; i < (o + 1) * perOutput; i++) weight[i] *= alpha[o];
  }
  const inputs = [x, graph.constant(weight, w.shape), graph.constant(after, [alpha.length]), residual];
  return { operation: conv.operation, inputs, outputs: [out], path };
}
