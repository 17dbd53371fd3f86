/** Products of constant matrices, made while a plan is made: on the backend, because there are many and they are large. */
import type { Backend } from "../backend/backend.ts";
import { matmul } from "../ops/index.ts";
import { tensor } from "../tensor/create.ts";

/** out [rows, columns] += a [rows, middle] b [middle, columns]; all row-major. */
export function addProduct(
  backend: Backend,
  out: Float32Array,
  a: Float32Array,
  b: Float32Array,
  middle: number,
): void {
  const left = tensor(a, [a.length / middle, middle], { backend });
  const right = tensor(b, [middle, b.length / middle], { backend });
  const product = matmul(left, right);
  const data = product.storage.data as Float32Array;
  for (let i = 0; i < out.length; i++) out[i] += data[i];
  for (const x of [left, right, product]) if (x.backend.name === "wasm") x.dispose();
}
