/**
 * Walking over several strided windows of one shape at once. Axes that lie as one in every window are merged, the axis
 * with the smallest stride in the first window goes innermost, and the caller gets whole rows: it hoists the strides
 * and loops itself.
 */

import { fail } from "../../errors.ts";
import type { Strided } from "../backend.ts";
import { dtypeOf } from "../heap.ts";

/** Where a window starts and how it steps: what {@link forEachRow} needs of a `Strided`. */
export interface Window {
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Called once a row: its length and, per window, the first element and the step to the next. */
export type RowBody = (n: number, at: readonly number[], step: readonly number[]) => void;

/** Calls `row` for every row of `shape` in all windows together. Nothing is called for an empty shape. */
export function forEachRow(shape: readonly number[], windows: readonly Window[], row: RowBody): void {
  if (shape.includes(0)) return;
  const [sizes, steps] = mergeAxes(shape, windows);
  const at = windows.map((w) => w.offset);
  const inner = sizes.length - 1;
  if (inner < 0) {
    row(
      1,
      at,
      windows.map(() => 0),
    );
    return;
  }
  const n = sizes[inner];
  const innerSteps = steps[inner];
  const index = new Array<number>(inner).fill(0);
  for (;;) {
    row(n, at, innerSteps);
    let axis = inner - 1;
    for (; axis >= 0; axis--) {
      const step = steps[axis];
      if (++index[axis] < sizes[axis]) {
        for (let k = 0; k < at.length; k++) at[k] += step[k];
        break;
      }
      for (let k = 0; k < at.length; k++) at[k] -= step[k] * (sizes[axis] - 1);
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** Sizes, outermost first, and for each the step of every window. */
function mergeAxes(shape: readonly number[], windows: readonly Window[]): [number[], number[][]] {
  const first = windows[0].strides;
  const axes = shape.map((_, i) => i).filter((i) => shape[i] !== 1);
  axes.sort((a, b) => first[b] - first[a] || a - b);
  const sizes: number[] = [];
  const steps: number[][] = [];
  for (const axis of axes) {
    const step = windows.map((w) => w.strides[axis]);
    const outer = steps.at(-1);
    if (outer?.every((s, k) => s === step[k] * shape[axis])) {
      sizes[sizes.length - 1] *= shape[axis];
      steps[steps.length - 1] = step;
    } else {
      sizes.push(shape[axis]);
      steps.push(step);
    }
  }
  return [sizes, steps];
}

/** A list without its element `axis`. */
export function without(list: readonly number[], axis: number): number[] {
  return list.filter((_, i) => i !== axis);
}

/** A window without one of its axes (at index 0 of that axis). */
export function dropAxis(x: Strided, axis: number): Window {
  return { strides: without(x.strides, axis), offset: x.offset };
}

/** The elements of an f32 window; an error where it holds something else. */
export function f32(x: Strided): Float32Array {
  const data = x.storage.data;
  if (data instanceof Float32Array) return data;
  return fail("argument", "reference backend", "f32 elements", dtypeOf(data) ?? typeof data);
}

/** The elements of an index window, i32 or i64. */
export function indices(x: Strided): Int32Array | BigInt64Array {
  const data = x.storage.data;
  if (data instanceof Int32Array || data instanceof BigInt64Array) return data;
  return fail("argument", "reference backend", "i32 or i64 indices", dtypeOf(data) ?? typeof data);
}
