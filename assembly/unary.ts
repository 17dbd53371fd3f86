/**
 * Element-wise functions of one argument over a flat run: y[i] = f(x[i]) for i in [begin, end). y may be x. The last one
 * to three elements pass through the same vector code, so that the bits do not depend on where the run is cut.
 *
 * NaN stays NaN in all of them. QUIRK: silu(-inf), gelu(-inf) and gelu_tanh(-inf) are NaN, as in PyTorch (-inf * 0).
 */
import { expFast, expFull, one } from "./exp";

/** The function that changes nothing. */
export class Identity {}
class Relu {}
class Relu6 {}
class Neg {}
class Sqrt {}
class Exp {}
/** 1 / (1 + exp(-x)). */
export class Sigmoid {}
/** x / (1 + exp(-x)). */
export class Silu {}
/** x Phi(x). */
export class Gelu {}
class GeluTanh {}

const C: usize = memory.data<f32>([
  // 0: 6
  6, 6, 6, 6,
  // 16: 2 sqrt(2/pi)
  1.5957691216057308, 1.5957691216057308, 1.5957691216057308, 1.5957691216057308,
  // 32: 2 sqrt(2/pi) * 0.044715
  0.07135481627159602, 0.07135481627159602, 0.07135481627159602, 0.07135481627159602,
  // 48: 1/2
  0.5, 0.5, 0.5, 0.5,
  // 64: above it the tail is 0 in single precision
  14, 14, 14, 14,
  // 80: P, from the constant up
  0.5, 0.5, 0.5, 0.5,
  // 96
  0.43614593148231506, 0.43614593148231506, 0.43614593148231506, 0.43614593148231506,
  // 112
  0.18164560198783875, 0.18164560198783875, 0.18164560198783875, 0.18164560198783875,
  // 128
  0.040097981691360474, 0.040097981691360474, 0.040097981691360474, 0.040097981691360474,
  // 144
  0.004036986734718084, 0.004036986734718084, 0.004036986734718084, 0.004036986734718084,
  // 160: Q, from the linear term up; its constant is 1
  1.6701767444610596, 1.6701767444610596, 1.6701767444610596, 1.6701767444610596,
  // 176
  1.1958951950073242, 1.1958951950073242, 1.1958951950073242, 1.1958951950073242,
  // 192
  0.4652746021747589, 0.4652746021747589, 0.4652746021747589, 0.4652746021747589,
  // 208
  0.10051794350147247, 0.10051794350147247, 0.10051794350147247, 0.10051794350147247,
  // 224
  0.010119086131453514, 0.010119086131453514, 0.010119086131453514, 0.010119086131453514,
]);

/**
 * Phi(x), the normal distribution function: with a = |x| the tail Phi(-a) = exp(-a^2 / 2) P(a) / Q(a) (minimax, relative
 * error 5e-9 before rounding), so that the left tail keeps its digits; 1 - tail where x > 0.
 */
function normalCdf(x: v128): v128 {
  const a = f32x4.pmin(f32x4.abs(x), v128.load(C, 64));
  let p = f32x4.add(v128.load(C, 128), f32x4.mul(a, v128.load(C, 144)));
  p = f32x4.add(v128.load(C, 112), f32x4.mul(a, p));
  p = f32x4.add(v128.load(C, 96), f32x4.mul(a, p));
  p = f32x4.add(v128.load(C, 80), f32x4.mul(a, p));
  let q = f32x4.add(v128.load(C, 208), f32x4.mul(a, v128.load(C, 224)));
  q = f32x4.add(v128.load(C, 192), f32x4.mul(a, q));
  q = f32x4.add(v128.load(C, 176), f32x4.mul(a, q));
  q = f32x4.add(v128.load(C, 160), f32x4.mul(a, q));
  q = f32x4.add(one(), f32x4.mul(a, q));
  const e = expFast(f32x4.neg(f32x4.mul(f32x4.mul(a, a), v128.load(C, 48))));
  const tail = f32x4.div(f32x4.mul(e, p), q);
  return v128.bitselect(tail, f32x4.sub(one(), tail), f32x4.lt(x, f32x4.splat(0)));
}

