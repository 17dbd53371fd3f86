/**
 * A 1x1 convolution of concatenated maps is the sum of 1x1 convolutions of each. For a map that was upsampled (nearest) it
 * can be done before the upsampling, on a quarter of the pixels; for one that is itself an un-activated 1x1 convolution
 * the two are one product of their matrices. Maps for which neither helps keep a convolution of their own.
 */
import type { Backend } from "../../backend/backend.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { hasConstantWeights, isBare, isProduct, numbersOf, type Product, Uses } from "../edit.ts";
import { type Graph, multiplyAddsOf, type Node, type View } from "../graph.ts";
import { addProduct } from "../matrices.ts";
import type { Pass } from "../passes.ts";
import { isWhole, samePlaces } from "../views.ts";

/** See the file's head. */
export const splitConcat: Pass = {
  name: "1x1 of a concatenation by parts",
  run(graph: Graph, backend: Backend): string[] {
    const changes: string[] = [];
    for (let found = true; found; ) {
      found = false;
      const uses = new Uses(graph);
      for (const node of graph.nodes) {
        if (!isPointwise(node) || node.inputs[3]) continue;
        const parts = partsOf(graph, uses, node);
        if (!parts) continue;
        const nodes = rebuild(graph, backend, node, parts);
        const before = multiplyAddsOf(node) + parts.reduce((sum, part) => sum + part.saved, 0);
        if (nodes.reduce((sum, n) => sum + multiplyAddsOf(n), 0) >= before) continue;
        graph.nodes = graph.nodes.flatMap((other) => (other === node ? nodes : [other]));
        changes.push(`${node.path}: ${parts.map((part) => part.kind).join(", ")}`);
        found = true;
        break;
      }
    }
    return changes;
  },
};

interface Part {
  readonly kind: "as it is" | "before upsampling" | "folded";
  /** Channels [from, to) of the concatenation. */
  readonly from: number;
  readonly to: number;
  /** What is copied there. */
  readonly source: View;
  readonly producer?: Node;
  /** Multiply-adds that nobody needs any more. */
  readonly saved: number;
}

/** True for a 1x1 convolution of stride 1, without padding or groups, with constant weights. */
export function isPointwise(node: Node | undefined): node is Product {
  if (!isProduct(node) || node.operation.op !== "conv2d" || !hasConstantWeights(node)) return false;
  const { stride, padding, groups } = node.operation.options;
  const [, , kh, kw] = (node.inputs[1] as View).shape;
  return (
    groups === 1 && kh === 1 && kw === 1 && [...stride, ...padding].every((n, i) => n === (i < 2 ? 1 : 0))
  );
}

/** The copies that make up the convolution's input, or undefined where it is not a concatenation worth splitting. */
function partsOf(graph: Graph, uses: Uses, node: Product): Part[] | undefined {
  const x = node.inputs[0] as View;
  const writers = uses.writers(x.value);
  if (!isWhole(x) || writers.length < 2 || uses.isOutput(x.value)) return undefined;
  if (uses.readers(x.value).some((reader) => reader !== node)) return undefined;
  if (graph.inputs.some((view) => view.value === x.value)) return undefined;
  const parts: Part[] = [];
  for (const copy of writers) {
    const [to] = copy.outputs;
    const channels = to.shape[1];
    const slice = { ...x, shape: x.shape.map((n, i) => (i === 1 ? channels : n)), offset: to.offset };
    if (copy.operation.op !== "copy" || to.shape.length !== 4 || !samePlaces(to, slice)) return undefined;
    if (to.offset % x.strides[1] !== 0 || !uses.canMoveTo(copy, node)) return undefined;
    const from = to.offset / x.strides[1];
    if (from + channels > x.shape[1]) return undefined;
    parts.push(partOf(uses, node, copy, from));
  }
  const covered = parts.reduce((sum, part) => sum + part.to - part.from, 0);
  // Products add what came before them; an upsampling cannot: at most one, and not alone.
  const upsampled = parts.filter((part) => part.kind === "before upsampling").length;
  if (upsampled > 1) return undefined;
  return covered === x.shape[1] && parts.some((part) => part.kind !== "as it is") ? parts : undefined;
}

