/** Dimensions in another order: NCHW is what operators are described in, and not what every library keeps. */

/** Numbers of dimensions in another order: axis i of the result is axis `order[i]` of `values`. */
export function permuted(values, shape, order) {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((product, size) => product * size, 1));
  const [sizes, steps] = [order.map((i) => shape[i]), order.map((i) => strides[i])];
  const out = new values.constructor(values.length);
  const at = sizes.map(() => 0);
  for (let i = 0, from = 0; i < out.length; i++) {
    out[i] = values[from];
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++at[axis] < sizes[axis]) break;
      from -= steps[axis] * sizes[axis];
      at[axis] = 0;
    }
  }
  return out;
}
