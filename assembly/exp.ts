/**
 * exp for four lanes: x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) = 1 + r + r^2 q(r) with a minimax q of degree 4 (relative
 * error 3e-9 before rounding); times 2^n by the exponent bits. Constants are read from memory because V8 builds a
 * `v128.const` anew in every turn of a loop.
 */
const C: usize = memory.data<f32>([
  // 0: log2(e)
  1.4426950408889634, 1.4426950408889634, 1.4426950408889634, 1.4426950408889634,
  // 16: 1.5 * 2^23: adding it rounds to the nearest integer, which then stands in the low bits
  12582912, 12582912, 12582912, 12582912,
  // 32: ln 2 in two parts, the first with 9 bits so that n times it is exact
  0.693359375, 0.693359375, 0.693359375, 0.693359375,
  // 48
  -2.1219444005469057e-4, -2.1219444005469057e-4, -2.1219444005469057e-4, -2.1219444005469057e-4,
  // 64 .. 128: q, from the constant up
  0.4999999403953552, 0.4999999403953552, 0.4999999403953552, 0.4999999403953552,
  // 80
  0.1666651964187622, 0.1666651964187622, 0.1666651964187622, 0.1666651964187622,
  // 96
  0.04166839271783829, 0.04166839271783829, 0.04166839271783829, 0.04166839271783829,
  // 112
  0.008368780836462975, 0.008368780836462975, 0.008368780836462975, 0.008368780836462975,
  // 128
  0.0013814467238262296, 0.0013814467238262296, 0.0013814467238262296, 0.0013814467238262296,
  // 144: 1
  1, 1, 1, 1,
  // 160: above it everything overflows
  89, 89, 89, 89,
  // 176: below it 2^(n-1) would leave the normal numbers
  -87.3, -87.3, -87.3, -87.3,
  // 192: below it everything rounds to 0
  -104, -104, -104, -104,
  // 208: as 16, plus 126
  12583038, 12583038, 12583038, 12583038,
  // 224: as 16, plus 254
  12583166, 12583166, 12583166, 12583166,
]);

/** exp(r) for the reduced argument: r = x - n ln 2, n as a float. */
function reduced(x: v128, n: v128): v128 {
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, v128.load(C, 32))), f32x4.mul(n, v128.load(C, 48)));
  let q = f32x4.add(v128.load(C, 112), f32x4.mul(r, v128.load(C, 128)));
  q = f32x4.add(v128.load(C, 96), f32x4.mul(r, q));
  q = f32x4.add(v128.load(C, 80), f32x4.mul(r, q));
  q = f32x4.add(v128.load(C, 64), f32x4.mul(r, q));
  return f32x4.add(v128.load(C, 144), f32x4.add(r, f32x4.mul(f32x4.mul(r, r), q)));
}

/**
 * exp(x) within about 1 ULP; results below 2^-125 become 0 and results above the greatest float infinity; NaN stays.
 * For sums and quotients in which so small a number does not count.
 */
export function expFast(x: v128): v128 {
  // pmin and pmax return their first argument where it is NaN
  const v = f32x4.pmax(f32x4.pmin(x, v128.load(C, 160)), v128.load(C, 176));
  const shifted = f32x4.add(f32x4.mul(v, v128.load(C)), v128.load(C, 208));
  const e = reduced(v, f32x4.sub(shifted, v128.load(C, 208)));
  // The low bits of shifted are n + 126: shifted left they are 2^(n-1). Then twice, because n = 128 has no float of its
  // own; n = -126 gives 0.
  const half = f32x4.mul(e, i32x4.shl(shifted, 23));
  return f32x4.add(half, half);
}

/** exp(x) within about 1 ULP, denormal results included; exp(-inf) = 0, exp(inf) = inf, NaN stays. */
export function expFull(x: v128): v128 {
  const v = f32x4.pmax(f32x4.pmin(x, v128.load(C, 160)), v128.load(C, 192));
  const shifted = f32x4.add(f32x4.mul(v, v128.load(C)), v128.load(C, 224));
  const e = reduced(v, f32x4.sub(shifted, v128.load(C, 224)));
  // n + 254 in two halves, each the exponent of a normal number
  const biased = i32x4.sub(shifted, v128.load(C, 16));
  const first = i32x4.shr_u(biased, 1);
  const second = i32x4.sub(biased, first);
  return f32x4.mul(f32x4.mul(e, i32x4.shl(first, 23)), i32x4.shl(second, 23));
}

/** 1 in every lane. */
export function one(): v128 {
  return v128.load(C, 144);
}