function partOf(uses: Uses, node: Product, copy: Node, from: number): Part {
  const [source] = copy.inputs as [View];
  const to = from + source.shape[1];
  const producer = uses.producer(source.value);
  const plain: Part = { kind: "as it is", from, to, source, saved: 0 };
  if (!producer || !samePlaces(producer.outputs[0], source) || !uses.canMoveTo(producer, node)) return plain;
  const { operation } = producer;
  if (operation.op === "interpolate" && operation.options.mode === "nearest") {
    const [z] = producer.inputs as [View];
    return sizeOf(z.shape) < sizeOf(source.shape) ? { ...plain, kind: "before upsampling", producer } : plain;
  }
  if (isPointwise(producer) && isBare(producer)) {
    const saved = uses.privateProducer(source.value, copy) ? multiplyAddsOf(producer) : 0;
    const [outputs] = (node.inputs[1] as View).shape;
    const [middle, inputs] = (producer.inputs[1] as View).shape;
    const pixels = sizeOf(source.shape) / middle;
    if (pixels * inputs * outputs < saved + pixels * middle * outputs)
      return { ...plain, kind: "folded", producer, saved };
  }
  return plain;
}

/** The nodes that take the place of the convolution: partial sums, the greatest map's last, then the activation. */
function rebuild(graph: Graph, backend: Backend, node: Product, parts: readonly Part[]): Node[] {
  const [, w, b] = node.inputs as [View, View, View | undefined];
  const [outputs, inputs] = w.shape;
  const weight = numbersOf(w);
  const bias = b ? numbersOf(b) : new Float32Array(outputs);
  const [out] = node.outputs;
  const { activation, ...bare } = node.operation;
  const columns = (from: number, to: number): Float32Array => {
    const part = new Float32Array(outputs * (to - from));
    for (let o = 0; o < outputs; o++)
      part.set(weight.subarray(o * inputs + from, o * inputs + to), o * (to - from));
    return part;
  };
  const nodes: Node[] = [];
  const order = { "before upsampling": 0, "as it is": 1, folded: 2 } as const;
  const sorted = parts.toSorted((p, q) => order[p.kind] - order[q.kind]);
  let sum: View | undefined;
  sorted.forEach(({ kind, from, to, source, producer }, i) => {
    const last = i === sorted.length - 1;
    const target = last && !activation ? out : like(graph, out);
    let part = columns(from, to);
    if (kind === "before upsampling" && producer) {
      const [z] = producer.inputs as [View];
      const [n, , h, width] = z.shape;
      const small: View = {
        value: graph.value("f32", n * outputs * h * width),
        shape: [n, outputs, h, width],
        strides: [h * width * outputs, 1, width * outputs, outputs],
        offset: 0,
      };
      const constant = graph.constant(part, [outputs, to - from, 1, 1]);
      nodes.push({
        ...node,
        operation: bare as Product["operation"],
        inputs: [z, constant],
        outputs: [small],
      });
      nodes.push({ ...producer, inputs: [small], outputs: [target] });
      sum = target;
      return;
    }
    let x = source;
    if (kind === "folded" && producer) {
      const [y, v, c] = producer.inputs as [View, View, View | undefined];
      const [middle, first] = v.shape;
      if (c) addProduct(backend, bias, part, numbersOf(c), middle);
      const product = new Float32Array(outputs * first);
      addProduct(backend, product, part, numbersOf(v), middle);
      part = product;
      x = y;
    }
    const constant = graph.constant(part, [outputs, x.shape[1], 1, 1]);
    const own = last ? graph.constant(bias, [outputs]) : undefined;
    nodes.push({
      ...node,
      operation: bare as Product["operation"],
      inputs: [x, constant, own, sum],
      outputs: [target],
    });
    sum = target;
  });
  if (activation && sum) {
    nodes.push({ operation: { op: "unary", f: activation }, inputs: [sum], outputs: [out], path: node.path });
  }
  return nodes;
}

function like(graph: Graph, view: View): View {
  return { ...view, value: graph.value("f32", sizeOf(view.shape)), strides: denseLike(view), offset: 0 };
}

function denseLike({ shape }: View): number[] {
  const [, c, h, w] = shape;
  return [h * w * c, 1, w * c, c];
}
