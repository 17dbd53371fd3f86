/** Tensors put together: `cat` and `stack`. Taking apart (`split`, `chunk`, `unbind`) is a view: see Tensor. */
import { fail } from "../errors.ts";
import { formatShape, normalizeAxis, sameShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { backendOf, checkDtype } from "./checks.ts";

/**
 * Joins tensors along an existing axis; all other sizes agree, and so do the dtypes (any). The result is channels_last
 * where all of them are, else row-major.
 */
export function cat(tensors: readonly Tensor[], axis = 0): Tensor {
  return join("cat", tensors, axis);
}

/** Joins tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  if (tensors.length === 0) fail("argument", "stack", "at least one tensor", "none");
  for (const [i, x] of tensors.entries()) {
    if (!sameShape(x.shape, tensors[0].shape)) {
      fail(
        "argument",
        "stack",
        `tensor ${i} of shape ${formatShape(tensors[0].shape)}`,
        formatShape(x.shape),
      );
    }
  }
  const k = normalizeAxis(axis, tensors[0].ndim + 1, "stack");
  return join(
    "stack",
    tensors.map((x) => x.unsqueeze(k)),
    k,
  );
}

function join(where: string, tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0) fail("argument", where, "at least one tensor", "none");
  const [first] = tensors;
  if (first.ndim === 0) fail("argument", where, "tensors of at least one dimension", "scalars", "use stack");
  const backend = backendOf(where, Object.fromEntries(tensors.map((x, i) => [`tensor ${i}`, x])));
  const k = normalizeAxis(axis, first.ndim, where);
  let length = 0;
  for (const [i, x] of tensors.entries()) {
    checkDtype(where, `tensor ${i}`, x, [first.dtype]);
    if (x.ndim !== first.ndim || x.shape.some((n, j) => j !== k && n !== first.shape[j])) {
      fail(
        "argument",
        where,
        `tensor ${i} to agree with ${formatShape(first.shape)} but for axis ${k}`,
        formatShape(x.shape),
      );
    }
    length += x.shape[k];
  }
  const shape = first.shape.map((n, j) => (j === k ? length : n));
  const channelsLast =
    tensors.every((x) => x.isContiguous("channels_last")) && !tensors.every((x) => x.isContiguous());
  const out = Tensor.empty(backend, shape, first.dtype, channelsLast ? "channels_last" : "contiguous");
  let start = 0;
  for (const x of tensors) {
    const end = start + x.shape[k];
    if (x.size > 0) backend.copy(x, out.slice(k, start, end));
    start = end;
  }
  return out;
}
