/**
 * RT-DETR's decoder reads its maps through an un-activated 1x1 projection, as one list of tokens, the memory: its only
 * readers are linear layers, some of them after a multiplication of whole tokens by constants (the mask of valid anchors),
 * others for deformable attention. Linear after linear is linear: each reader gets the product of both matrices and
 * reads the maps themselves, and the memory is never made.
 *
 * A mask stands between the two: mask * (W x + b) projected is mask * (V W x + V b), and the reader's own bias comes after.
 * Deformable attention samples each map where it lies and projects the samples, map by map.
 */
import type { Backend, Pair } from "../../backend/backend.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { hasConstantWeights, isBare, isProduct, numbersOf, type Product, Uses } from "../edit.ts";
import { type Graph, multiplyAddsOf, type Node, type Value, type View, whole } from "../graph.ts";
import { product } from "../matrices.ts";
import type { Pass } from "../passes.ts";
import {
  canWiden,
  matchSampling,
  ONES,
  type ProjectedSampling,
  type Projection,
  projectionOf,
  SAMPLE_TAPS,
  SAMPLING_COST,
  sampleAndProject,
  withOnes,
} from "../projected-sampling.ts";
import { isWhole, samePlaces, sameView } from "../views.ts";
import { isPointwise } from "./split-concat.ts";

const WORTH = 0.97; // of the multiply-adds before: less is not worth the additional steps

/** See the file's head. */
export const foldMemory: Pass = {
  name: "projected memory into its readers",
  run(graph: Graph, backend: Backend): string[] {
    const changes: string[] = [];
    const copied = graph.nodes
      .filter((node) => node.operation.op === "copy")
      .map((node) => node.outputs[0].value);
    for (const value of new Set(copied)) {
      const memory = matchMemory(graph, new Uses(graph), value);
      if (memory && costAfter(memory) < WORTH * costBefore(memory)) {
        rewrite(graph, backend, memory);
        changes.push(
          `${memory.levels.map((level) => level.conv.path).join(", ")}: into ${memory.readers.length} readers`,
        );
      }
    }
    return changes;
  },
};

/** A map, and its projection into the memory. */
interface Level {
  readonly conv: Product;
  /** [N, C, H, W]. */
  readonly map: View;
  /** The map as tokens [N, S, C]. */
  readonly tokens: View;
  /** First row in the memory. */
  readonly first: number;
  readonly shape: Pair;
}

type Reader =
  | { readonly kind: "sampling"; readonly sampling: ProjectedSampling }
  | {
      readonly kind: "linear";
      readonly linear: Product;
      readonly mask?: { readonly node: Node; readonly view: View };
    };

interface Memory {
  readonly levels: readonly Level[];
  readonly readers: readonly Reader[];
  /** [N, S, D]. */
  readonly view: View;
}

function matchMemory(graph: Graph, uses: Uses, value: Value): Memory | undefined {
  const copies = uses.writers(value);
  if (uses.isOutput(value) || copies.length === 0) return undefined;
  const [n, , d] = copies[0].outputs[0].shape;
  const rows = value.length / (n * d);
  const view = whole(value, [n, rows, d]);
  const levels: Level[] = [];
  let first = 0;
  for (const copy of copies) {
    const level = matchLevel(graph, uses, copy, view, first);
    if (!level) return undefined;
    levels.push(level);
    first += level.tokens.shape[1];
  }
  if (first !== rows || new Set(levels.map((level) => level.map.value)).size !== levels.length)
    return undefined;
  const readers: Reader[] = [];
  for (const node of uses.readers(value)) {
    const reader = matchReader(uses, node, view, levels);
    if (!reader) return undefined;
    readers.push(reader);
  }
  return readers.length > 0 ? { levels, readers, view } : undefined;
}

function matchLevel(graph: Graph, uses: Uses, copy: Node, memory: View, first: number): Level | undefined {
  const [n, , d] = memory.shape;
  const [to] = copy.outputs;
  if (copy.operation.op !== "copy" || to.shape.length !== 3) return undefined;
  const slice: View = { ...memory, shape: [n, to.shape[1], d], offset: first * d };
  const conv = uses.privateProducer(copy.inputs[0]?.value ?? memory.value, copy);
  if (!sameView(to, slice) || !isPointwise(conv) || !isBare(conv)) return undefined;
  const [made] = conv.outputs;
  const [map] = conv.inputs as [View];
  const [, c, h, w] = map.shape;
  const asTokens = (x: View, channels: number): View => ({
    ...x,
    shape: [n, h * w, channels],
    strides: [h * w * channels, channels, 1],
  });
  const tokens = asTokens(map, c);
  if (!samePlaces(copy.inputs[0] as View, asTokens(made, d)) || made.shape[1] !== d) return undefined;
  if (!samePlaces(map, { ...map, strides: [h * w * c, 1, w * c, c], offset: 0 }) || !isWhole(map))
    return undefined;
  return canWiden(graph, uses, tokens, new Map()) ? { conv, map, tokens, first, shape: [h, w] } : undefined;
}