/** The function T of four lanes. */
export function activated<T>(x: v128): v128 {
  if (idof<T>() == idof<Identity>()) return x;
  if (idof<T>() == idof<Relu>()) return f32x4.pmax(x, f32x4.splat(0));
  if (idof<T>() == idof<Relu6>()) return f32x4.pmin(f32x4.pmax(x, f32x4.splat(0)), v128.load(C));
  if (idof<T>() == idof<Neg>()) return f32x4.neg(x);
  if (idof<T>() == idof<Sqrt>()) return f32x4.sqrt(x);
  if (idof<T>() == idof<Exp>()) return expFull(x);
  if (idof<T>() == idof<Sigmoid>()) return f32x4.div(one(), f32x4.add(one(), expFast(f32x4.neg(x))));
  if (idof<T>() == idof<Silu>()) return f32x4.div(x, f32x4.add(one(), expFast(f32x4.neg(x))));
  if (idof<T>() == idof<Gelu>()) return f32x4.mul(x, normalCdf(x));
  // gelu_tanh: 0.5 x (1 + tanh u) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3)
  const square = f32x4.mul(x, x);
  const u2 = f32x4.mul(x, f32x4.add(v128.load(C, 16), f32x4.mul(square, v128.load(C, 32))));
  return f32x4.div(x, f32x4.add(one(), expFast(f32x4.neg(u2))));
}

/**
 * y = T(x) for 16 contiguous elements; y may be x. Four chains side by side: for functions that wait for one exp and one
 * division (silu, sigmoid) 1.4 to 1.5 times as fast as vector by vector.
 */
export function activate16<T>(x: usize, y: usize): void {
  const a = activated<T>(v128.load(x));
  const b = activated<T>(v128.load(x, 16));
  const c = activated<T>(v128.load(x, 32));
  const d = activated<T>(v128.load(x, 48));
  v128.store(y, a);
  v128.store(y, b, 16);
  v128.store(y, c, 32);
  v128.store(y, d, 48);
}

function run<T>(x: usize, y: usize, begin: i32, end: i32): void {
  x += (begin as usize) << 2;
  y += (begin as usize) << 2;
  let n = end - begin;
  if (idof<T>() == idof<Silu>() || idof<T>() == idof<Sigmoid>()) {
    for (; n >= 16; n -= 16) {
      activate16<T>(x, y);
      x += 64;
      y += 64;
    }
  }
  for (; n >= 4; n -= 4) {
    v128.store(y, activated<T>(v128.load(x)));
    x += 16;
    y += 16;
  }
  for (; n > 0; n--) {
    v128.store_lane<f32>(y, activated<T>(v128.load32_splat(x)), 0);
    x += 4;
    y += 4;
  }
}

/** max(x, 0). */
export function reluFlat(x: usize, y: usize, begin: i32, end: i32): void {
  run<Relu>(x, y, begin, end);
}

/** min(max(x, 0), 6). */
export function relu6Flat(x: usize, y: usize, begin: i32, end: i32): void {
  run<Relu6>(x, y, begin, end);
}

/** -x. */
export function negFlat(x: usize, y: usize, begin: i32, end: i32): void {
  run<Neg>(x, y, begin, end);
}

/** Square root, correctly rounded. */
export function sqrtFlat(x: usize, y: usize, begin: i32, end: i32): void {
  run<Sqrt>(x, y, begin, end);
}

/** exp(x), about 1 ULP. */
export function expFlat(x: usize, y: usize, begin: i32, end: i32): void {
  run<Exp>(x, y, begin, end);
}

/** 1 / (1 + exp(-x)). */
export function sigmoidFlat(x: usize, y: usize, begin: i32, end: i32): void {
  run<Sigmoid>(x, y, begin, end);
}

/** x / (1 + exp(-x)). */
export function siluFlat(x: usize, y: usize, begin: i32, end: i32): void {
  run<Silu>(x, y, begin, end);
}

/** x Phi(x): the exact (erf) GELU. */
export function geluFlat(x: usize, y: usize, begin: i32, end: i32): void {
  run<Gelu>(x, y, begin, end);
}

/** The tanh approximation of GELU. */
export function geluTanhFlat(x: usize, y: usize, begin: i32, end: i32): void {
  run<GeluTanh>(x, y, begin, end);
}

/** min(max(x, low), high); NaN stays. */
export function clampFlat(x: usize, y: usize, low: f32, high: f32, begin: i32, end: i32): void {
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  x += (begin as usize) << 2;
  y += (begin as usize) << 2;
  let n = end - begin;
  for (; n >= 4; n -= 4) {
    v128.store(y, f32x4.pmin(f32x4.pmax(v128.load(x), lows), highs));
    x += 16;
    y += 16;
  }
  for (; n > 0; n--) {
    v128.store_lane<f32>(y, f32x4.pmin(f32x4.pmax(v128.load32_splat(x), lows), highs), 0);
    x += 4;
    y += 4;
  }
}
