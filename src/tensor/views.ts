/** The arithmetic of views on shapes and strides alone: reshape without a copy, slices. */
import { fail } from "../errors.ts";
import { contiguousStrides, formatShape, sizeOf } from "./shape.ts";

/** The wanted shape with its one -1 replaced by what is left over. */
export function resolveShape(from: readonly number[], wanted: readonly number[], where: string): number[] {
  const size = sizeOf(from);
  const open = wanted.filter((n) => n === -1).length;
  const known = sizeOf(wanted.filter((n) => n !== -1));
  const legal = wanted.every((n) => n === -1 || (Number.isInteger(n) && n >= 0));
  const fits = open === 0 ? known === size : open === 1 && known > 0 && size % known === 0;
  if (!legal || !fits) {
    fail("argument", where, `a shape of ${size} elements, from ${formatShape(from)}`, formatShape(wanted));
  }
  return wanted.map((n) => (n === -1 ? size / known : n));
}

/**
 * Strides that show the same elements in another shape, or undefined where no strides do. Each run of old axes that lie
 * as one in memory may be cut anew; a new axis may not reach across two runs.
 */
export function reshapedStrides(
  shape: readonly number[],
  strides: readonly number[],
  target: readonly number[],
): number[] | undefined {
  if (sizeOf(shape) === 0) return contiguousStrides(target);
  const out = new Array<number>(target.length);
  let next = target.length - 1; // the new axis to place, from the right
  let run = 1; // elements of the current run of old axes
  let placed = 1; // elements of that run that new axes already cover
  let base = strides.at(-1) ?? 1; // stride of the run's innermost element
  for (let i = shape.length - 1; i >= 0; i--) {
    run *= shape[i];
    const ends = i === 0 || (shape[i - 1] !== 1 && strides[i - 1] !== run * base);
    if (!ends) continue;
    while (next >= 0 && (placed < run || target[next] === 1)) {
      out[next] = placed * base;
      placed *= target[next];
      next--;
    }
    if (placed !== run) return undefined;
    if (i > 0) {
      base = strides[i - 1];
      run = 1;
      placed = 1;
    }
  }
  while (next >= 0) out[next--] = placed * base; // sizes of 1 that are left
  return out;
}

/** Start and length of a slice of an axis of n elements; ends past the axis are cut, as in Python. */
export function sliceRange(
  n: number,
  start: number,
  end: number,
  step: number,
): { start: number; length: number } {
  if (!Number.isInteger(step) || step < 1) fail("argument", "slice", "a step >= 1", String(step));
  if (!Number.isInteger(start) || Number.isNaN(end) || (Number.isFinite(end) && !Number.isInteger(end))) {
    fail("argument", "slice", "whole numbers for start and end", `${start} and ${end}`);
  }
  const clip = (i: number): number => Math.min(Math.max(i < 0 ? i + n : i, 0), n);
  const first = clip(start);
  return { start: first, length: Math.max(Math.ceil((clip(end) - first) / step), 0) };
}
