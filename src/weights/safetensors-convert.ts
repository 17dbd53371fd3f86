/**
 * Element conversion between typed arrays, with the rule that `SafetensorsFile.readInto` promises:
 * into floating point a value is rounded once, to nearest, ties to even; into integers it must fit exactly.
 */
import type { SafetensorsArray } from "./safetensors-dtype.ts";

/** From here on not every integer is a double. */
const EXACT_IN_F64 = 2n ** 53n;

/**
 * Writes `source` to `out` from index `at` on. Returns the index in `source` of the first value that an
 * integer `out` cannot hold exactly (a fraction, a NaN, out of range), or -1 if all went in; what comes after
 * it is not written.
 */
export function convertInto(source: SafetensorsArray, out: SafetensorsArray, at: number): number {
  const fromBig = source instanceof BigInt64Array || source instanceof BigUint64Array;
  const name = out[Symbol.toStringTag];
  if (name === "Float32Array" || name === "Float64Array") {
    if (fromBig) roundIntegers(source, out as Float32Array | Float64Array, at, name === "Float32Array");
    // A typed array's set converts as an assignment does: rounded to nearest even.
    else (out as Float32Array | Float64Array).set(source as Float32Array, at);
    return -1;
  }
  if (name === "BigInt64Array" || name === "BigUint64Array") {
    return storeExactBig(source, out as BigInt64Array | BigUint64Array, at);
  }
  return storeExact(source, out as Int32Array, at);
}

/** 64-bit integers to floating point. */
function roundIntegers(
  source: BigInt64Array | BigUint64Array,
  out: Float32Array | Float64Array,
  at: number,
  toF32: boolean,
): void {
  for (let i = 0; i < source.length; i++) {
    const value = source[i];
    const exact = value < EXACT_IN_F64 && value > -EXACT_IN_F64;
    out[at + i] = exact || !toF32 ? Number(value) : stickyF64(value);
  }
}

/**
 * A 64-bit integer cut to the upper 53 of its 64 bits, the last of them set if anything was lost below
 * ("round to odd"): rounding that to f32 is rounding the integer once, where rounding to f64 first would
 * round twice.
 */
function stickyF64(value: bigint): number {
  const magnitude = value < 0n ? -value : value;
  const cut = (magnitude >> 11n) | ((magnitude & 0x7ffn) === 0n ? 0n : 1n);
  const rounded = Number(cut << 11n);
  return value < 0n ? -rounded : rounded;
}

/**
 * Stores and reads back: what comes back changed did not fit. NaN never equals itself, so it never fits; a
 * bigint that Number() rounds is beyond 32 bits either way.
 */
function storeExact(source: SafetensorsArray, out: Int32Array, at: number): number {
  for (let i = 0; i < source.length; i++) {
    const value = Number(source[i]);
    out[at + i] = value;
    if (out[at + i] !== value) return i;
  }
  return -1;
}

function storeExactBig(source: SafetensorsArray, out: BigInt64Array | BigUint64Array, at: number): number {
  for (let i = 0; i < source.length; i++) {
    const value = source[i];
    if (typeof value === "number" && !Number.isInteger(value)) return i;
    const wide = BigInt(value);
    out[at + i] = wide;
    if (out[at + i] !== wide) return i;
  }
  return -1;
}
