/** Sums, means and extremes over some axes or all. f32; results are row-major. */
import type { ReduceOp } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { formatShape, normalizeAxis, sizeOf } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { f32Operands } from "./checks.ts";

/** Options of the reductions. */
export interface ReductionOptions {
  /** Reduced axes stay, with size 1. */
  readonly keepdim?: boolean;
}

/** The sum over the axes (all unless given); 0 of nothing. */
export function sum(x: Tensor, axis?: number | readonly number[], options?: ReductionOptions): Tensor {
  return reduction("sum", x, axis, options);
}

/** The mean over the axes (all unless given); NaN of nothing. */
export function mean(x: Tensor, axis?: number | readonly number[], options?: ReductionOptions): Tensor {
  return reduction("mean", x, axis, options);
}

/** The greatest value over the axes (all unless given), NaN if there is one, as `torch.amax`. */
export function max(x: Tensor, axis?: number | readonly number[], options?: ReductionOptions): Tensor {
  return reduction("max", x, axis, options);
}

/** The least value over the axes (all unless given), NaN if there is one, as `torch.amin`. */
export function min(x: Tensor, axis?: number | readonly number[], options?: ReductionOptions): Tensor {
  return reduction("min", x, axis, options);
}

/**
 * The index (i32) of the greatest value along one axis, or in the flattened tensor. NaN counts as greatest; the lowest
 * index of several.
 */
export function argmax(x: Tensor, axis?: number, options?: ReductionOptions): Tensor {
  return reduction("argmax", x, axis, options);
}

function reduction(
  op: ReduceOp,
  x: Tensor,
  axis: number | readonly number[] | undefined,
  { keepdim = false }: ReductionOptions = {},
): Tensor {
  const backend = f32Operands(op, { x });
  const all = x.shape.map((_, i) => i);
  const wanted = axis === undefined ? all : typeof axis === "number" ? [axis] : axis;
  const axes = wanted.map((a) => normalizeAxis(a, x.ndim, op)).filter((a) => a < x.ndim);
  // QUIRK: an empty list of axes means all of them, as in PyTorch
  const reduced = axes.length === 0 ? all : axes;
  if (new Set(reduced).size !== reduced.length) {
    fail("argument", op, "each axis once", formatShape(wanted));
  }
  const kept = all.filter((i) => !reduced.includes(i));
  const count = sizeOf(reduced.map((i) => x.shape[i]));
  if (count === 0 && op !== "sum" && op !== "mean") {
    fail("argument", op, "at least one element to choose from", `shape ${formatShape(x.shape)}`);
  }
  const keptShape = kept.map((i) => x.shape[i]);
  const out = Tensor.empty(backend, keptShape, op === "argmax" ? "i32" : "f32");
  if (out.size > 0) {
    if (reduced.length === 1) backend.reduce(op, x, reduced[0], out);
    else {
      // Several axes become one, in row-major order: a view where the strides allow it.
      const order = [...kept, ...all.filter((i) => reduced.includes(i))];
      const lines = x.permute(...order).reshape(...keptShape, count);
      backend.reduce(op, lines, kept.length, out);
    }
  }
  return keepdim ? out.viewAs(...x.shape.map((n, i) => (reduced.includes(i) ? 1 : n))) : out;
}
