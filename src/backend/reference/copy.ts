/** Copies between any strides and element types, and filling. */
import type { Strided } from "../backend.ts";
import { forEachRow } from "./rows.ts";

const INT64_MIN = -(2n ** 63n); // what a float that no integer stands for becomes, as on x86

/** out = value everywhere. */
export function fill(out: Strided, value: number): void {
  const data = out.storage.data;
  forEachRow(out.shape, [out], (n, [at], [step]) => {
    if (data instanceof BigInt64Array) {
      const v = toBigInt(value);
      for (let i = 0; i < n; i++) data[at + i * step] = v;
    } else if (step === 1) data.fill(value, at, at + n);
    else for (let i = 0; i < n; i++) data[at + i * step] = value;
  });
}

/** out[i] = x[i] with the element type converted: floats truncate towards 0, integers wrap to the narrower type. */
export function copy(x: Strided, out: Strided): void {
  const from = x.storage.data;
  const to = out.storage.data;
  forEachRow(out.shape, [out, x], (n, [o, a], [os, as]) => {
    if (to instanceof BigInt64Array) {
      if (from instanceof BigInt64Array) for (let i = 0; i < n; i++) to[o + i * os] = from[a + i * as];
      else for (let i = 0; i < n; i++) to[o + i * os] = toBigInt(from[a + i * as]);
    } else if (from instanceof BigInt64Array) {
      if (to instanceof Float32Array) for (let i = 0; i < n; i++) to[o + i * os] = Number(from[a + i * as]);
      else for (let i = 0; i < n; i++) to[o + i * os] = Number(BigInt.asIntN(32, from[a + i * as]));
    } else if (from instanceof Float32Array && to instanceof Float32Array) {
      for (let i = 0; i < n; i++) to[o + i * os] = from[a + i * as];
    } else {
      for (let i = 0; i < n; i++) to[o + i * os] = from[a + i * as];
    }
  });
}

function toBigInt(value: number): bigint {
  return Number.isFinite(value) ? BigInt.asIntN(64, BigInt(Math.trunc(value))) : INT64_MIN;
}
