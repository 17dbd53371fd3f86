/** How `mobiledetr step` writes tensors and numbers. */
import type { TensorStatistics } from "../inspect/index.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { printable } from "./printable.ts";

/** Name, dtype, shape. */
export function describe(name: string, tensor: Tensor): string {
  return `${printable(name)} ${tensor.dtype} ${formatShape(tensor.shape)}`;
}

/** Least, greatest, mean, deviation; zeros and what is not finite where there are any. */
export function summary(s: TensorStatistics): string {
  if (s.count === 0) return "no elements";
  const odd = [...(s.nan > 0 ? [`${s.nan} NaN`] : []), ...(s.inf > 0 ? [`${s.inf} infinite`] : [])];
  const zeros = s.zeros > 0 ? [`${(100 * s.zeros).toFixed(1)} % zeros`] : [];
  return [
    `${number(s.min)} to ${number(s.max)}`,
    `mean ${number(s.mean)}`,
    `std ${number(s.std)}`,
    ...zeros,
    ...odd,
  ].join(", ");
}

/** Four digits. */
export function number(x: number): string {
  return x === 0 ? "0" : Number.isFinite(x) ? String(Number(x.toPrecision(4))) : String(x);
}

/** Nine digits: enough to tell two f32 numbers apart. */
export function exact(x: number): string {
  return String(Number(x.toPrecision(9)));
}
