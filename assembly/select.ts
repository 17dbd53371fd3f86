/** Reductions over rows, the best k of a row, and rows picked by index. */
import { copyBytes } from "./copy";

// Codes of `reduceRows`, as `src/backend/wasm/select.ts` has them.
const MAX: i32 = 0;
const MIN: i32 = 1;
const SUM: i32 = 2;

/** Greatest (or, negated, least) of `size` f32 at s; NaN if one is. */
function extreme(s: usize, size: i32, negated: bool): f32 {
  const flip = i32x4.splat(negated ? i32.MIN_VALUE : 0);
  let greatest = f32x4.splat(-Infinity);
  let unordered = i32x4.splat(0);
  let n = size;
  // pmax passes over NaN, which is noted apart: three instructions, where max that propagates it takes seven.
  for (; n >= 4; n -= 4) {
    const v = v128.xor(v128.load(s), flip);
    greatest = f32x4.pmax(greatest, v);
    unordered = v128.or(unordered, f32x4.ne(v, v));
    s += 16;
  }
  for (; n > 0; n--) {
    const v = v128.xor(v128.load32_splat(s), flip);
    greatest = f32x4.pmax(greatest, v);
    unordered = v128.or(unordered, f32x4.ne(v, v));
    s += 4;
  }
  if (v128.any_true(unordered)) return NaN;
  greatest = f32x4.pmax(greatest, v128.shuffle<f32>(greatest, greatest, 2, 3, 2, 3));
  greatest = f32x4.pmax(greatest, v128.shuffle<f32>(greatest, greatest, 1, 1, 1, 1));
  const best = f32x4.extract_lane(greatest, 0);
  return negated ? -best : best;
}

/** Sum in double precision, four partial sums. */
function total(s: usize, size: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  let n = size;
  for (; n >= 4; n -= 4) {
    const v = v128.load(s);
    low = f64x2.add(low, f64x2.promote_low_f32x4(v));
    high = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<f32>(v, v, 2, 3, 2, 3)));
    s += 16;
  }
  const both = f64x2.add(low, high);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (; n > 0; n--) {
    sum += load<f32>(s) as f64;
    s += 4;
  }
  return sum;
}

/**
 * y[r] = max, min, sum or mean (op 0 .. 3) of rows of `size` contiguous elements. NaN propagates; of nothing a maximum
 * is -inf, a minimum +inf, a sum 0, a mean NaN. Unit: one row.
 */
export function reduceRows(
  x: usize,
  y: usize,
  op: i32,
  size: i32,
  xRowBytes: usize,
  yRowBytes: usize,
  begin: i32,
  end: i32,
): void {
  for (let r = begin; r < end; r++) {
    const s = x + (r as usize) * xRowBytes;
    let v: f32 = 0;
    if (op == MAX) v = extreme(s, size, false);
    else if (op == MIN) v = extreme(s, size, true);
    else if (op == SUM) v = total(s, size) as f32;
    else v = (total(s, size) / (size as f64)) as f32;
    store<f32>(y + (r as usize) * yRowBytes, v);
  }
}

/** A number whose unsigned order is that of the elements, NaN above all, 0 and -0 alike. */
function orderOf(v: f32): u32 {
  if (v != v) return 0xffffffff;
  if (v == 0) return 0x80000000;
  const bits = reinterpret<u32>(v);
  return bits >>> 31 ? ~bits : bits | 0x80000000;
}

/** Puts `key` in the place of the least of a heap of k (the least at its root). */
function replaceRoot(heap: usize, k: i32, key: u64): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= k) break;
    let least = load<u64>(heap + ((child as usize) << 3));
    if (child + 1 < k) {
      const other = load<u64>(heap + ((child as usize) << 3), 8);
      if (other < least) {
        least = other;
        child++;
      }
    }
    if (key <= least) break;
    store<u64>(heap + ((at as usize) << 3), least);
    at = child;
  }
  store<u64>(heap + ((at as usize) << 3), key);
}

/**
 * The k greatest (largest != 0) or least of rows of `size` elements xStepBytes apart, best first: values, and indices as
 * i32. Ties by lowest index; NaN is greatest; 1 <= k <= size. One pass over a heap of the best k keys (order, then
 * index), so about n + k log k log n steps in any but a sorted row, at most n log k.
 * - heaps: scratch of k*8 bytes per row, 8-byte aligned
 * - unit: one row
 */
export function topkRows(
  x: usize,
  values: usize,
  indices: usize,
  heaps: usize,
  size: i32,
  k: i32,
  largest: i32,
  xRowBytes: usize,
  xStepBytes: usize,
  vRowBytes: usize,
  vStepBytes: usize,
  iRowBytes: usize,
  iStepBytes: usize,
  begin: i32,
  end: i32,
): void {
  const flip: u32 = largest != 0 ? 0 : 0xffffffff;
  for (let r = begin; r < end; r++) {
    const row = x + (r as usize) * xRowBytes;
    const heap = heaps + (((r as usize) * (k as usize)) << 3);
    // No key is 0 but that of a least element with the index 2^32 - 1: zeros are an empty heap.
    memory.fill(heap, 0, (k as usize) << 3);
    let least: u64 = 0;
    let s = row;
    for (let i = 0; i < size; i++) {
      const order = orderOf(load<f32>(s)) ^ flip;
      const key = ((order as u64) << 32) | (~i as u32 as u64);
      if (key > least) {
        replaceRoot(heap, k, key);
        least = load<u64>(heap);
      }
      s += xStepBytes;
    }
    for (let last = k - 1; last >= 0; last--) {
      const i = ~(load<u64>(heap) as u32) as usize;
      const at = last as usize;
      store<f32>(values + (r as usize) * vRowBytes + at * vStepBytes, load<f32>(row + i * xStepBytes));
      store<u32>(indices + (r as usize) * iRowBytes + at * iStepBytes, i as u32);
      if (last > 0) replaceRoot(heap, last, load<u64>(heap + (at << 3)));
    }
  }
}

/**
 * y[o, q] = x[o, index[o, q]], runs of `size` 4-byte elements; index is i32, within x. Strides in bytes; y overlaps
 * nothing. Unit: one (o, q), `picks` per o.
 */
export function gatherRows(
  x: usize,
  index: usize,
  y: usize,
  picks: i32,
  size: i32,
  xOuterBytes: usize,
  xRowBytes: usize,
  indexOuterBytes: usize,
  indexBytes: usize,
  yOuterBytes: usize,
  yRowBytes: usize,
  begin: i32,
  end: i32,
): void {
  for (let unit = begin; unit < end; unit++) {
    const outer = unit / picks;
    const q = unit - outer * picks;
    const i = load<i32>(index + (outer as usize) * indexOuterBytes + (q as usize) * indexBytes);
    const s = x + (outer as usize) * xOuterBytes + (i as usize) * xRowBytes;
    copyBytes(s, y + (outer as usize) * yOuterBytes + (q as usize) * yRowBytes, size << 2);
  }
}
