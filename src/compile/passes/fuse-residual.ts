/** A sum with something else goes into the convolution or linear layer that made one of its sides. */
import { isProduct, sweepUntilStable } from "../edit.ts";
import type { Graph, View } from "../graph.ts";
import type { Pass } from "../passes.ts";
import { moveView } from "../views.ts";

/** See the file's head. */
export const fuseResidual: Pass = {
  name: "residual sum into producer",
  run: (graph: Graph): string[] =>
    sweepUntilStable(graph, (uses, edits) => {
      for (const node of graph.nodes) {
        if (node.operation.op !== "binary" || node.operation.f !== "add") continue;
        const [a, b] = node.inputs as [View, View];
        // The side that was made last: the other one is then older than the convolution, and stays in cache.
        const sides = [
          { from: a, other: b },
          { from: b, other: a },
        ]
          .map((side) => ({ ...side, before: uses.privateProducer(side.from.value, node) }))
          .sort((p, q) => (q.before ? uses.place(q.before) : -1) - (p.before ? uses.place(p.before) : -1));
        for (const { from, other, before } of sides) {
          if (!isProduct(before) || before.inputs[3] || edits.touches(before)) continue;
          if (other.value === from.value || !uses.canMoveTo(before, node)) continue;
          const out = moveView(before.outputs[0], from, node.outputs[0]);
          const residual = moveView(before.outputs[0], from, other);
          if (!out || !residual) continue;
          const [x, w, bias] = before.inputs;
          edits.replace(before);
          edits.replace(node, { ...before, inputs: [x, w, bias, residual], outputs: [out] });
          edits.changes.push(`${node.path}: into ${before.path}`);
          break;
        }
      }
    }),
};
