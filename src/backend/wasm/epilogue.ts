/** What a product does to its outputs where it writes them: y = activation(sum) + residual. */
import { copyView } from "./copy.ts";
import type { Engine, Take, View } from "./engine.ts";
import type { Activation } from "./fused-activation.ts";

export { type Activation, activationCode } from "./fused-activation.ts";

/** y = activation(sum) + residual; each where it is given. */
export interface Epilogue {
  readonly activation?: Activation;
  /** Of the output's shape, any strides (fast where its channels are contiguous); it does not overlap the output. */
  readonly residual?: View;
}

/** The residual with a stride of 1 along `axis`: itself, or a copy in scratch memory laid out as `like` is. */
export function contiguousResidual(
  engine: Engine,
  take: Take,
  residual: View | undefined,
  axis: number,
  like: View,
): View | undefined {
  if (!residual || residual.shape[axis] === 1 || residual.strides[axis] === 1) return residual;
  const order = like.shape.map((_, i) => i).sort((i, j) => like.strides[j] - like.strides[i] || i - j);
  order.push(...order.splice(order.indexOf(axis), 1));
  const packed = engine.temporary(
    take,
    order.map((i) => residual.shape[i]),
  );
  const strides = new Array<number>(order.length);
  order.forEach((of, i) => {
    strides[of] = packed.strides[i];
  });
  const copy: View = { address: packed.address, shape: residual.shape, strides };
  copyView(engine, residual, copy);
  return copy;
}
