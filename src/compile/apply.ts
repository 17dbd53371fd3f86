/** Runs one node of a graph on a backend: the way from the graph back to `Backend`'s methods. */
import type { Backend, Strided } from "../backend/backend.ts";
import type { Node, View } from "./graph.ts";

/** Calls the backend's method for a node; `resolve` gives the memory behind a view. Epilogues are the caller's. */
export function applyNode(backend: Backend, node: Node, resolve: (view: View) => Strided): void {
  const { operation: o } = node;
  const [x, a, b] = node.inputs.map((view) => view && resolve(view)) as [Strided, Strided, Strided];
  const [y, second] = node.outputs.map(resolve);
  switch (o.op) {
    case "fill":
      backend.fill(y, o.value);
      break;
    case "copy":
      backend.copy(x, y);
      break;
    case "unary":
      backend.unary(o.f, x, y);
      break;
    case "binary":
      backend.binary(o.f, x, a, y);
      break;
    case "clamp":
      backend.clamp(x, o.min, o.max, y);
      break;
    case "matmul":
      backend.matmul(x, a, y);
      break;
    case "linear":
      backend.linear(x, a, b, y);
      break;
    case "conv2d":
      backend.conv2d(x, a, b, y, o.options);
      break;
    case "affineChannels":
      backend.affineChannels(x, a, b, y);
      break;
    case "layerNorm":
      backend.layerNorm(x, a, b, o.eps, y);
      break;
    case "softmax":
      backend.softmax(x, o.axis, y);
      break;
    case "reduce":
      backend.reduce(o.f, x, o.axis, y);
      break;
    case "topk":
      backend.topk(x, o.k, o.axis, o.largest, y, second);
      break;
    case "gather":
      backend.gather(x, o.axis, a, y);
      break;
    case "embedding":
      backend.embedding(x, a, y);
      break;
    case "pool2d":
      backend.pool2d(x, y, o.options);
      break;
    case "adaptiveAvgPool2d":
      backend.adaptiveAvgPool2d(x, y);
      break;
    case "interpolate":
      backend.interpolate(x, y, o.options);
      break;
    case "gridSample":
      backend.gridSample(x, a, y, o.options);
      break;
    case "deformableAttention":
      backend.deformableAttention(x, o.shapes, a, b, y);
      break;
  }
}
