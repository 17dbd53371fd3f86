/**
 * What a product's kernel does to its outputs beside summing: y = activation(sum) + residual, applied where the outputs
 * have just been written, in the first cache. relu and relu6 are two instructions in the store itself. The bits are those
 * of the kernels in `unary` and `binary`, run after the product.
 */
import { activate16, activated, Gelu, Identity, Sigmoid, Silu } from "./unary";

// Activation codes, as `src/backend/wasm/epilogue.ts` has them.
const RELU: i32 = 1;
const RELU6: i32 = 2;
const SILU: i32 = 3;
const GELU: i32 = 4;
const SIGMOID: i32 = 5;

const LIMITS: usize = memory.data<f32>([
  // 0: relu, lower and upper limit
  0,
  0,
  0,
  0,
  Infinity,
  Infinity,
  Infinity,
  Infinity,
  // 32: relu6
  0,
  0,
  0,
  0,
  6,
  6,
  6,
  6,
]);

/** Address of the lower and upper limits (a vector each) of an activation that only clamps, else 0. */
export function limitsOf(activation: i32): usize {
  if (activation == RELU) return LIMITS;
  if (activation == RELU6) return LIMITS + 32;
  return 0;
}

/** A vector within limits; NaN stays. */
export function clamped(v: v128, limits: usize): v128 {
  return f32x4.pmin(f32x4.pmax(v, v128.load(limits)), v128.load(limits, 16));
}

function finishAs<T>(y: usize, r: usize, pixels: i32, count: i32, yBytes: usize, rBytes: usize): void {
  for (let pixel = 0; pixel < pixels; pixel++) {
    let d = y;
    let s = r;
    let n = count;
    if (idof<T>() == idof<Silu>() || idof<T>() == idof<Sigmoid>()) {
      for (; n >= 16; n -= 16) {
        activate16<T>(d, d);
        if (r != 0) {
          v128.store(d, f32x4.add(v128.load(d), v128.load(s)));
          v128.store(d, f32x4.add(v128.load(d, 16), v128.load(s, 16)), 16);
          v128.store(d, f32x4.add(v128.load(d, 32), v128.load(s, 32)), 32);
          v128.store(d, f32x4.add(v128.load(d, 48), v128.load(s, 48)), 48);
        }
        d += 64;
        s += 64;
      }
    }
    for (; n >= 4; n -= 4) {
      let v = activated<T>(v128.load(d));
      if (r != 0) v = f32x4.add(v, v128.load(s));
      v128.store(d, v);
      d += 16;
      s += 16;
    }
    for (; n > 0; n--) {
      let v = activated<T>(v128.load32_splat(d));
      if (r != 0) v = f32x4.add(v, v128.load32_splat(s));
      v128.store_lane<f32>(d, v, 0);
      d += 4;
      s += 4;
    }
    y += yBytes;
    r += rBytes;
  }
}

/**
 * Finishes `pixels` x `count` outputs that stand at y (pixels yBytes apart) with their relu or relu6 done: the other
 * activations, then the residual at r (pixels rBytes apart; 0 for none, then rBytes is 0 too).
 */
export function finish(
  y: usize,
  r: usize,
  pixels: i32,
  count: i32,
  yBytes: usize,
  rBytes: usize,
  activation: i32,
): void {
  if (activation == SILU) finishAs<Silu>(y, r, pixels, count, yBytes, rBytes);
  else if (activation == GELU) finishAs<Gelu>(y, r, pixels, count, yBytes, rBytes);
  else if (activation == SIGMOID) finishAs<Sigmoid>(y, r, pixels, count, yBytes, rBytes);
  else if (r != 0) finishAs<Identity>(y, r, pixels, count, yBytes, rBytes);
}
