/**
 * Matrix product with 2x16 micro-tiles: Y[pixels, outputs] = bias + X[pixels, K] * W, weights in panels of 16 outputs
 * (`packPanels`). K is read in segments (rows x taps x length), so that a convolution over a zero-framed channels-last
 * buffer is this product without im2col. Accumulates k upwards from the bias, in both tiles alike.
 *
 * Shaped by V8: 8 accumulators, 4 weights, 2 pixels and a product fit its 15 registers; the four steps are real
 * branches because one merged block would spill.
 *
 * QUIRK: where the loop is left, `Accumulators.meet` would store sums of accumulators of the two pixels if k were far
 * below 0, which it never is. V8's TurboFan orders a block by walking up from the last user of each value: without a common
 * user it walks from one accumulator to the next and puts each multiplication right before its addition; with one it
 * puts the two multiplications before the two additions. AMD's cores hand instructions to their multipliers and adders by
 * their place in the stream: an unbroken run of single pairs keeps half of them idle, double pairs do not.
 */
import { clamped, finish, limitsOf } from "./epilogue";

/** Stores the first `count` (1..16) of 16 lanes. */
function storeLanes(y: usize, count: i32, c0: v128, c1: v128, c2: v128, c3: v128): void {
  let rest = c0;
  if (count >= 16) {
    v128.store(y, c0);
    v128.store(y, c1, 16);
    v128.store(y, c2, 32);
    v128.store(y, c3, 48);
    return;
  }
  if (count >= 4) {
    v128.store(y, c0);
    rest = c1;
  }
  if (count >= 8) {
    v128.store(y, c1, 16);
    rest = c2;
  }
  if (count >= 12) {
    v128.store(y, c2, 32);
    rest = c3;
  }
  y += ((count & ~3) as usize) << 2;
  const lanes = count & 3;
  if (lanes > 0) v128.store_lane<f32>(y, rest, 0);
  if (lanes > 1) v128.store_lane<f32>(y, rest, 1, 4);
  if (lanes > 2) v128.store_lane<f32>(y, rest, 2, 8);
}

class Accumulators {
  /** Never does anything, for k >= -100: see the file's head. A static method because the linter knows no decorated functions. */
  @inline
  static meet(
    k: i32,
    at: usize,
    a0: v128,
    a1: v128,
    a2: v128,
    a3: v128,
    b0: v128,
    b1: v128,
    b2: v128,
    b3: v128,
  ): void {
    if (k < -100) {
      v128.store(at, f32x4.add(a0, b0));
      v128.store(at, f32x4.add(a1, b1), 16);
      v128.store(at, f32x4.add(a2, b2), 32);
      v128.store(at, f32x4.add(a3, b3), 48);
    }
  }
}

/**
 * Pixels (the last one left out where `pixels` is odd) in pairs times one panel of 16 outputs, stored within `limits` (0:
 * as they are). Sums begin with the 16 numbers at `start`: the panel's own bias for every pixel (`startPixelBytes` 0), or what
 * lies there for each, which may be where they are stored. The loop over the pairs is in here, not around a function of one pair: a tenth faster at K = 64, a sixth
 * at K = 32.
 */