function matchReader(uses: Uses, node: Node, memory: View, levels: readonly Level[]): Reader | undefined {
  const { operation, inputs, outputs } = node;
  if (operation.op === "binary" && operation.f === "mul") {
    const [a, b] = inputs as [View, View];
    const mask = sameView(b, memory) ? a : b;
    const linear = uses.readers(outputs[0].value)[0];
    if (!sameView(mask === a ? b : a, memory) || !mask.value.constant || mask.strides[2] !== 0)
      return undefined;
    if (uses.privateProducer(outputs[0].value, linear) !== node || !isPlainLinear(linear)) return undefined;
    if (!sameView(linear.inputs[0], outputs[0]) || outputs[0].shape.length !== 3) return undefined;
    return { kind: "linear", linear, mask: { node, view: mask } };
  }
  if (!isPlainLinear(node) || !sameView(inputs[0], memory)) return undefined;
  const [attention] = uses.readers(outputs[0].value);
  const sampling = attention && matchSampling(uses, attention);
  if (!sampling) return { kind: "linear", linear: node };
  const alike = sampling.shapes.length === levels.length;
  const same = levels.every(({ shape }, i) =>
    shape.every((side, axis) => side === sampling.shapes[i]?.[axis]),
  );
  return alike && same ? { kind: "sampling", sampling } : undefined;
}

function isPlainLinear(node: Node | undefined): node is Product {
  return (
    isProduct(node) &&
    node.operation.op === "linear" &&
    isBare(node) &&
    hasConstantWeights(node) &&
    isWhole(node.outputs[0])
  );
}

function costBefore({ levels, readers, view }: Memory): number {
  const [n, s, d] = view.shape;
  const maps = levels.reduce((sum, { conv }) => sum + multiplyAddsOf(conv), 0);
  return readers.reduce((sum, reader) => {
    if (reader.kind === "linear") return sum + multiplyAddsOf(reader.linear);
    const { heads, perHead } = reader.sampling;
    return sum + Math.min(n * s * d * heads * perHead, samplingCost(reader.sampling, d, 1));
  }, maps);
}

function costAfter({ levels, readers }: Memory): number {
  return readers.reduce((sum, reader) => {
    const perLevel = levels.map(({ tokens }) => {
      const [n, s, c] = tokens.shape;
      if (reader.kind === "sampling") return samplingCost(reader.sampling, c, levels.length);
      return n * s * c * (reader.linear.inputs[1] as View).shape[0];
    });
    return sum + perLevel.reduce((a, b) => a + b, 0);
  }, 0);
}

/** Sampling `d` channels of one of `levels` maps and projecting the samples. */
function samplingCost(
  { weights, heads, perHead, queries }: ProjectedSampling,
  d: number,
  levels: number,
): number {
  const samples = SAMPLING_COST * SAMPLE_TAPS * (sizeOf(weights.shape) / levels);
  return (samples + weights.shape[0] * queries * heads * perHead) * (d + ONES);
}

/** The projection of a reader's own: V [O, D] and bias [O]. */
function ownOf(reader: Reader): Projection {
  return projectionOf(reader.kind === "linear" ? reader.linear : reader.sampling.projection);
}

/**
 * The products of every reader's projection and a level's: weight V W, bias V b, and the reader's own but where a mask stands
 * between them. One matrix product for all: the readers' rows one behind the other, b as one more column of W.
 */
function composed(backend: Backend, readers: readonly Reader[], { conv }: Level): Projection[] {
  const [, w, b] = conv.inputs as [View, View, View | undefined];
  const [d, c] = w.shape;
  const [weights, shifts] = [numbersOf(w), b ? numbersOf(b) : new Float32Array(d)];
  const right = new Float32Array(d * (c + 1));
  for (let k = 0; k < d; k++) {
    right.set(weights.subarray(k * c, (k + 1) * c), k * (c + 1));
    right[k * (c + 1) + c] = shifts[k];
  }
  const own = readers.map(ownOf);
  const left = new Float32Array(own.reduce((sum, { weight }) => sum + weight.length, 0));
  let at = 0;
  for (const { weight } of own) {
    left.set(weight, at);
    at += weight.length;
  }
  const products = product(backend, left, right, d);
  let row = 0;
  return own.map(({ weight, bias }, i): Projection => {
    const outputs = weight.length / d;
    const reader = readers[i];
    const isMasked = reader.kind === "linear" && reader.mask !== undefined;
    const sums = bias && !isMasked ? bias : new Float32Array(outputs);
    const both = new Float32Array(outputs * c);
    for (let o = 0; o < outputs; o++, row += c + 1) {
      both.set(products.subarray(row, row + c), o * c);
      sums[o] += products[row + c];
    }
    return { weight: both, bias: sums, d: c };
  });
}

