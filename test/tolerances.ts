/**
 * How far a number may be from PyTorch's, and why: the one table. An element passes where
 * |actual - expected| <= abs + rel * |expected|; NaN and infinities must be met exactly. Used through `close.ts`.
 */

/** A bound with its reason. */
export interface Tolerance {
  readonly abs: number;
  readonly rel: number;
  readonly reason: string;
}

const F32_HALF_ULP = 2 ** -24;

/** Nothing may differ. */
export const EXACT: Tolerance = { abs: 0, rel: 0, reason: "copies, comparisons and indices do not round" };

/** The reference backend against PyTorch in float64, both rounded to f32 once. */
export const REFERENCE_EXACT: Tolerance = {
  abs: 1e-12,
  rel: 2 * F32_HALF_ULP,
  reason:
    "both compute in double: they differ by one f32 rounding where the doubles straddle a tie; abs is where sums of terms near 1 cancel (a few hundred terms of 1e-16)",
};

const SUM_OF_PRODUCTS: Tolerance = {
  abs: 2e-5,
  rel: 2e-6,
  reason:
    "sums of up to 400 products of numbers near 1 in another order: PyTorch's own float32 is up to 1.2e-5 from its float64 on these cases",
};

const BLEND: Tolerance = {
  abs: 3e-6,
  rel: 1e-6,
  reason:
    "positions of up to 20 pixels round at 1e-6 in f32, times slopes near 1; PyTorch's own float32 is 1e-6 off",
};

/** A backend against PyTorch's float32 CPU result, by operator (`test/golden/make/ops.py`). */
export const OPS: Readonly<Record<string, Tolerance>> = {
  // One correctly rounded operation, or none.
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
  topk: EXACT,
  gather: EXACT,
  embedding: EXACT,
  cat: EXACT,
  stack: EXACT,
  split: EXACT,
  chunk: EXACT,
  max: EXACT,
  min: EXACT,
  argmax: EXACT,
  maxPool2d: EXACT,
  sqrt: {
    abs: 0,
    rel: 2 * F32_HALF_ULP,
    reason: "PyTorch's vectorised sqrt is 1 ulp off in places; ours rounds correctly",
  },
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
    reason: "PyTorch computes x/2 * (1 + erf) in f32, whose left tail cancels: 2 ulp of 1 times x/2",
  },
  gelu_tanh: { abs: 3e-7, rel: 5e-7, reason: "1 + tanh cancels on the left, as in gelu" },
  softmax: {
    abs: 2e-7,
    rel: 1e-6,
    reason: "x - max rounds at up to 1e-5 for |x| of 100, where the power is below 1e-2",
  },
  batchNorm: {
    abs: 4e-6,
    rel: 3e-7,
    reason: "x * alpha + beta rounds twice or (fused) once, and terms of up to 30 cancel",
  },
  layerNorm: {
    abs: 2e-5,
    rel: 1e-6,
    reason: "the mean of numbers near 10 rounds at 1e-6 and is divided by a deviation of 0.1",
  },
  sum: { abs: 2e-5, rel: 2e-6, reason: "another order of up to 1000 terms near 10" },
  mean: { abs: 2e-6, rel: 2e-6, reason: "as sum, divided" },
  avgPool2d: { abs: 5e-7, rel: 1e-6, reason: "another order of up to 16 terms near 1" },
  adaptiveAvgPool2d: { abs: 5e-7, rel: 1e-6, reason: "another order of up to 63 terms near 1, divided" },
  matmul: SUM_OF_PRODUCTS,
  linear: SUM_OF_PRODUCTS,
  conv2d: SUM_OF_PRODUCTS,
  interpolate: BLEND,
  gridSample: BLEND,
  deformableAttention: BLEND,
};

const SUMS: Tolerance = {
  abs: 2e-6,
  rel: 2e-6,
  reason: "up to 150 products of order 1 summed in another order; 7e-7 is the most that was seen",
};
const NORMS: Tolerance = {
  abs: 5e-7,
  rel: 5e-7,
  reason: "a few rounded steps on values of order 1; 2e-7 seen",
};
const CURVES: Tolerance = { abs: 1e-6, rel: 1e-6, reason: "exp and erf by other polynomials; 4e-7 seen" };
const AVERAGES: Tolerance = { abs: 3e-7, rel: 3e-7, reason: "sums of at most 16 values; 7e-8 seen" };

/** A layer of src/nn, on any backend, against PyTorch's float32 CPU result, by class. */
export const LAYERS: Readonly<Record<string, Tolerance>> = {
  Conv2d: SUMS,
  Linear: SUMS,
  MultiheadAttention: SUMS,
  Sequential: SUMS,
  SmallNet: SUMS,
  BatchNorm2d: NORMS,
  LayerNorm: NORMS,
  SiLU: CURVES,
  GELU: CURVES,
  Sigmoid: CURVES,
  Softmax: CURVES,
  AvgPool2d: AVERAGES,
  AdaptiveAvgPool2d: AVERAGES,
  Upsample: {
    abs: 2e-6,
    rel: 2e-6,
    reason: "PyTorch's bilinear coordinates are f32 (up to 16, so 1e-6 off), ours double; 6e-7 seen",
  },
  ReLU: EXACT,
  ReLU6: EXACT,
  MaxPool2d: EXACT,
  Embedding: EXACT,
  Identity: EXACT,
  Dropout: EXACT,
  Flatten: EXACT,
};

/**
 * A stage's output against PyTorch's, in standard deviations of the output; or twice PyTorch's own distance from double
 * precision, where that is more (both sides round): HybridLarge's stride 32, which is 2e-4 off by itself.
 */
export const STAGE_OUTPUTS: Tolerance = {
  abs: 1e-4,
  rel: 0,
  reason:
    "what rounding in f32 leaves after up to 100 layers; every wrong reading of the system is over 1e-2",
};

/** Detections (boxes in [0, 1] and scores) against PyTorch's, rows matched. */
export const DETECTION_ROWS: Tolerance = {
  abs: 1e-3,
  rel: 0,
  reason: "PyTorch's own fused and unfused runs differ by about as much; every wrong reading is far above",
};

/** Detections from a JPEG: `abs` pixels for boxes, `rel` as a difference for scores. */
export const JPEG_DETECTIONS: Tolerance = {
  abs: 2,
  rel: 0.01,
  reason:
    "jpeg-js's inverse DCT differs from libjpeg's by up to 3 levels a pixel: seen to move boxes 1.2 px, scores 0.004",
};