export function pairs2x16(
  x: usize,
  xPixelBytes: usize,
  panel: usize,
  start: usize,
  startPixelBytes: usize,
  y: usize,
  yPixelBytes: usize,
  pixels: i32,
  count: i32,
  length: i32,
  taps: i32,
  tapBytes: usize,
  rows: i32,
  rowBytes: usize,
  limits: usize,
): void {
  for (let pair = pixels; pair > 1; pair -= 2) {
    let a0 = v128.load(start);
    let a1 = v128.load(start, 16);
    let a2 = v128.load(start, 32);
    let a3 = v128.load(start, 48);
    start += startPixelBytes;
    let b0 = v128.load(start);
    let b1 = v128.load(start, 16);
    let b2 = v128.load(start, 32);
    let b3 = v128.load(start, 48);
    start += startPixelBytes;
    let w = panel + 64;
    let x0 = x;
    let x1 = x + xPixelBytes;
    for (let row = rows; row > 0; row--) {
      let t0 = x0;
      let t1 = x1;
      for (let tap = taps; tap > 0; tap--) {
        let p = t0;
        let q = t1;
        let k = length;
        while (true) {
          let w0 = v128.load(w);
          let w1 = v128.load(w, 16);
          let w2 = v128.load(w, 32);
          let w3 = v128.load(w, 48);
          let u = v128.load32_splat(p);
          let v = v128.load32_splat(q);
          a0 = f32x4.add(a0, f32x4.mul(u, w0));
          b0 = f32x4.add(b0, f32x4.mul(v, w0));
          a1 = f32x4.add(a1, f32x4.mul(u, w1));
          b1 = f32x4.add(b1, f32x4.mul(v, w1));
          a2 = f32x4.add(a2, f32x4.mul(u, w2));
          b2 = f32x4.add(b2, f32x4.mul(v, w2));
          a3 = f32x4.add(a3, f32x4.mul(u, w3));
          b3 = f32x4.add(b3, f32x4.mul(v, w3));
          if (k <= 1) {
            Accumulators.meet(k, x, a0, a1, a2, a3, b0, b1, b2, b3);
            w += 64;
            break;
          }
          w0 = v128.load(w, 64);
          w1 = v128.load(w, 80);
          w2 = v128.load(w, 96);
          w3 = v128.load(w, 112);
          u = v128.load32_splat(p, 4);
          v = v128.load32_splat(q, 4);
          a0 = f32x4.add(a0, f32x4.mul(u, w0));
          b0 = f32x4.add(b0, f32x4.mul(v, w0));
          a1 = f32x4.add(a1, f32x4.mul(u, w1));
          b1 = f32x4.add(b1, f32x4.mul(v, w1));
          a2 = f32x4.add(a2, f32x4.mul(u, w2));
          b2 = f32x4.add(b2, f32x4.mul(v, w2));
          a3 = f32x4.add(a3, f32x4.mul(u, w3));
          b3 = f32x4.add(b3, f32x4.mul(v, w3));
          if (k <= 2) {
            Accumulators.meet(k, x, a0, a1, a2, a3, b0, b1, b2, b3);
            w += 128;
            break;
          }
          w0 = v128.load(w, 128);
          w1 = v128.load(w, 144);
          w2 = v128.load(w, 160);
          w3 = v128.load(w, 176);
          u = v128.load32_splat(p, 8);
          v = v128.load32_splat(q, 8);
          a0 = f32x4.add(a0, f32x4.mul(u, w0));
          b0 = f32x4.add(b0, f32x4.mul(v, w0));
          a1 = f32x4.add(a1, f32x4.mul(u, w1));
          b1 = f32x4.add(b1, f32x4.mul(v, w1));
          a2 = f32x4.add(a2, f32x4.mul(u, w2));
          b2 = f32x4.add(b2, f32x4.mul(v, w2));
          a3 = f32x4.add(a3, f32x4.mul(u, w3));
          b3 = f32x4.add(b3, f32x4.mul(v, w3));
          if (k <= 3) {
            Accumulators.meet(k, x, a0, a1, a2, a3, b0, b1, b2, b3);
            w += 192;
            break;
          }
          w0 = v128.load(w, 192);
          w1 = v128.load(w, 208);
          w2 = v128.load(w, 224);
          w3 = v128.load(w, 240);
          u = v128.load32_splat(p, 12);
          v = v128.load32_splat(q, 12);
          a0 = f32x4.add(a0, f32x4.mul(u, w0));
          b0 = f32x4.add(b0, f32x4.mul(v, w0));
          a1 = f32x4.add(a1, f32x4.mul(u, w1));
          b1 = f32x4.add(b1, f32x4.mul(v, w1));
          a2 = f32x4.add(a2, f32x4.mul(u, w2));
          b2 = f32x4.add(b2, f32x4.mul(v, w2));
          a3 = f32x4.add(a3, f32x4.mul(u, w3));
          b3 = f32x4.add(b3, f32x4.mul(v, w3));
          w += 256;
          p += 16;
          q += 16;
          k -= 4;
          if (k <= 0) {
            Accumulators.meet(k, x, a0, a1, a2, a3, b0, b1, b2, b3);
            break;
          }
        }
        t0 += tapBytes;
        t1 += tapBytes;
      }
      x0 += rowBytes;
      x1 += rowBytes;
    }
    if (limits != 0) {
      a0 = clamped(a0, limits);
      a1 = clamped(a1, limits);
      a2 = clamped(a2, limits);
      a3 = clamped(a3, limits);
      b0 = clamped(b0, limits);
      b1 = clamped(b1, limits);
      b2 = clamped(b2, limits);
      b3 = clamped(b3, limits);
    }
    const y1 = y + yPixelBytes;
    if (count >= 16) {
      v128.store(y, a0);
      v128.store(y, a1, 16);
      v128.store(y, a2, 32);
      v128.store(y, a3, 48);
      v128.store(y1, b0);
      v128.store(y1, b1, 16);
      v128.store(y1, b2, 32);
      v128.store(y1, b3, 48);
    } else {
      storeLanes(y, count, a0, a1, a2, a3);
      storeLanes(y1, count, b0, b1, b2, b3);
    }
    x += xPixelBytes << 1;
    y = y1 + yPixelBytes;
  }
}

