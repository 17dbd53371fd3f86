/**
 * How far a runtime's number may be from PyTorch's float32, and why: the rules of the kit, by name. A bound is what rounding can
 * do, by the size of the sums and of the numbers in them, or what PyTorch's own float32 does against its float64; never what some
 * runtime happens to need.
 *
 * An element passes where |got - expected| <= abs' + rel * |expected|, abs' being the greatest of `abs`, `std` standard deviations
 * of the golden, and `noise` times PyTorch's own distance from float64 there (where a float64 golden is kept).
 */
import { fail } from "../errors.ts";
import type { HostTensor } from "./host-tensor.ts";
import type { Subject } from "./manifest.ts";
import type { Bound } from "./metrics.ts";
import { spreadOf } from "./metrics.ts";
import { numbersOf } from "./numbers.ts";

/** What is compared. */
export type Comparison =
  /** Element by element. */
  | "elements"
  /** Indices of the greatest along an axis, as sets: other choices pass where the scores tie within the margin. */
  | "top-k"
  /** The index of the greatest along an axis: another one passes where its score ties within the margin. */
  | "arg-max"
  /** Rows of queries [N, Q, columns], in any order: the nearest pairs. */
  | "rows"
  /** Detections [n, 6] around a threshold, in any order: by box and class. */
  | "detections";

/** How a tensor is judged. */
export interface Rule extends Bound {
  /** Also allowed: so many standard deviations of the golden. */
  readonly std?: number;
  /** Also allowed: so many times the greatest |float32 - float64| of PyTorch over the kept elements. */
  readonly noise?: number;
  /** "elements" unless said. */
  readonly compare?: Comparison;
  /** Sets: scores nearer than this are a tie. 0 unless said. */
  readonly margin?: number;
  /** Detections: pixels by which boxes may be off; `abs` is for scores. */
  readonly pixels?: number;
  /** Why so much and not less. */
  readonly reason: string;
}

const HALF_ULP = 2 ** -24;

const EXACT: Rule = {
  abs: 0,
  rel: 0,
  reason: "copies, comparisons and one correctly rounded operation: nothing rounds twice",
};

const SUM_OF_PRODUCTS: Rule = {
  abs: 2e-5,
  rel: 2e-6,
  noise: 4,
  reason:
    "sums of some hundred products of numbers near 1 in another order: PyTorch's float32 is up to 1.2e-5 from its float64; four times its own distance where that is known, because both sides round and blocked or fused sums double the spread",
};

const BLEND: Rule = {
  abs: 3e-6,
  rel: 1e-6,
  noise: 4,
  reason: "positions of up to 20 pixels round at 1e-6 in float32, times slopes near 1",
};

const AVERAGE: Rule = {
  abs: 2e-6,
  rel: 2e-6,
  noise: 4,
  reason: "up to some hundred terms near 1 in another order",
};

const MODULE: Rule = {
  abs: 0,
  rel: 0,
  std: 2e-5,
  noise: 5,
  reason:
    "a module within a network: 2e-5 standard deviations, some 100 roundings, or five times PyTorch's own distance from float64, which grows with depth; PyTorch in channels-last memory, with other summation orders, stays below 1.5 times; the faintest wrong reading, tanh for erf, is at 1.6 to 6.5 times five",
};

const BLOCK: Rule = {
  abs: 1e-6,
  rel: 1e-6,
  std: 2e-5,
  noise: 5,
  reason:
    "a few layers, each a sum of some hundred products: 2e-5 standard deviations or five times PyTorch's own distance from float64; both sides round in orders of their own",
};

