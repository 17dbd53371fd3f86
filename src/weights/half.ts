/**
 * The two 16-bit floating-point formats of weight files, to and from float32: IEEE 754 binary16 ("half", F16:
 * 1 sign, 5 exponent, 10 fraction bits) and bfloat16 (BF16: the upper half of a float32). Arrays of bit
 * patterns in, arrays out; no files, no byte order.
 *
 * Widening is exact. Narrowing rounds to nearest, ties to even, keeps subnormals and overflows to infinity:
 * what PyTorch's `Tensor.half()`, `.bfloat16()` and `.float()` compute. All of it works on bit patterns,
 * because a NaN that passes through a JavaScript number may lose its payload.
 *
 * QUIRK: a signalling NaN comes out quiet (its top fraction bit set) from every conversion but bf16 to f32,
 * as from the conversion instructions of x86 and ARM. Sign and payload are kept, where PyTorch's CPU kernels
 * make every NaN 0xFFFF when they narrow to bf16 (seen in 2.x): the one place where the bits may differ.
 */
import { fail } from "../errors.ts";

/** Bits of float32: 8 exponent bits from bit 23 on, biased by 127. */
const F32_INFINITY = 0x7f800000;
const F32_QUIET = 0x00400000;
/** 65536, the first power of two above the largest half, 65504. */
const F32_ABOVE_F16 = 0x47800000;
/** 2^-14, the smallest normal half. */
const F32_SMALLEST_NORMAL_F16 = 0x38800000;
/** What re-biases an exponent between the two formats: (127 - 15) << 23. */
const REBIAS = 0x38000000;

/** The fraction of a subnormal half counts units of 2^-24. */
const F16_SUBNORMAL_UNIT = 2 ** -24;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/**
 * Half to float32, exact: `out[i]` = the value of the bit pattern `bits[i]`.
 * `out` has the length of `bits` and does not share its memory.
 * @throws MobileDetrError "argument" if the lengths differ.
 */
export function f16ToF32(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  requireSameLength("f16ToF32", bits.length, out.length);
  const outBits = bitsOf(out);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i];
    const sign = (half & 0x8000) << 16;
    const magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) {
      const fraction = (magnitude & 0x3ff) << 13;
      outBits[i] = sign | F32_INFINITY | fraction | (fraction === 0 ? 0 : F32_QUIET);
    } else if (magnitude >= 0x0400) {
      outBits[i] = sign | ((magnitude << 13) + REBIAS);
    } else {
      scratch[0] = magnitude * F16_SUBNORMAL_UNIT;
      outBits[i] = sign | scratchBits[0];
    }
  }
  return out;
}

/**
 * float32 to half, to nearest, ties to even: from 65520 on it is infinity, up to 2^-25 it is zero.
 * `out` has the length of `values` and does not share its memory.
 * @throws MobileDetrError "argument" if the lengths differ.
 */
export function f32ToF16(
  values: Float32Array,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  requireSameLength("f32ToF16", values.length, out.length);
  const bits = bitsOf(values);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i] >>> 16) & 0x8000;
    const magnitude = bits[i] & 0x7fffffff;
    let half: number;
    if (magnitude >= F32_ABOVE_F16) {
      half = magnitude > F32_INFINITY ? 0x7e00 | ((magnitude >>> 13) & 0x3ff) : 0x7c00;
    } else if (magnitude >= F32_SMALLEST_NORMAL_F16) {
      // A carry runs into the exponent: 65520 becomes 0x7c00, infinity.
      half = roundedShift(magnitude - REBIAS, 13);
    } else {
      // The fraction with its hidden bit, in units of 2^(exponent - 150), goes to units of 2^-24.
      const shift = 126 - (magnitude >>> 23);
      half = shift > 24 ? 0 : roundedShift((magnitude & 0x7fffff) | 0x800000, shift);
    }
    out[i] = sign | half;
  }
  return out;
}

/**
 * bfloat16 to float32, exact: `out[i]` has `bits[i]` as its upper 16 bits and zeros below.
 * `out` has the length of `bits` and does not share its memory.
 * @throws MobileDetrError "argument" if the lengths differ.
 */
export function bf16ToF32(
  bits: Uint16Array,
  out: Float32Array = new Float32Array(bits.length),
): Float32Array {
  requireSameLength("bf16ToF32", bits.length, out.length);
  const outBits = bitsOf(out);
  for (let i = 0; i < bits.length; i++) outBits[i] = bits[i] << 16;
  return out;
}

/**
 * float32 to bfloat16, to nearest, ties to even; what rounds past the largest bfloat16 (about 3.39e38) is
 * infinity. `out` has the length of `values` and does not share its memory.
 * @throws MobileDetrError "argument" if the lengths differ.
 */
export function f32ToBf16(
  values: Float32Array,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  requireSameLength("f32ToBf16", values.length, out.length);
  const bits = bitsOf(values);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i];
    const isNan = (value & 0x7fffffff) > F32_INFINITY;
    out[i] = isNan ? (value >>> 16) | 0x0040 : roundedShift(value, 16);
  }
  return out;
}

/**
 * `value / 2^shift`, to the nearest integer, ties to even; `value` an unsigned 32-bit integer, `shift` in [1,
 * 31].
 */
function roundedShift(value: number, shift: number): number {
  const odd = (value >>> shift) & 1;
  return (value + ((1 << (shift - 1)) - 1) + odd) >>> shift;
}

/** The same memory, seen as bit patterns. */
function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

function requireSameLength(where: string, source: number, out: number): void {
  if (source !== out) fail("argument", where, `an output of ${source} elements`, `${out}`);
}
