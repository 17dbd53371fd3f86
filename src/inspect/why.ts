/**
 * Why a number is what it is: the arithmetic that made one element of a module's output, in double precision, with what it was made
 * of, the greatest contribution first. For every kind of module in the networks; a container's elements are those of a part of
 * it, which is named.
 */
import { fail } from "../errors.ts";
import { AttentionBlock, LAYER_SCALE, MultiQueryAttention } from "../models/mobilenetv4/attention.ts";
import { FusedIB, UIB } from "../models/mobilenetv4/blocks.ts";
import { MobileNetV4 } from "../models/mobilenetv4/network.ts";
import { AIFI } from "../models/rtdetr/aifi.ts";
import { Concat, Conv, RepC3, RepConv } from "../models/rtdetr/blocks.ts";
import { DeformableTransformerDecoderLayer } from "../models/rtdetr/decoder.ts";
import { MSDeformAttn } from "../models/rtdetr/deformable.ts";
import { MLP } from "../models/rtdetr/mlp.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import { RTDETRDecoder } from "../models/rtdetr/rtdetr-decoder.ts";
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  Embedding,
  Identity,
  LayerNorm,
  Linear,
  MultiheadAttention,
  Sequential,
  Upsample,
} from "../nn/index.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Step } from "./steps.ts";
import { explainAttention } from "./why-attention.ts";
import { explainActivation, explainBatchNorm, explainLayerNorm } from "./why-pointwise.ts";
import { explainConv, explainLinear } from "./why-product.ts";

/** A number with its name and place: "input" [0, 3, 10, 11]. */
export interface Factor {
  readonly name: string;
  readonly index: readonly number[];
  readonly value: number;
}

/** One summand. */
export interface Term {
  /** What is multiplied: their product is the contribution. Of a function the one number that it takes. */
  readonly factors: readonly Factor[];
  /** What it adds to the sum. */
  readonly contribution: number;
  /** Where words say more: "head 3, token 17". */
  readonly label?: string;
}

/** The part of an input map that took part: rows and columns [from, to) of axes 2 and 3. */
export interface Region {
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
}

/** The arithmetic of one element. */
export interface Why {
  /** The module, its class, and the element. */
  readonly path: string;
  readonly kind: string;
  readonly name: string;
  readonly index: readonly number[];
  /** What the run has there. */
  readonly stored: number;
  /** With this element's numbers in it where they are few. */
  readonly formula: string;
  /** The formula in double precision; undefined where a part of the module made the element (`origin`). */
  readonly value?: number;
  /** Added to the terms: a bias; 0 where there is none. */
  readonly bias: number;
  /** Summands, the greatest contribution (of either sign) first; their sum with the bias is `value`, or what a function is taken of. */
  readonly terms: readonly Term[];
  /** Where the element was made: a module below and its element, which is the same number or what `formula` takes. */
  readonly origin?: { readonly path: string; readonly index: readonly number[] };
  /** Where the element comes from in the input map, for convolutions and upsampling. */
  readonly region?: Region;
}

/** What the explainers of a kind return. */
export type Arithmetic = Omit<Why, "path" | "kind" | "name" | "index" | "stored">;

/**
 * Explains element `index` of an output of a step that stands after its module: of the one named `name` (as in `step.outputs`), or
 * of the first. Errors of code "argument".
 */
export function why(step: Step, index: readonly number[], name = step.outputs[0]?.name): Why {
  if (step.phase !== "after")
    fail("state", "why", "a step after its module", "one before it", "go on to its end");
  const output = step.outputs.find((one) => one.name === name);
  if (!output) return fail("argument", "why", step.outputs.map((one) => one.name).join(", "), String(name));
  const { shape } = output.tensor;
  if (
    index.length !== shape.length ||
    index.some((i, axis) => !Number.isInteger(i) || i < 0 || i >= shape[axis])
  ) {
    fail("argument", "why", `an index of ${formatShape(shape)}`, formatShape(index));
  }
  const inputs = step.inputs.map(({ tensor }) => tensor);
  const arithmetic = explain(step, inputs, index, output.name);
  const terms = [...arithmetic.terms].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  const stored = Number(output.tensor.at(...index));
  return { path: step.path, kind: step.kind, name: output.name, index, stored, ...arithmetic, terms };
}

