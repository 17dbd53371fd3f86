/**
 * Copies into a part of another value (`cat`) or into another layout go away: what makes the source writes there itself,
 * pixel stride or not. Whoever else reads the source then reads it there.
 */
import { sizeOf } from "../../tensor/shape.ts";
import { redirect, Uses } from "../edit.ts";
import type { Graph, Node, Operation, View } from "../graph.ts";
import type { Pass } from "../passes.ts";
import { moveView } from "../views.ts";

type Op = Operation["op"];

/** Operators whose kernels write rows or pixels that are not next to each other. */
const WRITES_STRIDED: ReadonlySet<Op> = new Set<Op>([
  "conv2d",
  "linear",
  "matmul",
  "interpolate",
  "copy",
  "gather",
]);

/** Operators whose kernels read them as well as any. */
const READS_STRIDED: ReadonlySet<Op> = new Set<Op>([
  "conv2d",
  "linear",
  "matmul",
  "interpolate",
  "copy",
  "gather",
]);

/** See the file's head. */
export const writeThrough: Pass = {
  name: "copies into strided writes",
  run(graph: Graph): string[] {
    const changes: string[] = [];
    for (let found = true; found; ) {
      found = false;
      const uses = new Uses(graph);
      for (const node of graph.nodes) {
        if (node.operation.op === "copy" && remove(graph, uses, node)) {
          changes.push(`${node.path}: copy of ${node.inputs[0]?.shape.join("x")}`);
          found = true;
          break;
        }
      }
    }
    return changes;
  },
};

function remove(graph: Graph, uses: Uses, copy: Node): boolean {
  const [x] = copy.inputs as [View];
  const [y] = copy.outputs;
  if (x.value.constant || x.value.dtype !== y.value.dtype || x.value === y.value) return false;
  const before = uses.producer(x.value);
  if (before?.outputs.length !== 1 || !WRITES_STRIDED.has(before.operation.op)) return false;
  const out = moveView(before.outputs[0], x, y);
  if (!out || !isWritable(before, out)) return false;
  // The write moves to an earlier place: no other may write the same elements. As many writes as elements: each one once.
  const first = uses.place(before);
  const writers = uses.writers(y.value);
  const written = writers.flatMap((w) => w.outputs.filter((view) => view.value === y.value));
  if (written.reduce((sum, view) => sum + sizeOf(view.shape), 0) !== y.value.length) return false;
  if (graph.inputs.some((view) => view.value === y.value)) return false;
  const others = uses.readers(x.value).filter((reader) => reader !== copy);
  if (!others.every((r) => READS_STRIDED.has(r.operation.op) && uses.place(r) > first)) return false;
  if (!redirect(graph, x, y, [copy])) return false;
  graph.nodes = graph.nodes.flatMap((node) => {
    if (node === copy) return [];
    return node === before ? [{ ...node, outputs: [out] }] : [node];
  });
  return true;
}

/** True where the innermost axis stays contiguous: kernels store whole vectors. */
function isWritable(node: Node, out: View): boolean {
  const axis =
    node.operation.op === "conv2d" || node.operation.op === "interpolate" ? 1 : out.shape.length - 1;
  return node.operation.op === "copy" || out.strides[axis] === 1 || out.shape[axis] === 1;
}