/** Every rule, by name: PyTorch's function names for operators, class names for modules, and the kinds of results. */
export const RULES: Readonly<Record<string, Rule>> = {
  exact: EXACT,

  // Operators, by torch.nn.functional's names.
  relu: EXACT,
  relu6: EXACT,
  neg: EXACT,
  clamp: EXACT,
  add: EXACT,
  sub: EXACT,
  mul: EXACT,
  div: EXACT,
  minimum: EXACT,
  maximum: EXACT,
  gather: EXACT,
  embedding: EXACT,
  cat: EXACT,
  stack: EXACT,
  split: EXACT,
  chunk: EXACT,
  amax: EXACT,
  amin: EXACT,
  max_pool2d: EXACT,
  permute: EXACT,
  reshape: EXACT,
  flatten: EXACT,
  sqrt: { abs: 0, rel: 2 * HALF_ULP, reason: "1 ulp: vectorised square roots are not all rounded correctly" },
  exp: {
    abs: 1.2e-38,
    rel: 3e-7,
    reason: "2 ulp for a vectorised exp, 1 for PyTorch's; results below the normal range may be 0",
  },
  log: { abs: 2e-7, rel: 2e-7, reason: "1 ulp each; near 1 the result cancels" },
  sin: { abs: 2e-7, rel: 0, reason: "1 ulp of 1 each" },
  cos: { abs: 2e-7, rel: 0, reason: "1 ulp of 1 each" },
  sigmoid: { abs: 1e-37, rel: 5e-7, reason: "exp, a sum and a quotient: 4 ulp; the far left tail may be 0" },
  silu: { abs: 1e-35, rel: 5e-7, reason: "as sigmoid, times up to 100" },
  gelu: {
    abs: 3e-7,
    rel: 5e-7,
    reason:
      "x/2 (1 + erf) in float32: the left tail cancels, 2 ulp of 1 times x/2; the tanh form is 1e-4 to 5e-4 off",
  },
  softmax: {
    abs: 2e-7,
    rel: 1e-6,
    reason: "x - max rounds at up to 1e-5 for |x| of 100, where the power is below 1e-2",
  },
  batch_norm: {
    abs: 4e-6,
    rel: 3e-7,
    noise: 4,
    reason: "x alpha + beta rounds twice or (fused) once, and terms of up to 30 cancel",
  },
  layer_norm: {
    abs: 2e-5,
    rel: 1e-6,
    noise: 4,
    reason: "the mean of numbers near 10 rounds at 1e-6 and is divided by a deviation of 0.1",
  },
  sum: { abs: 2e-5, rel: 2e-6, noise: 4, reason: "another order of up to 1000 terms near 10" },
  mean: AVERAGE,
  avg_pool2d: { abs: 5e-7, rel: 1e-6, noise: 4, reason: "another order of up to 16 terms near 1" },
  adaptive_avg_pool2d: {
    abs: 5e-7,
    rel: 1e-6,
    noise: 4,
    reason: "another order of up to 63 terms near 1, divided",
  },
  matmul: SUM_OF_PRODUCTS,
  bmm: SUM_OF_PRODUCTS,
  linear: SUM_OF_PRODUCTS,
  conv2d: SUM_OF_PRODUCTS,
  scaled_dot_product_attention: SUM_OF_PRODUCTS,
  interpolate: BLEND,
  grid_sample: BLEND,
  ms_deform_attn: BLEND,
  topk: {
    abs: 0,
    rel: 0,
    compare: "top-k",
    reason:
      "the inputs are given, so only exact ties may be broken otherwise, which PyTorch leaves open; values are copies",
  },
  argmax: {
    abs: 0,
    rel: 0,
    compare: "arg-max",
    reason: "the inputs are given, so only exact ties may be broken otherwise",
  },

  // Layers and blocks.
  block: BLOCK,
  module: MODULE,
  Anchors: {
    abs: 1e-6,
    rel: 1e-6,
    reason: "a quotient and a logarithm of float32, 1 ulp each, of odds up to 100; +inf must be met",
  },
  SinCosPositions: {
    abs: 2e-6,
    rel: 0,
    reason: "angles of up to 20 round at 1e-6 in float32, and so do their sines",
  },
  "stage-output": {
    abs: 0,
    rel: 0,
    std: 1e-4,
    noise: 3,
    reason:
      "what rounding in float32 leaves after up to 100 layers; every wrong reading of the system is over 1e-2. Deep Hybrid networks: thrice PyTorch's own distance",
  },

  // Results.
  "boxes-and-scores": {
    abs: 2e-5,
    rel: 0,
    noise: 5,
    compare: "rows",
    reason:
      "boxes in [0, 1], scores and logits of matched queries: five times PyTorch's own distance from float64, as for a module; 2e-5 is some hundred roundings of numbers near 1, where a case is so small that it hardly rounds",
  },
  selection: {
    abs: 0,
    rel: 0,
    compare: "top-k",
    margin: 2e-3,
    reason:
      "which tokens are chosen must agree, their order not: scores come out of the whole network, and PyTorch's own float32 is up to 1.2e-3 off there",
  },
  "pixels-exact": { abs: 0, rel: 0, reason: "bytes, integers and one division by 255: nothing rounds twice" },
  "pixels-jpeg": {
    abs: 16 / 255,
    rel: 0,
    reason:
      "JPEG decoders differ: inverse DCTs by up to 3 levels a pixel, and where colour is subsampled, its enlargement by up to 15",
  },
  detections: {
    abs: 1e-3,
    rel: 0,
    compare: "detections",
    pixels: 0.1,
    margin: 1e-3,
    reason:
      "1e-4 of a picture's side, as rows of the network agree; a box that is cut to whole pixels is up to 1 off. A score within 1e-3 of the threshold may fall on either side",
  },
  "detections-jpeg": {
    abs: 0.01,
    rel: 0,
    compare: "detections",
    pixels: 2,
    margin: 0.01,
    reason: "the decoders' 3 levels: seen to move boxes by 1.2 pixels and scores by 0.004",
  },
  "average-precision": {
    abs: 0.02,
    rel: 0,
    reason:
      "thrice what moving detections by as much as their own rule allows, 0.1 pixels and 1e-3 of score, moves it on the kit's labels; boxes moved by 2 pixels or scaled by 2 %, wrong classes and squared scores move it by five times as much or more",
  },
  "average-precision-jpeg": {
    abs: 0.1 + 1e-6,
    rel: 0,
    reason:
      "one threshold of ten: 2 pixels, which the decoders may move a box by, carry the overlap with a label across one, not across two",
  },
};

