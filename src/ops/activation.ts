/** Element-wise functions of one tensor, and softmax. f32; results are dense, with x's axis order in memory. */
import type { UnaryOp } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { normalizeAxis } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { f32Operands } from "./checks.ts";

function unary(where: string, op: UnaryOp, x: Tensor): Tensor {
  const backend = f32Operands(where, { x });
  const out = x.newEmptyLike();
  backend.unary(op, x, out);
  return out;
}

/** max(x, 0). */
export function relu(x: Tensor): Tensor {
  return unary("relu", "relu", x);
}

/** min(max(x, 0), 6). */
export function relu6(x: Tensor): Tensor {
  return unary("relu6", "relu6", x);
}

/** x * sigmoid(x). */
export function silu(x: Tensor): Tensor {
  return unary("silu", "silu", x);
}

/** How {@link gelu} is computed. */
export interface GeluOptions {
  /** "none": x/2 * (1 + erf(x / sqrt 2)), the default; "tanh": the approximation with tanh. */
  readonly approximate?: "none" | "tanh";
}

/** x times the normal distribution's share below x. */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  const kind = options.approximate ?? "none";
  if (kind !== "none" && kind !== "tanh") {
    fail("argument", "gelu", 'approximate: "none" or "tanh"', String(kind));
  }
  return unary("gelu", kind === "none" ? "gelu" : "gelu_tanh", x);
}

/** 1 / (1 + exp(-x)). */
export function sigmoid(x: Tensor): Tensor {
  return unary("sigmoid", "sigmoid", x);
}

/** e to the power of x. */
export function exp(x: Tensor): Tensor {
  return unary("exp", "exp", x);
}

/** Natural logarithm; NaN below 0, -inf at 0. */
export function log(x: Tensor): Tensor {
  return unary("log", "log", x);
}

/** Square root; NaN below 0. */
export function sqrt(x: Tensor): Tensor {
  return unary("sqrt", "sqrt", x);
}

/** -x. */
export function neg(x: Tensor): Tensor {
  return unary("neg", "neg", x);
}

/** Sine of x in radians. */
export function sin(x: Tensor): Tensor {
  return unary("sin", "sin", x);
}

/** Cosine of x in radians. */
export function cos(x: Tensor): Tensor {
  return unary("cos", "cos", x);
}

/** Bounds of {@link clamp}; at least one. */
export interface ClampOptions {
  readonly min?: number;
  readonly max?: number;
}

/** min(max(x, min), max); NaN stays, and where min > max every element becomes max, as in PyTorch. */
export function clamp(x: Tensor, options: ClampOptions): Tensor {
  const backend = f32Operands("clamp", { x });
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = options;
  if ((options.min === undefined && options.max === undefined) || Number.isNaN(min) || Number.isNaN(max)) {
    fail("argument", "clamp", "a number for min, max or both", JSON.stringify(options));
  }
  const out = x.newEmptyLike();
  backend.clamp(x, min, max, out);
  return out;
}

/** exp(x) over its sum along `axis`, of the same shape. */
export function softmax(x: Tensor, axis: number): Tensor {
  const backend = f32Operands("softmax", { x });
  const k = normalizeAxis(axis, x.ndim, "softmax");
  const out = x.newEmptyLike();
  if (x.ndim === 0) backend.softmax(x.unsqueeze(0), 0, out.unsqueeze(0));
  else if (out.size > 0) backend.softmax(x, k, out);
  return out;
}
