/** Mistakes in single operators: activations, convolutions, norms, sampling. */
import type { Backend, ConvOptions, InterpolateOptions, Strided } from "../../backend/backend.ts";
import { referenceBackend } from "../../backend/reference/reference.ts";
import { BatchNorm2d } from "../../nn/index.ts";
import { batchNorm, mean, mul, sub } from "../../ops/index.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { RunRequest } from "../runtime.ts";
import { gathered, type Plant, replaced, setForward, withLoops, withModules, withTraffic } from "./tools.ts";

/** A tensor's numbers, row-major, as a tensor on the reference backend. */
function dense(x: Strided): Tensor {
  const out = Tensor.empty(referenceBackend, x.shape);
  referenceBackend.copy(x, out);
  return out;
}

/** The input with explicit borders, filled by `value`, so that a convolution needs no padding of its own. */
function bordered(x: Strided, [top, left, bottom, right]: readonly number[], value: "zero" | "edge"): Tensor {
  const [n, c, h, w] = x.shape;
  const source = dense(x).toFloat32Array();
  const [height, width] = [h + top + bottom, w + left + right];
  const out = Tensor.empty(referenceBackend, [n, c, height, width]);
  const data = out.storage.data as Float32Array;
  for (let plane = 0; plane < n * c; plane++) {
    for (let y = 0; y < height; y++) {
      for (let u = 0; u < width; u++) {
        const [iy, iu] = [y - top, u - left];
        const inside = iy >= 0 && iy < h && iu >= 0 && iu < w;
        if (!inside && value === "zero") continue;
        const [cy, cu] = [Math.min(Math.max(iy, 0), h - 1), Math.min(Math.max(iu, 0), w - 1)];
        data[(plane * height + y) * width + u] = source[(plane * h + cy) * w + cu];
      }
    }
  }
  return out;
}

type Conv = Backend["conv2d"];

/** TensorFlow's "same": where a stride leaves an odd rest, the greater half of the padding lies behind. */
const paddedBehind =
  (inner: Backend): Conv =>
  (x, w, bias, out, options) => {
    const [ph, pw] = options.padding;
    const [sh, sw] = options.stride;
    if (ph + pw === 0 || (sh === 1 && sw === 1)) return inner.conv2d(x, w, bias, out, options);
    const around = [ph - 1, pw - 1, ph + 1, pw + 1];
    inner.conv2d(bordered(x, around, "zero"), w, bias, out, { ...options, padding: [0, 0] });
  };

const paddedByEdge =
  (inner: Backend): Conv =>
  (x, w, bias, out, options: ConvOptions) => {
    const [ph, pw] = options.padding;
    if (ph + pw === 0) return inner.conv2d(x, w, bias, out, options);
    inner.conv2d(bordered(x, [ph, pw, ph, pw], "edge"), w, bias, out, { ...options, padding: [0, 0] });
  };

/** Locations [.., levels, points, 2] moved as another convention would read them. */
function movedLocations(
  locations: Strided,
  shapes: readonly (readonly [number, number])[],
  move: (fraction: number, pixels: number) => number,
): Tensor {
  const moved = dense(locations);
  const data = moved.storage.data as Float32Array;
  const [levels, points] = [locations.shape[3], locations.shape[4]];
  for (let i = 0; i < data.length; i++) {
    const level = Math.floor(i / (2 * points)) % levels;
    const [h, w] = shapes[level];
    data[i] = move(data[i], i % 2 === 0 ? w : h);
  }
  return moved;
}

/** align_corners: 0 and 1 are the centres of the corner pixels. */
const cornersAligned = (fraction: number, pixels: number): number => (fraction * (pixels - 1) + 0.5) / pixels;

/** Border padding: points outside read the nearest pixel. */
const clampedToBorder = (fraction: number, pixels: number): number =>
  (Math.min(Math.max(fraction * pixels - 0.5, 0), pixels - 1) + 0.5) / pixels;

const swapped = (options: InterpolateOptions): InterpolateOptions =>
  options.mode === "bilinear" ? { ...options, alignCorners: !options.alignCorners } : options;

/** An attribute of an operator request, changed where it is there. */
function withAttribute(request: RunRequest, name: string, change: (value: number) => number): RunRequest {
  const { subject } = request;
  if (subject.kind !== "operator" || typeof subject.attributes[name] !== "number") return request;
  const attributes = { ...subject.attributes, [name]: change(subject.attributes[name]) };
  return { ...request, subject: { ...subject, attributes } };
}

