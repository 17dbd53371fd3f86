/** The same numbers laid out in memory in several ways, to call layers with. */
import type { Backend } from "../../src/backend/backend.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

/** A way to lay out a tensor; undefined where it has none of that kind. */
export type Layout = (x: Tensor, backend: Backend) => Tensor | undefined;

/** What lies between the elements of a strided view: a NaN spoils every sum, the number every index. */
const GAP = { f32: Number.NaN, i32: 1 << 30, i64: 1 << 30, u8: 255 };

/** By name. Each makes a copy on a backend. */
export const LAYOUTS: Readonly<Record<string, Layout>> = {
  "row-major": (x, backend) => Tensor.empty(backend, x.shape, x.dtype).copyFrom(x.to(backend)),

  channels_last: (x, backend) =>
    x.ndim === 4
      ? Tensor.empty(backend, x.shape, x.dtype, "channels_last").copyFrom(x.to(backend))
      : undefined,

  "axes reversed in memory": (x, backend) => {
    if (x.ndim < 2) return undefined;
    const axes = x.shape.map((_, i) => x.ndim - 1 - i);
    const reversed = Tensor.empty(backend, [...x.shape].reverse(), x.dtype);
    return reversed.permute(...axes).copyFrom(x.to(backend));
  },

  "every second element of larger memory": (x, backend) => {
    if (x.ndim < 1) return undefined;
    const wide = x.shape.map((n, i) => (i === x.ndim - 1 ? 2 * n + 1 : n + 1));
    const memory = Tensor.empty(backend, wide, x.dtype);
    backend.fill(memory, GAP[x.dtype]);
    let view: Tensor = memory;
    x.shape.forEach((n, i) => {
      view = i === x.ndim - 1 ? view.slice(i, 1, 2 * n + 1, 2) : view.slice(i, 1);
    });
    return view.copyFrom(x.to(backend));
  },
};
