/**
 * Element-wise operators and row-wise normalisation write where they read, if nobody reads that afterwards: the greatest
 * values of a network are then not in memory twice.
 */
import type { Graph, Operation, Value, View } from "../graph.ts";
import { mapViews } from "../graph.ts";
import type { Pass } from "../passes.ts";
import { isWhole, samePlaces } from "../views.ts";

type Op = Operation["op"];

/** Operators whose output may be an input itself (`backend.ts` says which), and how many inputs may be it. */
const IN_PLACE: Readonly<Partial<Record<Op, number>>> = {
  unary: 1,
  binary: 2,
  clamp: 1,
  affineChannels: 1,
  layerNorm: 1,
  softmax: 1,
};

/** See the file's head. */
export const inPlace: Pass = {
  name: "results in the place of what is no longer read",
  run(graph: Graph): string[] {
    const changes: string[] = [];
    const last = lastTouches(graph);
    const writers = countWriters(graph);
    const merged = new Map<Value, Value>(); // a value, and the one whose memory it shares
    const memoryOf = (view: View): Value => merged.get(view.value) ?? view.value;
    graph.nodes.forEach(({ operation, inputs, outputs: [y], path }, i) => {
      const candidates = inputs.slice(0, IN_PLACE[operation.op] ?? 0);
      const x = candidates.find((view): view is View => {
        if (!view || view.value.constant || last.get(memoryOf(view)) !== i) return false;
        if (view.value.dtype !== y.value.dtype || view.value.length !== y.value.length) return false;
        if (!isWhole(view) || !isWhole(y) || !samePlaces(view, y) || writers.get(y.value) !== 1) return false;
        // What else the operator reads is elsewhere, or the same elements.
        return inputs.every(
          (other) => !other || memoryOf(other) !== memoryOf(view) || samePlaces(other, view),
        );
      });
      if (!x || y.value === x.value) return;
      const memory = memoryOf(x);
      merged.set(y.value, memory);
      last.set(memory, last.get(y.value) ?? i);
      changes.push(`${path}: ${operation.op}`);
    });
    const moved = (view: View): View => ({ ...view, value: memoryOf(view) });
    graph.nodes = graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((view) => view && moved(view)),
      outputs: node.outputs.map(moved),
    }));
    graph.output = mapViews(graph.output, moved);
    return changes;
  },
};

/** The last node that reads or writes each value; none for those that outlive the last, and for the inputs. */
function lastTouches(graph: Graph): Map<Value, number> {
  const last = new Map<Value, number>();
  graph.nodes.forEach(({ inputs, outputs }, i) => {
    for (const view of [...inputs, ...outputs]) if (view) last.set(view.value, i);
  });
  for (const view of [...graph.inputs, ...graph.outputViews()]) {
    last.set(view.value, Number.POSITIVE_INFINITY);
  }
  return last;
}

function countWriters(graph: Graph): Map<Value, number> {
  const count = new Map<Value, number>();
  for (const { outputs } of graph.nodes) {
    for (const { value } of outputs) count.set(value, (count.get(value) ?? 0) + 1);
  }
  return count;
}
