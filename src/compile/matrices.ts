/** Products of constant matrices, made while a plan is made: on the backend, because there are many and they are large. */
import type { Backend } from "../backend/backend.ts";
import { matmul } from "../ops/index.ts";
import { tensor } from "../tensor/create.ts";

/** a [rows, middle] times b [middle, columns], on the JavaScript heap; all row-major. */
export function product(backend: Backend, a: Float32Array, b: Float32Array, middle: number): Float32Array {
  const left = tensor(a, [a.length / middle, middle], { backend });
  const right = tensor(b, [middle, b.length / middle], { backend });
  const result = matmul(left, right);
  const numbers = result.toFloat32Array();
  for (const x of [left, right, result]) if (x.backend.name === "wasm") x.dispose();
  return numbers;
}

/** out [rows, columns] += a [rows, middle] b [middle, columns]; all row-major. */
export function addProduct(
  backend: Backend,
  out: Float32Array,
  a: Float32Array,
  b: Float32Array,
  middle: number,
): void {
  const data = product(backend, a, b, middle);
  for (let i = 0; i < out.length; i++) out[i] += data[i];
}