function rewrite(graph: Graph, backend: Backend, memory: Memory): void {
  const { levels, readers } = memory;
  const replaced = new Map<View, Node[]>(); // by the first output, which stays the same object
  for (const { conv } of levels) replaced.set(conv.outputs[0], []);
  const copies = graph.nodes.filter((node) => node.outputs[0].value === memory.view.value);
  for (const copy of copies) replaced.set(copy.outputs[0], []);
  const projections = levels.map((level) => composed(backend, readers, level));
  const ofReader = (i: number): Projection[] => projections.map((list) => list[i]);
  for (const [i, reader] of readers.entries()) {
    if (reader.kind === "linear") {
      replaced.set(reader.linear.outputs[0], linearNodes(graph, reader, levels, ofReader(i)));
      if (reader.mask) replaced.set(reader.mask.node.outputs[0], []);
    } else replaced.set(reader.sampling.projection.outputs[0], []);
  }
  graph.nodes = graph.nodes.flatMap((node) => replaced.get(node.outputs[0]) ?? [node]);
  const widened = new Map<Value, View>();
  if (readers.some((reader) => reader.kind === "sampling")) {
    const sources = levels.map(({ tokens }) => withOnes(graph, new Uses(graph), tokens, widened));
    for (const [i, reader] of readers.entries()) {
      if (reader.kind !== "sampling") continue;
      const nodes = samplingNodes(graph, reader.sampling, levels, sources, ofReader(i));
      const [out] = reader.sampling.node.outputs;
      graph.nodes = graph.nodes.flatMap((node) => (node.outputs[0] === out ? nodes : [node]));
    }
  }
}

/** A 1x1 convolution of each map into its rows of the result; with a mask, that and the bias afterwards. */
function linearNodes(
  graph: Graph,
  reader: Reader & { kind: "linear" },
  levels: readonly Level[],
  projections: readonly Projection[],
): Node[] {
  const { linear, mask } = reader;
  const [out] = linear.outputs;
  const [n, s, f] = out.shape;
  const [, , own] = linear.inputs;
  const rows = mask ? graph.tensor(out.shape) : out;
  const nodes = levels.map((level, l): Node => {
    const { weight, bias, d } = projections[l];
    const [h, w] = level.shape;
    const view: View = {
      ...rows,
      shape: [n, f, h, w],
      strides: [s * f, 1, w * f, f],
      offset: rows.offset + level.first * f,
    };
    const inputs = [level.map, graph.constant(weight, [f, d, 1, 1]), bias && graph.constant(bias, [f])];
    return { operation: level.conv.operation, inputs, outputs: [view], path: linear.path };
  });
  if (!mask) return nodes;
  const binary = (f: "mul" | "add", a: View, b: View, y: View): Node => {
    return { operation: { op: "binary", f }, inputs: [a, b], outputs: [y], path: linear.path };
  };
  const masked = own ? graph.tensor(out.shape) : out;
  nodes.push(binary("mul", { ...mask.view, shape: out.shape }, rows, masked));
  if (own) {
    const bias: View = { ...graph.constant(numbersOf(own), [f]), shape: out.shape, strides: [0, 0, 1] };
    nodes.push(binary("add", masked, bias, out));
  }
  return nodes;
}

/** Each map sampled and projected by itself, and the sum. */
function samplingNodes(
  graph: Graph,
  sampling: ProjectedSampling,
  levels: readonly Level[],
  sources: readonly View[],
  projections: readonly Projection[],
): Node[] {
  const [out] = sampling.node.outputs;
  const only = (view: View, l: number): View => ({
    ...view,
    shape: view.shape.map((n, axis) => (axis === 3 ? 1 : n)),
    offset: view.offset + l * view.strides[3],
  });
  let sum: View | undefined;
  return levels.flatMap((level, l) => {
    const last = l === levels.length - 1;
    const part = last && !sum ? out : graph.tensor(out.shape);
    const one = {
      shapes: [level.shape],
      locations: only(sampling.locations, l),
      weights: only(sampling.weights, l),
    };
    const nodes = sampleAndProject(graph, sampling, sources[l], one, projections[l], part);
    if (!sum) {
      sum = part;
      return nodes;
    }
    const total = last ? out : graph.tensor(out.shape);
    const add: Node = {
      operation: { op: "binary", f: "add" },
      inputs: [sum, part],
      outputs: [total],
      path: sampling.node.path,
    };
    sum = total;
    return [...nodes, add];
  });
}
