/**
 * Element-wise functions of two tensors, or of a tensor and a number, with broadcasting. f32. The result is dense, with
 * the axis order of the first operand that has the full result shape.
 */
import type { Backend, BinaryOp } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { broadcastShapes, contiguousStrides, denseStridesLike, sameShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { f32Operands } from "./checks.ts";

function binary(op: BinaryOp, a: Tensor | number, b: Tensor | number): Tensor {
  const tensors = {
    a: typeof a === "number" ? undefined : a,
    b: typeof b === "number" ? undefined : b,
  };
  if (!tensors.a && !tensors.b) fail("argument", op, "at least one tensor", "two numbers");
  const backend = f32Operands(op, tensors);
  const shape = broadcastShapes(tensors.a?.shape ?? [], tensors.b?.shape ?? [], op);
  const full = [tensors.a, tensors.b].find((t) => t && sameShape(t.shape, shape));
  const strides = full ? denseStridesLike(shape, full.strides) : contiguousStrides(shape);
  const out = Tensor.emptyStrided(backend, shape, strides);
  const left = tensors.a ?? scalar(backend, a as number);
  const right = tensors.b ?? scalar(backend, b as number);
  if (out.size > 0) backend.binary(op, left.expand(...shape), right.expand(...shape), out);
  if (!tensors.a) left.dispose();
  if (!tensors.b) right.dispose();
  return out;
}

function scalar(backend: Backend, value: number): Tensor {
  const out = Tensor.empty(backend, []);
  backend.fill(out, value);
  return out;
}

/** a + b. */
export function add(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("add", a, b);
}

/** a - b. */
export function sub(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("sub", a, b);
}

/** a * b. */
export function mul(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("mul", a, b);
}

/** a / b; by 0 it is an infinity or NaN. */
export function div(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("div", a, b);
}

/** The lesser of both; NaN where either is. */
export function minimum(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("minimum", a, b);
}

/** The greater of both; NaN where either is. */
export function maximum(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("maximum", a, b);
}
