/**
 * Operator cases on this package: PyTorch's names, tensor names and keywords to the functions of `src/ops`. One entry an
 * operator; what is not here is unsupported. Tensor names are PyTorch's parameter names ("input", "weight", "other"); members of
 * a list are "tensors.0", "tensors.1", ...; a result is "output", members of several "output.0", "output.1", ...
 */
import type { Pair } from "../../backend/backend.ts";
import { fail } from "../../errors.ts";
import * as ops from "../../ops/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Attributes, unsupported } from "./attributes.ts";

/** The tensors of a case by name. */
export class Operands {
  readonly #where: string;
  readonly #tensors: ReadonlyMap<string, Tensor>;

  /** `where` is what messages call it. */
  constructor(where: string, tensors: ReadonlyMap<string, Tensor>) {
    this.#where = where;
    this.#tensors = tensors;
  }

  /** The tensor under the first of these names that is there, or undefined. */
  get(...names: string[]): Tensor | undefined {
    for (const name of names) {
      const found = this.#tensors.get(name);
      if (found) return found;
    }
    return undefined;
  }

  /** As {@link get}; an error where there is none. */
  need(...names: string[]): Tensor {
    const got = [...this.#tensors.keys()].join(", ") || "none";
    return this.get(...names) ?? fail("argument", this.#where, `a tensor ${names.join(" or ")}`, got);
  }

  /** "tensors.0", "tensors.1", ... */
  list(name: string): Tensor[] {
    const found: Tensor[] = [];
    for (let next = this.get(`${name}.0`); next; next = this.get(`${name}.${found.length}`)) found.push(next);
    return found.length > 0 ? found : [this.need(`${name}.0`)];
  }
}

/** What an operator gives: a tensor is "output", a list "output.0" and so on, a record has its own names. */
export type Results = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>>;

type Operator = (x: Operands, a: Attributes) => Results;

const X = ["input", "x", "self"];

const unary =
  (f: (x: Tensor) => Tensor): Operator =>
  (x) =>
    f(x.need(...X));

const binary =
  (f: (a: Tensor | number, b: Tensor | number) => Tensor): Operator =>
  (x, a) => {
    const left = x.get(...X) ?? a.needNumber("input");
    return f(left, x.get("other", "y") ?? a.needNumber("other"));
  };

const reduction =
  (f: (x: Tensor, axis?: readonly number[], o?: ops.ReductionOptions) => Tensor): Operator =>
  (x, a) =>
    f(x.need(...X), a.numbers("dim"), { keepdim: a.flag("keepdim") });

const conv2d: Operator = (x, a) => {
  const geometry = { stride: a.pair("stride"), padding: a.pair("padding"), dilation: a.pair("dilation") };
  const options = { ...geometry, groups: a.number("groups") };
  return ops.conv2d(x.need(...X), x.need("weight"), x.get("bias"), options);
};

const batchNorm: Operator = (x, a) => {
  if (a.flag("training")) unsupported("batch_norm in training");
  a.number("momentum");
  const [mean, variance] = [x.need("running_mean", "mean"), x.need("running_var", "var")];
  return ops.batchNorm(x.need(...X), mean, variance, x.get("weight"), x.get("bias"), a.number("eps"));
};

const layerNorm: Operator = (x, a) => {
  const shape = a.needNumbers("normalized_shape");
  return ops.layerNorm(x.need(...X), shape, x.get("weight"), x.get("bias"), a.number("eps"));
};

function kernelOf(a: Attributes): Pair {
  return a.pair("kernel_size") ?? [a.needNumber("kernel_size"), 0];
}

function poolingOf(a: Attributes): ops.PoolingOptions {
  return { stride: a.pair("stride"), padding: a.pair("padding"), ceilMode: a.flag("ceil_mode") };
}

const maxPool: Operator = (x, a) =>
  ops.maxPool2d(x.need(...X), kernelOf(a), { ...poolingOf(a), dilation: a.pair("dilation") });

const avgPool: Operator = (x, a) =>
  ops.avgPool2d(x.need(...X), kernelOf(a), {
    ...poolingOf(a),
    countIncludePad: a.flag("count_include_pad"),
    divisorOverride: a.number("divisor_override"),
  });

const interpolate: Operator = (x, a) => {
  const mode = a.text("mode") ?? "nearest";
  if (mode !== "nearest" && mode !== "bilinear") unsupported(`interpolate with mode ${mode}`);
  if (a.flag("antialias")) unsupported("interpolate with antialias");
  if (a.flag("recompute_scale_factor")) unsupported("interpolate with recompute_scale_factor");
  const alignCorners = a.flag("align_corners");
  return ops.interpolate(x.need(...X), {
    size: a.pair("size"),
    scaleFactor: a.pair("scale_factor"),
    mode,
    alignCorners: mode === "nearest" ? undefined : alignCorners,
  });
};

const gridSample: Operator = (x, a) => {
  const mode = a.text("mode") ?? "bilinear";
  const paddingMode = a.text("padding_mode") ?? "zeros";
  if (mode !== "bilinear" && mode !== "nearest") unsupported(`grid_sample with mode ${mode}`);
  if (paddingMode !== "zeros" && paddingMode !== "border") unsupported(`grid_sample with ${paddingMode}`);
  const alignCorners = a.flag("align_corners");
  return ops.gridSample(x.need(...X), x.need("grid"), { mode, paddingMode, alignCorners });
};

/** softmax(q k^T / sqrt(d)) v, over the last two axes. */
const attention: Operator = (x, a) => {
  const [q, k, v] = [x.need("query"), x.need("key"), x.need("value")];
  if (x.get("attn_mask") || a.flag("is_causal")) unsupported("scaled_dot_product_attention with a mask");
  a.number("dropout_p");
  const scale = a.number("scale") ?? 1 / Math.sqrt(q.shape[q.ndim - 1]);
  return ops.matmul(ops.softmax(ops.mul(ops.matmul(q, k.transpose(-2, -1)), scale), -1), v);
};

const deformable: Operator = (x, a) => {
  const shapes = a.pairs("value_spatial_shapes", "spatial_shapes", "shapes");
  if (!shapes) fail("argument", "deformable attention", "value_spatial_shapes", "nothing");
  const locations = x.need("sampling_locations", "locations");
  return ops.deformableAttention(x.need("value"), shapes, locations, x.need("attention_weights", "weights"));
};

const topk: Operator = (x, a) => {
  const [k, dim, largest] = [a.needNumber("k"), a.number("dim") ?? -1, a.flag("largest")];
  if (a.flag("sorted") === false) unsupported("topk that does not sort");
  const { values, indices } = ops.topk(x.need(...X), k, dim, { largest });
  return { values, indices };
};

const split: Operator = (x, a) => {
  const lengths = a.needNumbers("split_size_or_sections", "split_size");
  const axis = a.number("dim") ?? 0;
  return x.need(...X).split(lengths.length === 1 ? lengths[0] : lengths, axis);
};

const gelu: Operator = (x, a) => {
  const approximate = a.text("approximate") ?? "none";
  if (approximate !== "none" && approximate !== "tanh") unsupported(`gelu with approximate ${approximate}`);
  return ops.gelu(x.need(...X), { approximate });
};

const OPERATORS: Readonly<Record<string, Operator>> = {
  relu: unary(ops.relu),
  relu6: unary(ops.relu6),
  silu: unary(ops.silu),
  gelu,
  sigmoid: unary(ops.sigmoid),
  exp: unary(ops.exp),
  log: unary(ops.log),
  sqrt: unary(ops.sqrt),
  neg: unary(ops.neg),
  sin: unary(ops.sin),
  cos: unary(ops.cos),
  clamp: (x, a) => ops.clamp(x.need(...X), { min: a.number("min"), max: a.number("max") }),
  softmax: (x, a) => ops.softmax(x.need(...X), a.needNumber("dim")),
  add: binary(ops.add),
  sub: binary(ops.sub),
  mul: binary(ops.mul),
  div: binary(ops.div),
  minimum: binary(ops.minimum),
  maximum: binary(ops.maximum),
  matmul: (x) => ops.matmul(x.need(...X), x.need("other", "mat2")),
  bmm: (x) => ops.matmul(x.need(...X), x.need("mat2", "other")),
  linear: (x) => ops.linear(x.need(...X), x.need("weight"), x.get("bias")),
  conv2d,
  batch_norm: batchNorm,
  layer_norm: layerNorm,
  max_pool2d: maxPool,
  avg_pool2d: avgPool,
  adaptive_avg_pool2d: (x, a) =>
    ops.adaptiveAvgPool2d(x.need(...X), a.pair("output_size") ?? a.needNumber("output_size")),
  interpolate,
  grid_sample: gridSample,
  scaled_dot_product_attention: attention,
  ms_deform_attn: deformable,
  topk,
  gather: (x, a) => ops.gather(x.need(...X), a.needNumber("dim"), x.need("index")),
  embedding: (x) => ops.embedding(x.need("input", "indices"), x.need("weight")),
  cat: (x, a) => ops.cat(x.list("tensors"), a.number("dim") ?? 0),
  stack: (x, a) => ops.stack(x.list("tensors"), a.number("dim") ?? 0),
  split,
  chunk: (x, a) => x.need(...X).chunk(a.needNumber("chunks"), a.number("dim") ?? 0),
  sum: reduction(ops.sum),
  mean: reduction(ops.mean),
  amax: reduction(ops.max),
  amin: reduction(ops.min),
  argmax: (x, a) => ops.argmax(x.need(...X), a.number("dim"), { keepdim: a.flag("keepdim") }),
  permute: (x, a) => x.need(...X).permute(...a.needNumbers("dims")),
  transpose: (x, a) => x.need(...X).transpose(a.needNumber("dim0"), a.needNumber("dim1")),
  reshape: (x, a) => x.need(...X).reshape(...a.needNumbers("shape")),
  flatten: (x, a) => x.need(...X).flatten(a.number("start_dim") ?? 0, a.number("end_dim") ?? -1),
};

/** Names of the operators that there are. */
export const OPERATOR_NAMES: readonly string[] = Object.keys(OPERATORS);

/** Runs an operator. Throws {@link Unsupported} for another operator or attribute; else as the functions of `src/ops`. */
export function runOperator(
  name: string,
  tensors: ReadonlyMap<string, Tensor>,
  attributes: Attributes,
): Results {
  const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : unsupported(`operator ${name}`);
  const results = operator(new Operands(name, tensors), attributes);
  attributes.done();
  return results;
}
