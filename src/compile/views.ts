/**
 * What views of one value have to do with each other: whether they show all of it, in the same order, and how a view must
 * be rewritten when its elements move to other places. Strides of axes of size 1 mean nothing and are not looked at.
 */
import { loopsOver } from "../backend/wasm/loops.ts";
import { isDense, sameShape, sizeOf } from "../tensor/shape.ts";
import type { View } from "./graph.ts";

/** True where a view shows every element of its value exactly once. */
export function isWhole(view: View): boolean {
  return view.offset === 0 && sizeOf(view.shape) === view.value.length && isDense(view.shape, view.strides);
}

/** True where two views have the same shape and put every element at the same place of their values. */
export function samePlaces(a: View, b: View): boolean {
  return (
    a.offset === b.offset &&
    sameShape(a.shape, b.shape) &&
    a.shape.every((n, i) => n === 1 || a.strides[i] === b.strides[i])
  );
}

/** True where both are the same elements of the same value in the same order. */
export function sameView(a: View | undefined, b: View | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.value === b.value && samePlaces(a, b));
}

/**
 * `view` shows elements of the value of `from`; every element of `from` moves to the place that `to` (of the same shape)
 * has for it. Gives the view of the same elements at their new places, or undefined where no strides show them. `from`
 * must be whole.
 */
export function moveView(view: View, from: View, to: View): View | undefined {
  if (view.value !== from.value || !isWhole(from)) return undefined;
  const { sizes, strides } = loopsOver(from.shape, [to.strides, from.strides], true);
  const [targets, sources] = strides;
  // Where element `at` of the old value goes, relative to the new offset.
  const place = (at: number): number => {
    let rest = at;
    let sum = 0;
    sizes.forEach((n, i) => {
      const digit = Math.floor(rest / sources[i]) % n;
      rest -= digit * sources[i];
      sum += digit * targets[i];
    });
    return sum;
  };
  // An axis of the view must stay within one loop, or it has no single stride.
  const moved: number[] = [];
  for (let axis = 0; axis < view.shape.length; axis++) {
    const n = view.shape[axis];
    const stride = view.strides[axis];
    if (n <= 1 || stride === 0) {
      moved.push(0);
      continue;
    }
    const loop = sources.findIndex((s, i) => s <= stride && stride < s * sizes[i]);
    if (loop < 0 || stride % sources[loop] !== 0) return undefined;
    moved.push((stride / sources[loop]) * targets[loop]);
  }
  // The view's offset must leave room in every loop for the axes that run along it.
  const first = view.offset;
  let rest = first;
  const room = sizes.map((n, i) => {
    const digit = Math.floor(rest / sources[i]) % n;
    rest -= digit * sources[i];
    return n - 1 - digit;
  });
  for (let axis = 0; axis < view.shape.length; axis++) {
    const n = view.shape[axis];
    const stride = view.strides[axis];
    if (n <= 1 || stride === 0) continue;
    const loop = sources.findIndex((s, i) => s <= stride && stride < s * sizes[i]);
    room[loop] -= ((n - 1) * stride) / sources[loop];
  }
  if (room.some((left) => left < 0)) return undefined;
  return { value: to.value, shape: view.shape, strides: moved, offset: to.offset + place(first) };
}

/** Elements between the first and one past the last that a view shows. */
export function reachOf(view: View): [number, number] {
  let last = view.offset;
  view.shape.forEach((n, i) => {
    last += (n - 1) * view.strides[i];
  });
  return [view.offset, last + 1];
}
