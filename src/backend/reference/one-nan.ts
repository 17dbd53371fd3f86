/**
 * One NaN for all: neither ECMAScript nor the processors say which of the many a calculation gives, and engines differ (V8
 * keeps the processor's, JavaScriptCore has one of its own). What the reference backend stores is the quiet NaN without a
 * sign or payload, 7fc00000, everywhere.
 */
import type { Strided } from "../backend.ts";
import { forEachRow } from "./rows.ts";

const QUIET_NAN = 0x7fc00000;

/** Makes every NaN of an f32 window that one; other types have none. */
function settleNaNs(out: Strided): void {
  if (out.dtype !== "f32") return;
  const values = out.storage.data as Float32Array;
  let words: Int32Array | undefined; // made for the first NaN, which hardly ever comes
  forEachRow(out.shape, [out], (n, [o], [step]) => {
    for (let k = 0; k < n; k++) {
      const at = o + k * step;
      if (!Number.isNaN(values[at])) continue;
      words ??= new Int32Array(values.buffer, values.byteOffset, values.length);
      words[at] = QUIET_NAN;
    }
  });
}

/** An operator that settles the NaNs of what it has written: its arguments at these places. */
export function withOneNaN<A extends readonly unknown[]>(
  operator: (...args: A) => void,
  ...outputs: readonly number[]
): (...args: A) => void {
  return (...args) => {
    operator(...args);
    for (const i of outputs) settleNaNs(args[i] as Strided);
  };
}
