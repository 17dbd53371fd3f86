/** Copies of a strided window's elements on the JavaScript heap: flat in row-major order, or nested lists. */
import type { Strided, TypedArray } from "../backend/backend.ts";
import { newTypedArray } from "../backend/heap.ts";
import { contiguousStrides, sizeOf, stridesMatch } from "./shape.ts";

/** Nested lists of numbers. */
export type Nested = number | Nested[];

/** The elements in row-major order. */
export function readFlat(x: Strided): TypedArray {
  const { shape, strides } = x;
  const out = newTypedArray(x.dtype, sizeOf(shape));
  const data = x.storage.data;
  if (stridesMatch(shape, strides, contiguousStrides(shape))) {
    (out as Float32Array).set(data.subarray(x.offset, x.offset + out.length) as Float32Array);
    return out;
  }
  const last = shape.length - 1;
  let at = 0;
  const walk = (axis: number, offset: number): void => {
    const n = shape[axis];
    const stride = strides[axis];
    if (axis === last) {
      for (let i = 0; i < n; i++) out[at++] = data[offset + i * stride];
    } else {
      for (let i = 0; i < n; i++) walk(axis + 1, offset + i * stride);
    }
  };
  if (last < 0) out[0] = data[x.offset];
  else if (out.length > 0) walk(0, x.offset);
  return out;
}

/** The elements as nested lists, a plain number for a scalar; i64 as numbers. */
export function readNested(x: Strided): Nested {
  const { shape, strides } = x;
  const data = x.storage.data;
  const walk = (axis: number, offset: number): Nested =>
    axis === shape.length
      ? Number(data[offset])
      : Array.from({ length: shape[axis] }, (_, i) => walk(axis + 1, offset + i * strides[axis]));
  return walk(0, x.offset);
}
