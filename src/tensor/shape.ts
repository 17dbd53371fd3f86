/** Shapes and strides as plain number lists: sizes, broadcasting, layouts. Knows neither tensors nor memory. */
import { fail } from "../errors.ts";

/** Where the elements of a 4-d tensor lie: row-major N C H W, or N H W C with the shape still written N C H W. */
export type MemoryFormat = "contiguous" | "channels_last";

/** Number of elements; 1 for a scalar's empty shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/** `[1, 3, 640, 640]`, as messages print shapes. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** True where both have the same sizes. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/** Row-major strides, in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= Math.max(shape[i], 1);
  }
  return strides;
}

/** Strides of an [N, C, H, W] tensor stored N H W C, in elements. */
export function channelsLastStrides(shape: readonly number[]): number[] {
  const [, c, h, w] = shape;
  return [Math.max(h * w * c, 1), 1, Math.max(w * c, 1), Math.max(c, 1)];
}

/** Strides of `shape` in a memory format; only 4-d shapes have channels_last. */
export function stridesFor(shape: readonly number[], format: MemoryFormat): number[] {
  if (format === "contiguous") return contiguousStrides(shape);
  if (shape.length !== 4) {
    fail("argument", "channels_last", "4 dimensions", `shape ${formatShape(shape)}`);
  }
  return channelsLastStrides(shape);
}

/** True where the strides are those of `expected`; sizes of 1 (or an empty tensor) may have any stride. */
export function stridesMatch(
  shape: readonly number[],
  strides: readonly number[],
  expected: readonly number[],
): boolean {
  return sizeOf(shape) === 0 || shape.every((n, i) => n === 1 || strides[i] === expected[i]);
}

/** True where every element has a place of its own and there are no holes between them, in whatever order. */
export function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (const axis of axesByStride(shape, strides)) {
    if (strides[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
}

/** The axes longer than 1, innermost (smallest stride) first; equal strides keep the later axis first. */
export function axesByStride(shape: readonly number[], strides: readonly number[]): number[] {
  return shape
    .map((_, i) => i)
    .filter((i) => shape[i] !== 1)
    .sort((a, b) => strides[a] - strides[b] || b - a);
}

/**
 * Dense strides for a result of `shape` whose axes lie in memory in the order of `like`, as PyTorch lays out the result
 * of an element-wise operation.
 */
export function denseStridesLike(shape: readonly number[], like: readonly number[]): number[] {
  const strides = contiguousStrides(shape);
  if (sizeOf(shape) === 0) return strides;
  let step = 1;
  for (const axis of axesByStride(shape, like)) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

/** An axis in [-ndim, ndim) as one in [0, ndim). */
export function normalizeAxis(axis: number, ndim: number, where: string): number {
  if (!Number.isInteger(axis) || axis < -ndim || axis >= Math.max(ndim, 1)) {
    fail("argument", where, `an axis in [${-ndim}, ${ndim})`, String(axis));
  }
  return axis < 0 ? axis + ndim : axis;
}

/** The shape that both broadcast to: sizes agree from the right, or one of them is 1. */
export function broadcastShapes(a: readonly number[], b: readonly number[], where: string): number[] {
  const ndim = Math.max(a.length, b.length);
  const out = new Array<number>(ndim);
  for (let i = 1; i <= ndim; i++) {
    const n = a[a.length - i] ?? 1;
    const m = b[b.length - i] ?? 1;
    if (n !== m && n !== 1 && m !== 1) {
      fail(
        "argument",
        where,
        "shapes that broadcast (equal or 1 from the right)",
        `${formatShape(a)} and ${formatShape(b)}`,
      );
    }
    out[ndim - i] = n === 1 ? m : n;
  }
  return out;
}

/** Checks that every size is a whole number >= 0 and that they can be addressed. */
export function checkShape(shape: readonly number[], where: string): void {
  if (!shape.every((n) => Number.isInteger(n) && n >= 0) || sizeOf(shape) > Number.MAX_SAFE_INTEGER) {
    fail("argument", where, "sizes that are whole numbers >= 0", formatShape(shape));
  }
}
