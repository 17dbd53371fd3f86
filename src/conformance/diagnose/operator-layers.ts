/** Operators as the layers that PyTorch has of them, so that a mistake which is planted into layers works in operators too. */
import type { Json } from "../manifest.ts";

/** Keyword arguments. */
export type Keywords = { readonly [key: string]: Json };

type Shapes = ReadonlyMap<string, readonly number[]>;

/** A layer: its class and its constructor's arguments. */
export interface Layer {
  readonly name: string;
  readonly args: Keywords;
}

/** Layers that operators become: the class, its arguments from the operator's tensors and attributes, and its parameters. */
const LAYERS: Readonly<Record<string, (shapes: Shapes, a: Keywords) => Layer | undefined>> = {
  conv2d: (shapes, a) => {
    const weight = shapes.get("weight");
    if (weight?.length !== 4) return undefined;
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = a;
    const [out, per, ...kernel] = weight;
    const args = { in_channels: per * Number(groups), out_channels: out, kernel_size: kernel };
    return { name: "Conv2d", args: { ...args, stride, padding, dilation, groups, bias: shapes.has("bias") } };
  },
  linear: (shapes) => {
    const weight = shapes.get("weight");
    if (weight?.length !== 2) return undefined;
    return {
      name: "Linear",
      args: { in_features: weight[1], out_features: weight[0], bias: shapes.has("bias") },
    };
  },
  batch_norm: (shapes, a) => {
    const mean = shapes.get("running_mean");
    if (mean === undefined || shapes.get("input")?.length !== 4) return undefined;
    const affine = shapes.has("weight");
    return {
      name: "BatchNorm2d",
      args: { num_features: mean[0], eps: a.eps ?? 1e-5, affine, bias: shapes.has("bias") },
    };
  },
  layer_norm: (shapes, a) => ({
    name: "LayerNorm",
    args: {
      normalized_shape: a.normalized_shape,
      eps: a.eps ?? 1e-5,
      elementwise_affine: shapes.has("weight"),
      bias: shapes.has("bias"),
    },
  }),
  relu: () => ({ name: "ReLU", args: {} }),
  relu6: () => ({ name: "ReLU6", args: {} }),
  silu: () => ({ name: "SiLU", args: {} }),
  sigmoid: () => ({ name: "Sigmoid", args: {} }),
  gelu: (_shapes, a) => ({ name: "GELU", args: { approximate: a.approximate ?? "none" } }),
  softmax: (_shapes, a) => ({ name: "Softmax", args: { dim: a.dim } }),
};

/** The layer of an operator with operands of these shapes, by name; undefined where there is none. */
export function layerOf(name: string, shapes: Shapes, attributes: Keywords): Layer | undefined {
  return Object.hasOwn(LAYERS, name) ? LAYERS[name](shapes, attributes) : undefined;
}
