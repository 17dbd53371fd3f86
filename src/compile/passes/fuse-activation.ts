/** An activation goes into the convolution or linear layer before it, whose kernel applies it to what it stores. */
import type { Activation } from "../../backend/wasm/fused-activation.ts";
import { isBare, isProduct, sweepUntilStable } from "../edit.ts";
import type { Graph, Operation } from "../graph.ts";
import type { Pass } from "../passes.ts";
import { moveView } from "../views.ts";

const ACTIVATIONS: ReadonlySet<string> = new Set<Activation>(["relu", "relu6", "silu", "gelu", "sigmoid"]);

/** See the file's head. */
export const fuseActivation: Pass = {
  name: "activation into producer",
  run: (graph: Graph): string[] =>
    sweepUntilStable(graph, (uses, edits) => {
      for (const node of graph.nodes) {
        const activation = activationOf(node.operation);
        const [x] = node.inputs;
        if (!activation || !x) continue;
        const before = uses.privateProducer(x.value, node);
        if (!isProduct(before) || !isBare(before) || edits.touches(before)) continue;
        const out = moveView(before.outputs[0], x, node.outputs[0]);
        if (!out || !uses.canMoveTo(before, node)) continue;
        edits.replace(before);
        edits.replace(node, { ...before, operation: { ...before.operation, activation }, outputs: [out] });
        edits.changes.push(`${node.path}: ${activation}`);
      }
    }),
};

function activationOf(operation: Operation): Activation | undefined {
  if (operation.op === "unary" && ACTIVATIONS.has(operation.f)) return operation.f as Activation;
  if (operation.op === "clamp" && operation.min === 0) {
    if (operation.max === 6) return "relu6";
    if (operation.max === Number.POSITIVE_INFINITY) return "relu";
  }
  return undefined;
}
