/** The k greatest or least elements of every line along an axis. */
import type { Strided } from "../backend.ts";
import { dropAxis, f32, forEachRow, without } from "./rows.ts";

/** Best first; ties by lowest index; NaN is greatest. values and indices (i32) have x's shape with k for `axis`. */
export function topk(
  x: Strided,
  k: number,
  axis: number,
  largest: boolean,
  values: Strided,
  indices: Strided,
): void {
  const d = x.shape[axis];
  const a = f32(x);
  const v = f32(values);
  const w = indices.storage.data as Int32Array;
  const xs = x.strides[axis];
  const vs = values.strides[axis];
  const ws = indices.strides[axis];
  const line = new Float64Array(d);
  const order = new Int32Array(d);
  // Sorting upwards: what counts as best gets the least key. NaN is beyond +inf, so keys are compared apart.
  const sign = largest ? -1 : 1;
  const nanRank = largest ? -1 : 1;
  const compare = (i: number, j: number): number => {
    const p = line[i];
    const q = line[j];
    if (p < q) return -sign;
    if (p > q) return sign;
    const r = (Number.isNaN(p) ? nanRank : 0) - (Number.isNaN(q) ? nanRank : 0);
    return r || i - j;
  };
  forEachRow(
    without(x.shape, axis),
    [dropAxis(values, axis), dropAxis(indices, axis), dropAxis(x, axis)],
    (n, [vAt, wAt, xAt], [vStep, wStep, xStep]) => {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < d; j++) {
          line[j] = a[xAt + i * xStep + j * xs];
          order[j] = j;
        }
        order.sort(compare);
        for (let j = 0; j < k; j++) {
          v[vAt + i * vStep + j * vs] = line[order[j]];
          w[wAt + i * wStep + j * ws] = order[j];
        }
      }
    },
  );
}
