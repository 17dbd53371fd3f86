/** Elements of host tensors as JavaScript numbers, whatever their dtype, and in words. */
import { f16ToF32 } from "../weights/half.ts";
import type { HostDtype, HostTensor } from "./host-tensor.ts";

/** Arrays whose elements are numbers. */
export type NumberArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/**
 * A tensor's elements as an array of numbers: its own memory where it holds numbers already, else widened (F16: exact; I64:
 * exact up to 2^53).
 */
export function numbersOf(tensor: HostTensor): NumberArray {
  if (tensor.dtype === "F16") return f16ToF32(tensor.data);
  if (tensor.dtype === "I64") return Float64Array.from(tensor.data, Number);
  return tensor.data;
}

/** Whether a dtype is one of floating-point numbers. */
export function isFloat(dtype: HostDtype): boolean {
  return dtype === "F32" || dtype === "F64" || dtype === "F16";
}

/** How many elements a shape has. */
export function numelOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

/** The index along each axis of a flat position, row-major. */
export function coordinatesOf(position: number, shape: readonly number[]): number[] {
  const out = [...shape];
  let rest = position;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    out[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return out;
}

/** "[1, 3, 640, 640]". */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