/** The arithmetic by the module's class. */
function explain(step: Step, inputs: readonly Tensor[], index: readonly number[], name: string): Arithmetic {
  const { module, path } = step;
  const [x] = inputs;
  const part = (below: string, at: readonly number[] = index, formula = `that of ${below}`): Arithmetic => ({
    formula,
    bias: 0,
    terms: [],
    origin: { path: path ? `${path}.${below}` : below, index: at },
  });
  if (module instanceof Conv2d) return explainConv(module, x, index);
  if (module instanceof Linear) return explainLinear(module, x, index);
  if (module instanceof BatchNorm2d) return explainBatchNorm(module, x, index);
  if (module instanceof LayerNorm) return explainLayerNorm(module, x, index);
  const activation = explainActivation(module, x, index);
  if (activation) return activation;
  if (module instanceof Identity || module instanceof Dropout) return copyOf("input", x, index);
  if (module instanceof Concat) return concatenated(inputs, index);
  if (module instanceof Upsample) return upsampled(module, x, index);
  if (module instanceof Embedding) return embedded(module, x, index);
  if (module instanceof MultiheadAttention) return explainAttention(step, inputs, index);
  if (module instanceof MSDeformAttn) return part("output_proj");
  if (module instanceof MultiQueryAttention) return part("_output_proj");
  if (module instanceof AttentionBlock) return scaledResidual(module, x, index);
  if (module instanceof AIFI) {
    const [n, c, h, w] = index;
    return part("norm2", [n, h * x.shape[3] + w, c], "that of norm2: tokens are pixels, row by row");
  }
  if (module instanceof DeformableTransformerDecoderLayer) return part("norm3");
  if (module instanceof RTDETRDecoder) return headOf(module, path, name, index);
  if (module instanceof RTDETRDetectionModel) return modelOf(module, index);
  if (module instanceof MobileNetV4) return part(`layer${Number(name.split(".").at(-1)) + 1}`);
  if (module instanceof MLP) return part(`layers.${module.layers.length - 1}`);
  if (module instanceof RepC3) return part("cv3");
  if (module instanceof Conv || module instanceof RepConv) return part("act");
  if (module instanceof FusedIB) return part("block");
  if (module instanceof UIB) return part("_proj_conv");
  const last = [...module.namedChildren()].at(-1)?.[0];
  if (module instanceof Sequential) return last === undefined ? copyOf("input", x, index) : part(last);
  return fail("argument", "why", "a module of the networks", module.kind);
}

function copyOf(name: string, tensor: Tensor, index: readonly number[], region?: Region): Arithmetic {
  const value = Number(tensor.at(...index));
  return {
    formula: `${name}${formatShape(index)}`,
    value,
    bias: 0,
    terms: [{ factors: [{ name, index, value }], contribution: value }],
    ...(region ? { region } : {}),
  };
}

function concatenated(inputs: readonly Tensor[], [n, c, ...rest]: readonly number[]): Arithmetic {
  let first = 0;
  for (const [i, tensor] of inputs.entries()) {
    if (c < first + tensor.shape[1]) return copyOf(`input.${i}`, tensor, [n, c - first, ...rest]);
    first += tensor.shape[1];
  }
  throw new Error("a channel behind the last input");
}

function upsampled(module: Upsample, x: Tensor, [n, c, h, w]: readonly number[]): Arithmetic {
  if (module.mode !== "nearest") return fail("argument", "why", "nearest upsampling", module.mode);
  const factor = (axis: 0 | 1): number => {
    const { scaleFactor, size } = module;
    if (scaleFactor !== undefined)
      return 1 / (typeof scaleFactor === "number" ? scaleFactor : scaleFactor[axis]);
    return x.shape[2 + axis] / (typeof size === "number" ? size : (size?.[axis] ?? 1));
  };
  const [row, column] = [h * factor(0), w * factor(1)].map(Math.floor);
  return copyOf("input", x, [n, c, row, column], { rows: [row, row + 1], columns: [column, column + 1] });
}

function embedded(module: Embedding, x: Tensor, index: readonly number[]): Arithmetic {
  const row = Number(x.at(...index.slice(0, -1)));
  return copyOf("weight", module.weight, [row, index[index.length - 1]]);
}

/** The attention is computed again: a step has no outputs of what is within. */
function scaledResidual(module: AttentionBlock, x: Tensor, index: readonly number[]): Arithmetic {
  const attention = module.multi_query_attention.call(module._input_norm.call(x));
  const [y, own] = [attention.at(...index), x.at(...index)].map(Number);
  attention.dispose();
  const scale = { name: "1e-5", index: [], value: LAYER_SCALE };
  return {
    formula: "multi_query_attention * 1e-5 + input",
    value: y * LAYER_SCALE + own,
    bias: 0,
    terms: [
      { factors: [{ name: "multi_query_attention", index, value: y }, scale], contribution: y * LAYER_SCALE },
      { factors: [{ name: "input", index, value: own }], contribution: own },
    ],
  };
}

/** Boxes and scores of the last decoder layer, or of the selection. */
function headOf(module: RTDETRDecoder, path: string, name: string, index: readonly number[]): Arithmetic {
  const last = module.decoder.layers.length - 1;
  const from = (below: string, at: readonly number[], formula: string): Arithmetic => ({
    formula,
    bias: 0,
    terms: [],
    origin: { path: `${path}.${below}`, index: at },
  });
  const [n, q, j] = index;
  if (name.endsWith(".index"))
    return from(
      "enc_score_head",
      [n, 0, 0],
      "the token with the (q + 1)-th greatest of its best class logits",
    );
  if (name.endsWith(".enc_scores"))
    return from("enc_score_head", [n, 0, j], "the chosen token's class logits");
  if (name.endsWith(".enc_bboxes"))
    return from("enc_bbox_head", index, "sigmoid(enc_bbox_head + the token's anchor)");
  if (j >= 4) return from(`dec_score_head.${last}`, [n, q, j - 4], `sigmoid(dec_score_head.${last})`);
  return from(`dec_bbox_head.${last}`, index, `sigmoid(dec_bbox_head.${last} + logit of the box before)`);
}

function modelOf(model: RTDETRDetectionModel, index: readonly number[]): Arithmetic {
  const at = model.layers.length - 1;
  return { formula: `that of model.${at}`, bias: 0, terms: [], origin: { path: `model.${at}`, index } };
}
