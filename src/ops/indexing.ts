/**
 * Reading by index. Indices are i32 or i64 here and come out as i32 (PyTorch: i64 only): no axis is longer than that.
 * Negative indices are refused, as in PyTorch.
 */
import type { Backend } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { formatShape, normalizeAxis } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { backendOf, checkDtype, checkRank, f32Operands } from "./checks.ts";

/**
 * out[i][j][k] = x[i][index[i][j][k]][k] for axis 1, as `torch.gather`: index has x's rank and is nowhere larger but
 * along `axis`. Any dtype; the result has index's shape, row-major. Refuses indices outside the axis.
 */
export function gather(x: Tensor, axis: number, index: Tensor): Tensor {
  const where = "gather";
  const backend = backendOf(where, { x, index });
  checkDtype(where, "index", index, ["i32", "i64"]);
  const k = normalizeAxis(axis, x.ndim, where);
  if (x.ndim === 0 || index.ndim !== x.ndim || index.shape.some((n, i) => i !== k && n > x.shape[i])) {
    fail(
      "argument",
      where,
      `index of rank ${Math.max(x.ndim, 1)} no larger than x ${formatShape(x.shape)} but along axis ${k}`,
      formatShape(index.shape),
    );
  }
  checkIndices(where, backend, index, x.shape[k]);
  const out = Tensor.empty(backend, index.shape, x.dtype);
  if (out.size > 0) backend.gather(x, k, index, out);
  return out;
}

/** Rows of weight [V, D] by index [...] -> [..., D], row-major. Refuses indices outside [0, V). */
export function embedding(indices: Tensor, weight: Tensor): Tensor {
  const where = "embedding";
  checkDtype(where, "weight", weight, ["f32"]);
  checkDtype(where, "indices", indices, ["i32", "i64"]);
  const backend = backendOf(where, { indices, weight });
  checkRank(where, "weight", weight, 2, "[V, D]");
  checkIndices(where, backend, indices, weight.shape[0]);
  const out = Tensor.empty(backend, [...indices.shape, weight.shape[1]]);
  if (out.size > 0) backend.embedding(weight, indices, out);
  return out;
}

/** Which elements {@link topk} takes. */
export interface TopkOptions {
  /** The greatest, the default, or else the least. */
  readonly largest?: boolean;
}

/** What {@link topk} returns: both of x's shape with k along the axis; indices are i32. */
export interface Topk {
  readonly values: Tensor;
  readonly indices: Tensor;
}

/**
 * The k greatest (or least) elements along an axis, best first. NaN counts as greatest, as in PyTorch. Ties go to the
 * lowest index, which PyTorch leaves open. f32; row-major results.
 */
export function topk(x: Tensor, k: number, axis = -1, options: TopkOptions = {}): Topk {
  const where = "topk";
  const backend = f32Operands(where, { x });
  const line = x.ndim === 0 ? x.unsqueeze(0) : x;
  const a = normalizeAxis(axis, line.ndim, where);
  if (!Number.isInteger(k) || k < 0 || k > line.shape[a]) {
    fail("argument", where, `k in [0, ${line.shape[a]}], the length of axis ${a}`, String(k));
  }
  const shape = line.shape.map((n, i) => (i === a ? k : n));
  const values = Tensor.empty(backend, shape);
  const indices = Tensor.empty(backend, shape, "i32");
  if (values.size > 0) backend.topk(line, k, a, options.largest ?? true, values, indices);
  return x.ndim === 0 && k === 1
    ? { values: values.viewAs(), indices: indices.viewAs() }
    : { values, indices };
}

/** Refuses an index outside [0, n). Broadcast dimensions are looked at once; shapes alone have nothing to look at. */
function checkIndices(where: string, backend: Backend, index: Tensor, n: number): void {
  if (backend.name === "meta" || index.size === 0) return;
  let distinct = index;
  index.strides.forEach((s, i) => {
    if (s === 0) distinct = distinct.slice(i, 0, 1);
  });
  for (const element of distinct.toArray()) {
    if (element < 0 || element >= n) fail("argument", where, `indices in [0, ${n})`, String(element));
  }
}