/** One pixel times one panel, at w, of 16 outputs: the same sums as {@link pairs2x16}. */
export function tile1x16(
  x: usize,
  w: usize,
  start: usize,
  y: usize,
  count: i32,
  length: i32,
  taps: i32,
  tapBytes: usize,
  rows: i32,
  rowBytes: usize,
  limits: usize,
): void {
  let a0 = v128.load(start);
  let a1 = v128.load(start, 16);
  let a2 = v128.load(start, 32);
  let a3 = v128.load(start, 48);
  w += 64;
  for (let row = rows; row > 0; row--) {
    let t = x;
    for (let tap = taps; tap > 0; tap--) {
      let p = t;
      for (let k = length; k > 0; k--) {
        const u = v128.load32_splat(p);
        a0 = f32x4.add(a0, f32x4.mul(u, v128.load(w)));
        a1 = f32x4.add(a1, f32x4.mul(u, v128.load(w, 16)));
        a2 = f32x4.add(a2, f32x4.mul(u, v128.load(w, 32)));
        a3 = f32x4.add(a3, f32x4.mul(u, v128.load(w, 48)));
        p += 4;
        w += 64;
      }
      t += tapBytes;
    }
    x += rowBytes;
  }
  if (limits != 0) {
    a0 = clamped(a0, limits);
    a1 = clamped(a1, limits);
    a2 = clamped(a2, limits);
    a3 = clamped(a3, limits);
  }
  storeLanes(y, count, a0, a1, a2, a3);
}

/**
 * Y[o, p, n] = bias[n] + sum over (row, tap, i) of X[o, p][row, tap, i] * W[n][row, tap, i].
 *
 * - x: pixel p of outer index o at x + o*xOuterBytes + p*xPixelBytes; its K inputs at + row*rowBytes + tap*tapBytes + i*4
 * - w: panels [ceil(outputs/16)][bias16, then K x 16] of f32, 16-byte aligned; wOuterBytes apart (0: shared)
 * - y: at y + o*yOuterBytes + p*yPixelBytes, outputs contiguous; must not overlap x or w
 * - activation: a code of `epilogue`; r: residual at r + o*rOuterBytes + p*rPixelBytes, outputs contiguous,
 *   not overlapping y; 0 for none, its strides 0 too. Y = activation(sum) + residual
 * - unit: one block of `block` pixels of one outer index, ceil(pixels/block) per outer index; length, taps, rows >= 1
 */
export function gemm(
  x: usize,
  w: usize,
  y: usize,
  pixels: i32,
  outputs: i32,
  length: i32,
  taps: i32,
  tapBytes: usize,
  rows: i32,
  rowBytes: usize,
  xPixelBytes: usize,
  yPixelBytes: usize,
  xOuterBytes: usize,
  wOuterBytes: usize,
  yOuterBytes: usize,
  block: i32,
  activation: i32,
  r: usize,
  rPixelBytes: usize,
  rOuterBytes: usize,
  begin: i32,
  end: i32,
): void {
  const blocks = (pixels + block - 1) / block;
  const panelBytes = ((length * taps * rows + 1) as usize) << 6;
  const rPanelBytes: usize = r == 0 ? 0 : 64;
  const limits = limitsOf(activation);
  const finishes = r != 0 || (activation != 0 && limits == 0);
  for (let unit = begin; unit < end; unit++) {
    const outer = unit / blocks;
    const first = (unit - outer * blocks) * block;
    const last = min(first + block, pixels);
    const xFirst = x + (outer as usize) * xOuterBytes + (first as usize) * xPixelBytes;
    let panel = w + (outer as usize) * wOuterBytes;
    let yFirst = y + (outer as usize) * yOuterBytes + (first as usize) * yPixelBytes;
    let rFirst = r + (outer as usize) * rOuterBytes + (first as usize) * rPixelBytes;
    for (let n = 0; n < outputs; n += 16) {
      const count = min(outputs - n, 16);
      const inBlock = last - first;
      pairs2x16(
        xFirst,
        xPixelBytes,
        panel,
        panel,
        0,
        yFirst,
        yPixelBytes,
        inBlock,
        count,
        length,
        taps,
        tapBytes,
        rows,
        rowBytes,
        limits,
      );
      if (inBlock & 1) {
        const odd = (inBlock - 1) as usize;
        tile1x16(
          xFirst + odd * xPixelBytes,
          panel,
          panel,
          yFirst + odd * yPixelBytes,
          count,
          length,
          taps,
          tapBytes,
          rows,
          rowBytes,
          limits,
        );
      }
      if (finishes) finish(yFirst, rFirst, last - first, count, yPixelBytes, rPixelBytes, activation);
      panel += panelBytes;
      yFirst += 64;
      rFirst += rPanelBytes;
    }
  }
}