/** Other names of the same: PyTorch classes of single layers. */
const ALIASES: Readonly<Record<string, string>> = {
  Sequential: "block",
  ConvBlock: "block",
  Conv: "block",
  FusedIB: "block",
  UIB: "block",
  MultiQueryAttention: "block",
  AttentionBlock: "block",
  RepConv: "block",
  RepC3: "block",
  AIFI: "block",
  MLP: "block",
  MSDeformAttn: "block",
  DeformableTransformerDecoderLayer: "block",
  Conv2d: "conv2d",
  Linear: "linear",
  NonDynamicallyQuantizableLinear: "linear",
  BatchNorm2d: "batch_norm",
  LayerNorm: "layer_norm",
  SiLU: "silu",
  GELU: "gelu",
  Sigmoid: "sigmoid",
  Softmax: "softmax",
  ReLU: "relu",
  ReLU6: "relu6",
  MaxPool2d: "max_pool2d",
  AvgPool2d: "avg_pool2d",
  AdaptiveAvgPool2d: "adaptive_avg_pool2d",
  Upsample: "interpolate",
  Embedding: "embedding",
  Identity: "exact",
  Dropout: "exact",
  Flatten: "exact",
  Concat: "exact",
  MultiheadAttention: "block",
};

/** The rule of a name. Throws `format` for one that is not there. */
export function ruleNamed(name: string): Rule {
  const own = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  if (Object.hasOwn(RULES, own)) return RULES[own];
  return fail(
    "format",
    "tolerance",
    `a rule of the kit: ${Object.keys(RULES).join(", ")}`,
    JSON.stringify(name),
  );
}

/** The name of the rule that suits an output of a subject, where no manifest names one; `output` is its name there. */
export function ruleFor(subject: Subject, output: string): string {
  switch (subject.kind) {
    case "operator": {
      return Object.hasOwn(RULES, subject.name) ? subject.name : "block";
    }
    case "module":
      return Object.hasOwn(ALIASES, subject.name) ? ALIASES[subject.name] : "block";
    case "stage":
    case "model":
      if (output === "index") return "selection";
      return /^(output0|enc_bboxes|enc_scores)$/.test(output) ? "boxes-and-scores" : "stage-output";
    case "preprocess":
      return "pixels-exact";
    case "postprocess":
      return "detections";
    case "detect":
      return output.startsWith("ap") ? "average-precision" : "detections";
  }
}

/** What is known of a golden beyond the elements that are kept. */
export interface GoldenFacts {
  /** PyTorch's float64 result at the same elements. */
  readonly double?: HostTensor;
  /** Greatest |float32 - float64| over the whole tensor; stands before what `double` says of the kept elements. */
  readonly noise?: number;
  /** Standard deviation of the whole tensor; stands before that of the kept elements. */
  readonly std?: number;
}

/** A rule's bound for one golden: `std` and `noise` become absolute. Where nothing is known of the noise, `noise` says nothing. */
export function boundFor(rule: Rule, golden: HostTensor, facts: GoldenFacts = {}): Bound {
  let { abs } = rule;
  if (rule.std !== undefined) abs = Math.max(abs, rule.std * (facts.std ?? spreadOf(golden).std));
  if (rule.noise !== undefined) {
    const own = facts.noise ?? (facts.double === undefined ? 0 : greatestDistance(golden, facts.double));
    abs = Math.max(abs, rule.noise * own);
  }
  return { abs, rel: rule.rel };
}

/** Greatest finite distance: PyTorch's float32 from its float64. */
function greatestDistance(single: HostTensor, double: HostTensor): number {
  const a = numbersOf(single);
  const b = numbersOf(double);
  if (a.length !== b.length)
    fail("format", "tolerance", `a float64 golden of ${a.length} elements`, String(b.length));
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const apart = Math.abs(a[i] - b[i]);
    if (apart > most && apart < Number.POSITIVE_INFINITY) most = apart;
  }
  return most;
}
