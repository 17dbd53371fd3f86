/** Reductions over an axis, top-k and gather: what has the layout that their kernels need; `false` is for the rest. */
import type { ReduceOp } from "../backend.ts";
import { type Engine, sizeOf, type View } from "./engine.ts";
import { asRows, loopsOver } from "./loops.ts";

/** As `assembly/select.ts` has them. */
const REDUCTIONS: Readonly<Partial<Record<ReduceOp, number>>> = { max: 0, min: 1, sum: 2, mean: 3 };

function without<T>(list: readonly T[], axis: number): T[] {
  return list.filter((_, i) => i !== axis);
}

/** y = max, min, sum (in double precision) or mean of x along `axis`, whose elements are contiguous; false otherwise. */
export function reduceView(engine: Engine, op: ReduceOp, x: View, axis: number, y: View): boolean {
  const code = REDUCTIONS[op];
  const size = x.shape[axis];
  if (code === undefined || (size > 1 && x.strides[axis] !== 1)) return false;
  const rows = asRows(loopsOver(y.shape, [without(x.strides, axis), y.strides], false));
  if (!rows) return false;
  const [xs, ys] = rows.strides.map((s) => s * 4);
  if (sizeOf(y.shape) > 0) {
    engine.run("reduceRows", [x.address, y.address, code, size, xs, ys], rows.rows, size * 0.25 + 5);
  }
  return true;
}

/** The k best of x along `axis`, 1 <= k; false where the lines are not evenly apart. `indices` holds i32. */
export function topkView(
  engine: Engine,
  x: View,
  k: number,
  axis: number,
  largest: boolean,
  values: View,
  indices: View,
): boolean {
  const size = x.shape[axis];
  const lead = [x, values, indices].map((v) => without(v.strides, axis));
  const rows = asRows(loopsOver(without(x.shape, axis), lead, false));
  if (!rows || k < 1) return false;
  if (sizeOf(values.shape) === 0) return true;
  const [xs, vs, is] = rows.strides.map((s) => s * 4);
  engine.scratch((take) => {
    engine.run(
      "topkRows",
      [
        x.address,
        values.address,
        indices.address,
        take(rows.rows * k * 8),
        size,
        k,
        largest ? 1 : 0,
        xs,
        x.strides[axis] * 4,
        vs,
        values.strides[axis] * 4,
        is,
        indices.strides[axis] * 4,
      ],
      rows.rows,
      size * 2 + k * 50,
    );
  });
  return true;
}

/**
 * y[i][j][k] = x[i][index[i][j][k]][k] for axis 1, 4-byte elements, where `index` (i32) does not depend on the axes after
 * it and those are one contiguous run in x and y; false otherwise.
 */
export function gatherView(engine: Engine, x: View, axis: number, index: View, y: View): boolean {
  const after = y.shape.slice(axis + 1);
  const inner = loopsOver(after, [x.strides.slice(axis + 1), y.strides.slice(axis + 1)], false);
  const run = asRows(inner);
  if (!run || (run.rows > 1 && run.strides.some((s) => s !== 1))) return false;
  if (after.some((n, i) => n > 1 && index.strides[axis + 1 + i] !== 0)) return false;
  const lead = [x, index, y].map((v) => v.strides.slice(0, axis));
  const outer = asRows(loopsOver(y.shape.slice(0, axis), lead, false));
  if (!outer) return false;
  if (sizeOf(y.shape) === 0) return true;
  const [xOuter, indexOuter, yOuter] = outer.strides.map((s) => s * 4);
  engine.run(
    "gatherRows",
    [
      x.address,
      index.address,
      y.address,
      y.shape[axis],
      run.rows,
      xOuter,
      x.strides[axis] * 4,
      indexOuter,
      index.strides[axis] * 4,
      yOuter,
      y.strides[axis] * 4,
    ],
    outer.rows * y.shape[axis],
    run.rows * 0.3 + 10,
  );
  return true;
}
