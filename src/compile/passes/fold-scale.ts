/**
 * A factor that is the same for every element (1/sqrt(d) of attention scores, 1/points of sampling offsets, a layer scale)
 * goes into the weights of a convolution or linear layer from which the elements come: through copies, and through
 * products with something else, on whose one side it can stand as well as behind them.
 */
import {
  hasConstantWeights,
  isBare,
  isProduct,
  type Product,
  sweepUntilStable,
  type Uses,
  uniformValue,
  writeNumbers,
} from "../edit.ts";
import type { Graph, Node, View } from "../graph.ts";
import type { Pass } from "../passes.ts";
import { isWhole, moveView } from "../views.ts";

/** See the file's head. */
export const foldScale: Pass = {
  name: "constant factor into weights",
  run: (graph: Graph): string[] =>
    sweepUntilStable(graph, (uses, edits) => {
      for (const node of graph.nodes) {
        const found = scaleOf(node);
        if (!found || !isWhole(found.x)) continue;
        const before = uses.privateProducer(found.x.value, node);
        const out = before && moveView(before.outputs[0], found.x, node.outputs[0]);
        const chain = before && sourceOf(uses, before);
        if (!chain || !out || edits.touches(node, ...chain) || !uses.canMoveTo(before, node)) continue;
        const target = chain[chain.length - 1] as Product;
        const scaled = scale(graph, target, found.factor);
        if (target !== before) edits.replace(target, scaled);
        edits.replace(before);
        edits.replace(node, { ...(target === before ? scaled : before), outputs: [out] });
        edits.changes.push(`${node.path}: factor ${found.factor} into ${target.path}`);
      }
    }),
};

/** What a node multiplies by a constant, or undefined. */
function scaleOf({ operation, inputs }: Node): { x: View; factor: number } | undefined {
  if (operation.op !== "binary") return undefined;
  const [a, b] = inputs as [View, View];
  const [left, right] = [uniformValue(a), uniformValue(b)];
  if (operation.f === "mul" && right !== undefined && left === undefined) return { x: a, factor: right };
  if (operation.f === "mul" && left !== undefined && right === undefined) return { x: b, factor: left };
  if (operation.f === "div" && right !== undefined && left === undefined) return { x: a, factor: 1 / right };
  return undefined;
}

/**
 * The way from `node` to the convolution or linear layer that can take a factor on its behalf: itself, or one that it alone
 * reads. The layer comes last.
 */
function sourceOf(uses: Uses, node: Node): Node[] | undefined {
  if (isProduct(node)) return isBare(node) && hasConstantWeights(node) ? [node] : undefined;
  const { operation } = node;
  const through =
    operation.op === "copy" ||
    operation.op === "matmul" ||
    (operation.op === "binary" && operation.f === "mul");
  if (!through) return undefined;
  for (const view of node.inputs) {
    const before = view && uses.privateProducer(view.value, node);
    const found = before && sourceOf(uses, before);
    if (found) return [node, ...found];
  }
  return undefined;
}

function scale(graph: Graph, product: Product, factor: number): Product {
  const [x, w, bias] = product.inputs as [View, View, View | undefined];
  const times = (view: View): View =>
    graph.madeConstant(view.shape, (numbers) => {
      writeNumbers(view, numbers);
      for (let i = 0; i < numbers.length; i++) numbers[i] *= factor;
    });
  return { ...product, inputs: [x, times(w), bias && times(bias)] };
}
