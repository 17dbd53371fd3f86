/**
 * Computes what depends on constants alone when the plan is made: position tables, anchors, numbers that were filled in,
 * weights put together. In double precision, rounded once, as the reference backend does.
 */
import { newTypedArray } from "../../backend/heap.ts";
import { referenceBackend } from "../../backend/reference/reference.ts";
import { applyNode } from "../apply.ts";
import { Constant } from "../constant.ts";
import { stridedOf, Uses } from "../edit.ts";
import type { Graph, Node, Value } from "../graph.ts";
import type { Pass } from "../passes.ts";

/** See the file's head. */
export const foldConstants: Pass = {
  name: "fold constants",
  run(graph: Graph): string[] {
    const uses = new Uses(graph);
    const known = new Set<Value>();
    const isKnown = (value: Value): boolean => value.constant !== undefined || known.has(value);
    const readsKnown = (node: Node): boolean => node.inputs.every((view) => !view || isKnown(view.value));
    const kept: Node[] = [];
    const changes: string[] = [];
    const inputs = new Set(graph.inputs.map((view) => view.value));
    for (const node of graph.nodes) {
      // A value that several nodes write is known where all of them are: they stand one behind the other.
      const foldable = node.outputs.every(
        ({ value }) => known.has(value) || (!inputs.has(value) && uses.writers(value).every(readsKnown)),
      );
      if (!foldable) {
        kept.push(node);
        continue;
      }
      for (const { value } of node.outputs) {
        known.add(value);
        value.constant ??= Constant.of(value.dtype, newTypedArray(value.dtype, value.length));
      }
      applyNode(referenceBackend, node, stridedOf);
      changes.push(`${node.path}: ${node.operation.op}`);
    }
    graph.nodes = kept;
    return changes;
  },
};
