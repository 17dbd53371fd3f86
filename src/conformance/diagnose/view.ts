/** A wrong result beside the right one, at the elements that are known of both. */
import type { NumberArray } from "../numbers.ts";
import { coordinatesOf } from "../numbers.ts";

/** What symptoms look at. */
export interface View {
  /** Right values at the known elements. */
  readonly right: NumberArray;
  /** The wrong tensor, whole. */
  readonly got: NumberArray;
  readonly gotShape: readonly number[];
  /** The right tensor's shape. */
  readonly shape: readonly number[];
  /** Flat position of each known element; undefined: all are known. */
  readonly positions?: ArrayLike<number>;
  /** What is no difference. */
  readonly abs: number;
  readonly rel: number;
  readonly others?: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: NumberArray }>;
}

/** The flat position of known element i. */
export function positionOf({ positions }: View, i: number): number {
  return positions === undefined ? i : positions[i];
}

/** Whether both have one shape, so that elements can be compared one by one. */
export function sameShape({ shape, gotShape }: View): boolean {
  return shape.length === gotShape.length && shape.every((n, i) => n === gotShape[i]);
}

/** Residual over difference, as sums of squares of finite elements, and elements that are finite on one side only. */
export interface Share {
  /**
   * From the right values, or from the wrong ones' own mean where that is less: numbers that have nothing to do with the right ones
   * are not explained by whatever predicts next to nothing.
   */
  readonly difference: number;
  readonly residual: number;
  /** Of the elements that are not finite on one side only: how many the prediction has as `got` has them. */
  readonly broken: number;
  readonly brokenMet: number;
}

/** 0..1: how much of the difference a prediction of the wrong values explains. 0 where there is no difference. */
export function explainedBy(share: Share): number {
  const { difference, residual, broken, brokenMet } = share;
  const finite = difference > 0 ? Math.max(0, 1 - residual / difference) : residual > 0 ? 0 : undefined;
  const odd = broken > 0 ? brokenMet / broken : undefined;
  if (finite === undefined) return odd ?? 0;
  return odd === undefined ? finite : Math.min(finite, odd);
}

/** Sums up predictions: `predict(i)` is the wrong value that is expected at known element i. */
export function shareOf(view: View, predict: (i: number, right: number) => number): Share {
  let difference = 0;
  let residual = 0;
  let broken = 0;
  let brokenMet = 0;
  const { right, got } = view;
  let [sum, squares, count] = [0, 0, 0];
  for (let i = 0; i < right.length; i++) {
    const x = right[i];
    const y = got[positionOf(view, i)];
    const p = predict(i, x);
    if (!Number.isFinite(y)) {
      if (Object.is(y, x)) continue;
      broken++;
      if (Object.is(p, y)) brokenMet++;
      continue;
    }
    if (!Number.isFinite(x)) {
      broken++;
      if (Math.abs(p - y) <= view.abs + view.rel * Math.abs(y)) brokenMet++;
      continue;
    }
    sum += y;
    squares += y * y;
    count++;
    difference += (y - x) ** 2;
    residual += Number.isFinite(p) ? (y - p) ** 2 : (y - x) ** 2 + y * y;
  }
  const spread = count === 0 ? 0 : squares - (sum * sum) / count;
  return { difference: spread > 0 ? Math.min(difference, spread) : difference, residual, broken, brokenMet };
}

/** How much an element-wise mistake explains. */
export function explainsElementwise(view: View, wrong: (right: number, i: number) => number): number {
  return sameShape(view) ? explainedBy(shareOf(view, (i, x) => wrong(x, i))) : 0;
}

/**
 * How much it explains that element p of the right tensor landed at `target(p)` of the wrong one (-1: it was lost). Where shapes
 * differ, the difference is that from the wrong tensor's mean.
 */
export function explainsMove(view: View, target: (position: number) => number): number {
  const { right, got } = view;
  const same = sameShape(view);
  const mean = same ? 0 : meanOf(got);
  let difference = 0;
  let residual = 0;
  let count = 0;
  for (let i = 0; i < right.length; i++) {
    const from = positionOf(view, i);
    const to = target(from);
    if (!(to >= 0 && to < got.length)) continue;
    const y = got[to];
    const x = right[i];
    if (!Number.isFinite(y) || !Number.isFinite(x)) continue;
    count++;
    residual += (y - x) ** 2;
    // What the wrong tensor has where this element belongs: the difference that is seen there.
    const seen = same ? got[from] : y;
    difference += same ? (Number.isFinite(seen) ? (seen - x) ** 2 : x * x) : (y - mean) ** 2;
  }
  if (count < right.length / 2 || difference === 0) return 0;
  return Math.max(0, 1 - residual / difference);
}

/** The mean of the finite elements. */
export function meanOf(x: NumberArray): number {
  let total = 0;
  let count = 0;
  for (let i = 0; i < x.length; i++) {
    if (!Number.isFinite(x[i])) continue;
    total += x[i];
    count++;
  }
  return count === 0 ? 0 : total / count;
}

/** The index along an axis of a flat position; negative axes count from the end. */
export function indexAlong(shape: readonly number[], axis: number): (position: number) => number {
  const k = axis < 0 ? axis + shape.length : axis;
  let step = 1;
  for (let i = k + 1; i < shape.length; i++) step *= shape[i];
  const n = shape[k];
  return (position) => Math.floor(position / step) % n;
}

/** Whether known element i is out of tolerance. */
export function isOff(view: View, i: number): boolean {
  const x = view.right[i];
  const y = view.got[positionOf(view, i)];
  if (Object.is(x, y) || x === y) return false;
  if (!Number.isFinite(x)) return true; // a share of infinity would allow anything
  return !(Math.abs(y - x) <= view.abs + view.rel * Math.abs(x));
}

/** The place of a known element, for messages. */
export function placeOf(view: View, i: number): string {
  return `[${coordinatesOf(positionOf(view, i), view.shape).join(", ")}]`;
}
