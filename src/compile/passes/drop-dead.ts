/** Drops operations whose results nobody reads: unused heads, maps that only training looks at. */
import type { Graph, Node, Value } from "../graph.ts";
import type { Pass } from "../passes.ts";

/** See the file's head. */
export const dropDead: Pass = {
  name: "drop dead operations",
  run(graph: Graph): string[] {
    const needed = new Set<Value>(graph.outputViews().map((view) => view.value));
    const kept: Node[] = [];
    const changes: string[] = [];
    for (const node of graph.nodes.toReversed()) {
      if (node.outputs.some((view) => needed.has(view.value))) {
        for (const view of node.inputs) if (view) needed.add(view.value);
        kept.push(node);
      } else changes.push(`${node.path}: ${node.operation.op}`);
    }
    graph.nodes = kept.reverse();
    return changes;
  },
};
