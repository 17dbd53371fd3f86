/**
 * A padded convolution reads its input with zeros around it, and would copy it there. Where another convolution makes that
 * input for it alone, it writes into the middle of the zeros itself. Not where a 1x1 makes it, which runs over whole maps at
 * once and would have to run row by row; and not where Winograd's algorithm reads it, which needs no zeros.
 */
import { winogradPays } from "../../backend/wasm/winograd.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { isProduct, type Product, sweepUntilStable } from "../edit.ts";
import type { Graph, Node, View } from "../graph.ts";
import type { Pass } from "../passes.ts";
import { samePlaces } from "../views.ts";

/** See the file's head. */
export const writeFramed: Pass = {
  name: "maps made among the zeros of their padding",
  run: (graph: Graph): string[] =>
    sweepUntilStable(graph, (uses, edits) => {
      for (const node of graph.nodes) {
        if (!isConv(node) || !wantsFrame(node)) continue;
        const x = node.inputs[0] as View;
        const maker = uses.privateProducer(x.value, node);
        if (!isConv(maker) || isPointwise(maker) || edits.touches(node, maker)) continue;
        if (node.inputs.slice(1).some((view) => view?.value === x.value)) continue;
        if (!isChannelsLast(x) || !samePlaces(maker.outputs[0], x)) continue;
        const { map, zeros } = frameOf(graph, x, node);
        edits.replace(maker, { ...maker, outputs: [map] });
        const operation = { ...node.operation, framed: true } as const;
        edits.replace(node, ...zeros, { ...node, operation, inputs: [map, ...node.inputs.slice(1)] });
        edits.changes.push(`${maker.path}: for ${node.path}`);
      }
    }),
};

type Conv = Product & { readonly operation: { readonly op: "conv2d" } };

function isConv(node: Node | undefined): node is Conv {
  return isProduct(node) && node.operation.op === "conv2d" && sizeOf(node.outputs[0].shape) > 0;
}

function wantsFrame({ operation, inputs }: Conv): boolean {
  const { framed, options } = operation;
  const [x, w] = inputs as [View, View];
  if (framed || options.padding.every((n) => n === 0) || sizeOf(w.shape) === 0) return false;
  return !winogradPays(x.shape, w.shape, options);
}

function isPointwise({ inputs }: Conv): boolean {
  return sizeOf((inputs[1] as View).shape.slice(2)) === 1;
}

/** True where a map [N, C, H, W] lies channels-last, alone in its value. */
function isChannelsLast(x: View): boolean {
  const [, c, h, w] = x.shape;
  return samePlaces(x, { ...x, strides: [h * w * c, 1, w * c, c], offset: 0 }) && sizeOf(x.shape) > 0;
}

/** Room for a map among zeros, and the nodes that write these: rows above and below, columns left and right. */
function frameOf(graph: Graph, x: View, { operation, path }: Conv): { map: View; zeros: Node[] } {
  const [n, c, h, w] = x.shape;
  const [top, left] = operation.options.padding;
  const width = w + 2 * left;
  const [row, image] = [width * c, (h + 2 * top) * width * c];
  const value = graph.value("f32", n * image);
  const nothing = graph.constant(new Float32Array(c), [c]);
  const zero = (shape: readonly number[], strides: readonly number[], offset: number): Node => ({
    operation: { op: "copy" },
    inputs: [{ ...nothing, shape, strides: [0, 0, 0, 0, 1] }],
    outputs: [{ value, shape, strides, offset }],
    path,
  });
  const zeros: Node[] = [];
  if (top > 0) zeros.push(zero([n, 2, top, width, c], [image, (top + h) * row, row, c, 1], 0));
  if (left > 0) zeros.push(zero([n, h, 2, left, c], [image, row, (left + w) * c, c, 1], top * row));
  return {
    map: { value, shape: x.shape, strides: [image, 1, row, c], offset: top * row + left * c },
    zeros,
  };
}
