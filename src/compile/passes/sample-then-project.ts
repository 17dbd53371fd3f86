/**
 * Deformable attention reads a few samples of a projection of many tokens: it is cheaper to sample the tokens and to
 * project the samples. Bilinear samples are sums, so that both orders are the same numbers, but for the bias: a sample
 * outside the map is 0 and has none; `projected-sampling.ts` tells how that is kept.
 */
import { sizeOf } from "../../tensor/shape.ts";
import { Uses } from "../edit.ts";
import type { Graph, Node, Value, View } from "../graph.ts";
import type { Pass } from "../passes.ts";
import {
  canWiden,
  matchSampling,
  ONES,
  projectionOf,
  SAMPLE_TAPS,
  SAMPLING_COST,
  sampleAndProject,
  withOnes,
} from "../projected-sampling.ts";

/** See the file's head. */
export const sampleThenProject: Pass = {
  name: "sample, then project",
  run(graph: Graph): string[] {
    const changes: string[] = [];
    const widened = new Map<Value, View>(); // values that have their ones
    for (let found = true; found; ) {
      found = false;
      const uses = new Uses(graph);
      for (const node of graph.nodes) {
        const change = rewrite(graph, uses, node, widened);
        if (!change) continue;
        changes.push(change);
        found = true;
        break;
      }
    }
    return changes;
  },
};

function rewrite(graph: Graph, uses: Uses, node: Node, widened: Map<Value, View>): string | undefined {
  const of = matchSampling(uses, node);
  if (!of) return undefined;
  const { projection, tokens, weights, heads, perHead, queries } = of;
  const [n, s, d] = tokens.shape;
  const width = heads * perHead;
  const before = n * s * width * d;
  const after = (SAMPLING_COST * SAMPLE_TAPS * sizeOf(weights.shape) + n * queries * width) * (d + ONES);
  if (after >= before || !canWiden(graph, uses, tokens, widened)) return undefined;
  const source = withOnes(graph, uses, tokens, widened);
  const [out] = node.outputs;
  const nodes = sampleAndProject(graph, of, source, of, projectionOf(projection), out);
  const gone = projection.outputs[0];
  graph.nodes = graph.nodes.flatMap((other) => {
    if (other.outputs[0] === gone) return [];
    return other.outputs[0] === out ? nodes : [other];
  });
  return `${node.path}: ${n * s} tokens of ${projection.path} not projected`;
}
