/**
 * Deformable attention that reads a linear projection of tokens, and what it becomes when the tokens are sampled first:
 * tokens with one more channel, of ones, whose sample is the weight that fell inside the map, so that the bias of the
 * projection is one more row of its weights.
 */
import type { Pair } from "../backend/backend.ts";
import {
  hasConstantWeights,
  isBare,
  isProduct,
  numbersOf,
  type Product,
  redirect,
  type Uses,
} from "./edit.ts";
import { type Graph, type Node, type Value, type View, whole } from "./graph.ts";
import { isWhole, moveView, sameView } from "./views.ts";

/** Channels of ones: one would do, four keep rows on whole vectors. */
export const ONES = 4;

/** What a multiply-add of sampling costs beside one of a matrix product: it moves more memory. */
export const SAMPLING_COST = 2;

/** Multiply-adds of one sample and channel. */
export const SAMPLE_TAPS = 5;

/** A deformable attention and the linear layer that it alone reads. */
export interface ProjectedSampling {
  readonly node: Node;
  readonly projection: Product;
  /** What is projected, [N, S, D]. */
  readonly tokens: View;
  readonly shapes: readonly Pair[];
  readonly locations: View;
  readonly weights: View;
  readonly heads: number;
  readonly perHead: number;
  readonly queries: number;
}

/** The parts of a node, or undefined where it is none of these. */
export function matchSampling(uses: Uses, node: Node): ProjectedSampling | undefined {
  const { operation } = node;
  if (operation.op !== "deformableAttention") return undefined;
  const [value, locations, weights] = node.inputs as [View, View, View];
  const projection = uses.privateProducer(value.value, node);
  if (projection?.operation.op !== "linear" || !isProduct(projection)) return undefined;
  if (!isBare(projection) || !hasConstantWeights(projection) || !uses.canMoveTo(projection, node))
    return undefined;
  const [, s, heads, perHead] = value.shape;
  const width = heads * perHead;
  const [made] = projection.outputs;
  const inHeads: View = { ...made, shape: value.shape, strides: [s * width, width, perHead, 1] };
  if (!sameView(value, inHeads) || made.shape.length !== 3) return undefined;
  const tokens = projection.inputs[0] as View;
  const { shapes } = operation;
  return { node, projection, tokens, shapes, locations, weights, heads, perHead, queries: weights.shape[1] };
}

/** Weight [O, D] and bias [O] of a projection of D channels. */
export interface Projection {
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly d: number;
}

/** A linear layer's own. */
export function projectionOf({ inputs }: Product): Projection {
  const [, w, b] = inputs as [View, View, View | undefined];
  return { weight: numbersOf(w), bias: b && numbersOf(b), d: w.shape[1] };
}

/**
 * Sampling `source` [N, S, D + ONES] for the given levels, then the projection, into `out` [N, Q, O]: the two nodes that
 * take the attention's place.
 */
export function sampleAndProject(
  graph: Graph,
  of: ProjectedSampling,
  source: View,
  levels: { readonly shapes: readonly Pair[]; readonly locations: View; readonly weights: View },
  projection: Projection,
  out: View,
): Node[] {
  const { heads, perHead, queries } = of;
  const [n, s, wide] = source.shape;
  const sampled = graph.tensor([n, queries, heads * wide]);
  const all = {
    ...source,
    shape: [n, s, heads, wide],
    strides: [source.strides[0], source.strides[1], 0, 1],
  };
  const sample: Node = {
    operation: { op: "deformableAttention", shapes: levels.shapes },
    inputs: [all, levels.locations, levels.weights],
    outputs: [sampled],
    path: of.node.path,
  };
  const byHead = [queries * heads * wide, wide, heads * wide, 1];
  const [batch, row, column] = out.strides;
  const project: Node = {
    operation: { op: "matmul" },
    inputs: [
      { ...sampled, shape: [n, heads, queries, wide], strides: byHead },
      headWeights(graph, projection, [n, heads, wide, perHead]),
    ],
    outputs: [
      {
        ...out,
        shape: [n, heads, queries, perHead],
        strides: [batch, perHead * column, row, column],
      },
    ],
    path: of.projection.path,
  };
  return [sample, project];
}

/** Weights [N, H, E, D] for samples of E channels: the projection's, transposed per head, then its bias, then zeros. */
function headWeights(graph: Graph, { weight, bias, d }: Projection, shape: readonly number[]): View {
  const [, heads, wide, perHead] = shape;
  const data = new Float32Array(heads * wide * perHead);
  for (let o = 0; o < heads * perHead; o++) {
    const base = Math.floor(o / perHead) * wide * perHead + (o % perHead);
    for (let k = 0; k < d; k++) data[base + k * perHead] = weight[o * d + k];
    if (bias) data[base + d * perHead] = bias[o];
  }
  const constant = graph.constant(data, [heads, wide, perHead]);
  return { ...constant, shape, strides: [0, ...constant.strides] };
}

/** True where {@link withOnes} can make room behind the tokens [N, S, D] of a value, or has done so. */
export function canWiden(graph: Graph, uses: Uses, tokens: View, widened: Map<Value, View>): boolean {
  const known = widened.get(tokens.value);
  if (known)
    return tokens.shape[2] + ONES === known.shape[2] && sameView(tokens, { ...known, shape: tokens.shape });
  const to = room(graph, tokens);
  return (
    isWhole(tokens) &&
    tokens.strides[2] === 1 &&
    uses.writers(tokens.value).length > 0 &&
    !graph.inputs.some((view) => view.value === tokens.value) &&
    uses
      .writers(tokens.value)
      .every((node) => node.outputs.every((y) => y.value !== tokens.value || moveView(y, tokens, to))) &&
    uses
      .readers(tokens.value)
      .every((node) => node.inputs.every((x) => x?.value !== tokens.value || moveView(x, tokens, to))) &&
    graph.outputViews().every((y) => y.value !== tokens.value || moveView(y, tokens, to) !== undefined)
  );
}

function room(graph: Graph, { shape: [n, s, d] }: View): View {
  const wide = whole(graph.value("f32", n * s * (d + ONES)), [n, s, d + ONES]);
  return { ...wide, shape: [n, s, d] };
}

/**
 * The tokens [N, S, D] with channels of ones behind them, [N, S, D + ONES]: their value is made wider, once; who writes and
 * reads it does so there. Call {@link canWiden} before.
 */
export function withOnes(graph: Graph, uses: Uses, tokens: View, widened: Map<Value, View>): View {
  const known = widened.get(tokens.value);
  if (known) return known;
  const [n, s, d] = tokens.shape;
  const to = room(graph, tokens);
  const target: View = { ...to, shape: [n, s, d + ONES] };
  const outputs = new Set(uses.writers(tokens.value).map((node) => node.outputs[0]));
  if (!redirect(graph, tokens, to)) throw new Error("compile: a view that cannot be moved");
  const ones = graph.constant(new Float32Array(ONES).fill(1), [ONES]);
  const shape = [n, s, ONES];
  let left = outputs.size;
  graph.nodes = graph.nodes.flatMap((node) => {
    if (!outputs.has(node.outputs[0])) return [node];
    const moved: Node = {
      ...node,
      outputs: node.outputs.map((y) => (y.value === tokens.value ? (moveView(y, tokens, to) ?? y) : y)),
    };
    left--;
    if (left > 0) return [moved];
    const fill: Node = {
      operation: { op: "copy" },
      inputs: [{ ...ones, shape, strides: [0, 0, 1] }],
      outputs: [{ ...target, shape, offset: d }],
      path: node.path,
    };
    return [moved, fill];
  });
  widened.set(target.value, target);
  return target;
}