/** Operands and parameters by what they are: the filters of a convolution, the matrix of a linear layer. */
function withWeights(rank: number, change: (weight: { shape: readonly number[] }) => (i: number) => number) {
  return withTraffic({
    request: (request) => {
      const one = (tensors: RunRequest["inputs"]): RunRequest["inputs"] =>
        replaced(tensors, (tensor, name) =>
          /(^|\.)weight$/.test(name) && tensor.shape.length === rank
            ? gathered(tensor, change(tensor))
            : undefined,
        );
      return { ...request, inputs: one(request.inputs), parameters: one(request.parameters) };
    },
  });
}

/** See `plants/index.ts`. */
export const OPERATOR_PLANTS: readonly Plant[] = [
  {
    name: "relu-for-relu6",
    title: "ReLU where ReLU6 stands",
    mistakes: ["relu-for-relu6"],
    cases: ["L0/relu6/*", "L1/ConvBlock/1x1", "L1/UIB/k3-k3-s1", "L2/MobileNetV4ConvSmall/stem"],
    open: withLoops((inner) => ({
      unary: (op, x, out) => inner.unary(op === "relu6" ? "relu" : op, x, out),
    })),
  },
  {
    name: "tanh-gelu",
    title: "GELU by its approximation with tanh",
    mistakes: ["gelu-tanh"],
    cases: ["L0/gelu/erf", "L1/AIFI/square"],
    open: withLoops((inner) => ({
      unary: (op, x, out) => inner.unary(op === "gelu" ? "gelu_tanh" : op, x, out),
    })),
  },
  {
    name: "softmax-for-sigmoid",
    title: "softmax over the last axis where a sigmoid stands",
    mistakes: ["softmax-for-sigmoid"],
    cases: ["L0/sigmoid/values"],
    open: withLoops((inner) => ({
      unary: (op, x, out) =>
        op === "sigmoid" ? inner.softmax(x, x.shape.length - 1, out) : inner.unary(op, x, out),
    })),
  },
  {
    name: "silu-as-relu",
    title: "ReLU where SiLU stands",
    mistakes: ["silu-variant"],
    cases: ["L0/silu/values", "L1/Conv/1x1"],
    open: withLoops((inner) => ({
      unary: (op, x, out) => inner.unary(op === "silu" ? "relu" : op, x, out),
    })),
  },
  {
    name: "padding-behind",
    title: 'strided convolutions padded as TensorFlow\'s "same"',
    mistakes: ["padding-sides"],
    cases: ["L0/conv2d/3x3-stride-2", "L1/Conv/3x3-stride-2", "L1/FusedIB/medium"],
    open: withLoops((inner) => ({ conv2d: paddedBehind(inner) })),
  },
  {
    name: "padding-replicate",
    title: "convolutions padded with their edge pixels",
    mistakes: ["padding-mode"],
    cases: ["L0/conv2d/3x3", "L1/Conv2d/depthwise"],
    open: withLoops((inner) => ({ conv2d: paddedByEdge(inner) })),
  },
  {
    name: "kernel-flipped",
    title: "convolution in the mathematicians' sense: filters rotated by 180 degrees",
    mistakes: ["kernel-flipped"],
    cases: ["L0/conv2d/3x3", "L0/conv2d/depthwise-5x5"],
    open: withWeights(4, ({ shape: [, , kh, kw] }) => {
      const taps = kh * kw;
      return (i) => i - (i % taps) + (taps - 1 - (i % taps));
    }),
  },
  {
    name: "kernel-transposed",
    title: "filters with rows and columns exchanged",
    mistakes: ["kernel-transposed"],
    cases: ["L0/conv2d/3x3", "L0/conv2d/5x5"],
    open: withWeights(4, ({ shape: [, , kh, kw] }) => {
      if (kh !== kw) return (i) => i;
      const taps = kh * kw;
      return (i) => i - (i % taps) + ((i % taps) % kw) * kw + Math.floor((i % taps) / kw);
    }),
  },
  {
    name: "bias-missing",
    title: "linear layers and convolutions without their bias",
    mistakes: ["bias-missing"],
    cases: ["L0/linear/tokens", "L0/conv2d/bias", "L1/Linear/tokens"],
    open: withLoops((inner) => ({
      linear: (x, w, _bias, out) => inner.linear(x, w, undefined, out),
      conv2d: (x, w, _bias, out, options) => inner.conv2d(x, w, undefined, out, options),
    })),
  },
  {
    name: "batch-norm-eps",
    title: "BatchNorm with eps 1e-5 for 1e-3 and 1e-3 for 1e-5",
    mistakes: ["batch-norm-eps"],
    cases: ["L1/BatchNorm2d/*", "L1/ConvBlock/3x3-stride-2", "L1/Conv/1x1", "L1/UIB/k5-k3-s1"],
    open: withModules((module) => {
      if (module instanceof BatchNorm2d) module.eps = module.eps === 1e-3 ? 1e-5 : 1e-3;
    }),
  },
  {
    name: "batch-norm-eps-operator",
    title: "batch_norm with eps 1e-5 for 1e-3 and 1e-3 for 1e-5",
    mistakes: ["batch-norm-eps"],
    cases: ["L0/batch_norm/eps-*", "L0/batch_norm/small-variance"],
    open: withTraffic({
      request: (request) => withAttribute(request, "eps", (eps) => (eps === 1e-3 ? 1e-5 : 1e-3)),
    }),
  },
  {
    name: "batch-norm-training",
    title: "BatchNorm with the statistics of the batch",
    mistakes: ["batch-norm-training"],
    cases: ["L1/BatchNorm2d/*"],
    open: withModules((module) => {
      if (!(module instanceof BatchNorm2d)) return;
      setForward(module, ((x: Tensor) => {
        const average = mean(x, [0, 2, 3]);
        const away = sub(x, average.reshape(1, -1, 1, 1));
        return batchNorm(
          x,
          average,
          mean(mul(away, away), [0, 2, 3]),
          module.weight,
          module.bias,
          module.eps,
        );
      }) as never);
    }),
  },
  {
    name: "layer-norm-eps",
    title: "LayerNorm with eps 1e-3",
    mistakes: ["layer-norm-eps"],
    cases: ["L0/layer_norm/small"],
    open: withLoops((inner) => ({
      layerNorm: (x, weight, bias, _eps, out) => inner.layerNorm(x, weight, bias, 1e-3, out),
    })),
  },
  {
    name: "align-corners",
    title: "align_corners the other way about in resizing and grids",
    mistakes: ["align-corners"],
    cases: ["L0/interpolate/bilinear*", "L0/grid_sample/zeros*"],
    open: withLoops((inner) => ({
      interpolate: (x, out, options) => inner.interpolate(x, out, swapped(options)),
      gridSample: (x, grid, out, options) =>
        inner.gridSample(x, grid, out, { ...options, alignCorners: !options.alignCorners }),
    })),
  },
  {
    name: "align-corners-deformable",
    title: "align_corners in deformable attention",
    mistakes: ["align-corners"],
    cases: ["L0/ms_deform_attn/*", "L1/MSDeformAttn/three-levels"],
    open: withLoops((inner) => ({
      deformableAttention: (value, shapes, locations, weights, out) => {
        const moved = movedLocations(locations, shapes, cornersAligned);
        inner.deformableAttention(value, shapes, moved, weights, out);
      },
    })),
  },
  {
    name: "sampling-border",
    title: "border padding where zeros lie outside",
    mistakes: ["sampling-padding"],
    cases: ["L0/grid_sample/zeros", "L0/ms_deform_attn/three-levels", "L1/MSDeformAttn/*"],
    open: withLoops((inner) => ({
      gridSample: (x, grid, out, options) =>
        inner.gridSample(x, grid, out, { ...options, paddingMode: "border" }),
      deformableAttention: (value, shapes, locations, weights, out) => {
        const moved = movedLocations(locations, shapes, clampedToBorder);
        inner.deformableAttention(value, shapes, moved, weights, out);
      },
    })),
  },
  {
    name: "bilinear-for-nearest",
    title: "bilinear resizing where nearest stands",
    mistakes: ["sampling-mode"],
    cases: ["L0/interpolate/nearest-2", "L1/Upsample/nearest"],
    open: withLoops((inner) => ({
      interpolate: (x, out, options) => inner.interpolate(x, out, { ...options, mode: "bilinear" }),
    })),
  },
];
