/**
 * Matrix product by Strassen's algorithm, one level (V. Strassen, "Gaussian elimination is not optimal", Numerische Mathematik
 * 13, 1969): seven products of quarters in place of eight. Pixels, inputs and outputs are halved:
 *
 *     Y = [A11 A12] [B11 B12]    M1 = (A11 + A22) (B11 + B22)    M5 = (A11 + A12) B22
 *         [A21 A22] [B21 B22]    M2 = (A21 + A22) B11            M6 = (A21 - A11) (B11 + B12)
 *                                M3 = A11 (B12 - B22)            M7 = (A12 - A22) (B21 + B22)
 *                                M4 = A22 (B21 - B11)
 *     Y11 = M1 + M4 - M5 + M7    Y12 = M3 + M5    Y21 = M2 + M4    Y22 = M1 - M2 + M3 + M6
 *
 * Sums of weights are packed (`strassen-pack.ts`), sums of inputs are made once a block, and M6 and M7 are summed onto what
 * they are added to. The error is 1.4 to 1.7 times the plain product's. Winograd's form of the algorithm has three sums fewer,
 * is as fast within a hundredth, and has 2.1 to 2.5 times the error: it multiplies sums of four where this one has two.
 */
import { clamped, finish, limitsOf } from "./epilogue";
import { pairs2x16, tile1x16 } from "./gemm";

/**
 * The five sums of inputs of M1, M2, M5, M6 and M7, sBytes apart, at s: `pixels` of K/2 numbers. Inputs of the upper pixels
 * at `top`, of the lower ones at `bottom`, in runs of 2*halfBytes.
 */
function sumInputs(
  top: usize,
  bottom: usize,
  xPixelBytes: usize,
  pixels: i32,
  halfBytes: usize,
  taps: i32,
  tapBytes: usize,
  rows: i32,
  rowBytes: usize,
  s: usize,
  sBytes: usize,
): void {
  for (let pixel = pixels; pixel > 0; pixel--) {
    for (let row = 0; row < rows; row++) {
      for (let tap = 0; tap < taps; tap++) {
        const offset = (row as usize) * rowBytes + (tap as usize) * tapBytes;
        let a = top + offset;
        let b = bottom + offset;
        for (const last = a + halfBytes; a < last; a += 16) {
          const a11 = v128.load(a);
          const a12 = v128.load(a + halfBytes);
          const a21 = v128.load(b);
          const a22 = v128.load(b + halfBytes);
          v128.store(s, f32x4.add(a11, a22));
          v128.store(s + sBytes, f32x4.add(a21, a22));
          v128.store(s + sBytes * 2, f32x4.add(a11, a12));
          v128.store(s + sBytes * 3, f32x4.sub(a21, a11));
          v128.store(s + sBytes * 4, f32x4.sub(a12, a22));
          b += 16;
          s += 16;
        }
      }
    }
    top += xPixelBytes;
    bottom += xPixelBytes;
  }
}

/** `pixels` times a panel, which takes all runs from x: pairs, then the odd one. Sums begin with the numbers at `start`. */
function multiply(
  x: usize,
  xPixelBytes: usize,
  panel: usize,
  start: usize,
  startPixelBytes: usize,
  y: usize,
  yPixelBytes: usize,
  pixels: i32,
  length: i32,
  taps: i32,
  tapBytes: usize,
  rows: i32,
  rowBytes: usize,
  limits: usize,
): void {
  pairs2x16(
    x,
    xPixelBytes,
    panel,
    start,
    startPixelBytes,
    y,
    yPixelBytes,
    pixels,
    16,
    length,
    taps,
    tapBytes,
    rows,
    rowBytes,
    limits,
  );
  if (pixels & 1) {
    const odd = (pixels - 1) as usize;
    tile1x16(
      x + odd * xPixelBytes,
      panel,
      start + odd * startPixelBytes,
      y + odd * yPixelBytes,
      16,
      length,
      taps,
      tapBytes,
      rows,
      rowBytes,
      limits,
    );
  }
}

/**
 * From M1 to M5, mBytes apart at m, `pixels` of 16 numbers: Y12 and Y21, within limits (0: as they are), and what M7 and M6
 * are to be summed onto, in place of M4 and M3.
 */
function combine(
  m: usize,
  mBytes: usize,
  y12: usize,
  y21: usize,
  yPixelBytes: usize,
  pixels: i32,
  limits: usize,
): void {
  for (let pixel = pixels; pixel > 0; pixel--) {
    for (let lane: usize = 0; lane < 64; lane += 16) {
      const m1 = v128.load(m);
      const m2 = v128.load(m + mBytes);
      const m3 = v128.load(m + mBytes * 2);
      const m4 = v128.load(m + mBytes * 3);
      const m5 = v128.load(m + mBytes * 4);
      const upper = f32x4.add(m3, m5);
      const lower = f32x4.add(m2, m4);
      v128.store(y12 + lane, limits != 0 ? clamped(upper, limits) : upper);
      v128.store(y21 + lane, limits != 0 ? clamped(lower, limits) : lower);
      v128.store(m + mBytes * 2, f32x4.add(m1, f32x4.sub(m3, m2)));
      v128.store(m + mBytes * 3, f32x4.add(m1, f32x4.sub(m4, m5)));
      m += 16;
    }
    y12 += yPixelBytes;
    y21 += yPixelBytes;
  }
}

/**
 * Y[o, p, n] = bias[n] + sum over (row, tap, i) of X[o, p][row, tap, i] * W[n][row, tap, i].
 *
 * - x: as for `gemm`, with i in [0, 2*length); length a multiple of 4
 * - w: from `packStrassen`; outputs a multiple of 32
 * - y, activation, r: as for `gemm`; r may not overlap y
 * - block: pixels of an upper half. The pixels of one outer index in blocks of twice as many; of an odd rest the middle one
 *   is in both halves, and what is written last counts. Results depend on it, so that it must not depend on threads or a batch
 * - pairs: pairs of panels of a unit
 * - flags, slots: `slotCount` i32 of zeros, and scratch memory of `slotBytes` each, 64-byte aligned: at least as many as
 *   threads. A slot is five times block * K/2 and five times block * 16 numbers
 * - unit: one block of one outer index, for `pairs` pairs of panels; blocks innermost, then outer
 */
export function strassen(
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
  outer: i32,
  xOuterBytes: usize,
  yOuterBytes: usize,
  block: i32,
  pairs: i32,
  activation: i32,
  r: usize,
  rPixelBytes: usize,
  rOuterBytes: usize,
  flags: usize,
  slots: usize,
  slotCount: i32,
  slotBytes: usize,
  begin: i32,
  end: i32,
): void {
  let slot = 0;
  while (atomic.cmpxchg<i32>(flags + ((slot as usize) << 2), 0, 1) != 0) {
    if (++slot == slotCount) slot = 0;
  }
  const blocks = (pixels + 2 * block - 1) / (2 * block);
  const k = length * taps * rows;
  const kBytes = (k as usize) << 2;
  const halfBytes = (length as usize) << 2;
  const panelBytes = ((k + 1) as usize) << 6;
  const sBytes = (block as usize) * kBytes;
  const s = slots + (slot as usize) * slotBytes;
  const m = s + sBytes * 5;
  const mBytes = (block as usize) << 6;
  const half = ((outputs >> 1) as usize) << 2;
  const limits = limitsOf(activation);
  const finishes = r != 0 || (activation != 0 && limits == 0);
  const rHalf: usize = r == 0 ? 0 : half;
  for (let unit = begin; unit < end; unit++) {
    const group = unit / (blocks * outer);
    const inGroup = unit - group * blocks * outer;
    const o = inGroup / blocks;
    const first = (inGroup - o * blocks) * block * 2;
    const inBlock = min(2 * block, pixels - first);
    const count = (inBlock + 1) >> 1;
    const lower = (first + inBlock - count) as usize;
    const top = x + (o as usize) * xOuterBytes + (first as usize) * xPixelBytes;
    const bottom = x + (o as usize) * xOuterBytes + lower * xPixelBytes;
    sumInputs(top, bottom, xPixelBytes, count, halfBytes, taps, tapBytes, rows, rowBytes, s, sBytes);
    const firstPair = group * pairs;
    const lastPair = min(firstPair + pairs, outputs >> 5);
    for (let pair = firstPair; pair < lastPair; pair++) {
      let panel = w + (pair as usize) * panelBytes * 7;
      const at = (pair as usize) << 6;
      const yOuter = y + (o as usize) * yOuterBytes + at;
      const y11 = yOuter + (first as usize) * yPixelBytes;
      const y21 = yOuter + lower * yPixelBytes;
      const y12 = y11 + half;
      const y22 = y21 + half;
      const r11 = r + (o as usize) * rOuterBytes + (first as usize) * rPixelBytes + (r == 0 ? 0 : at);
      const r21 = r + (o as usize) * rOuterBytes + lower * rPixelBytes + (r == 0 ? 0 : at);
      multiply(s, kBytes, panel, panel, 0, m, 64, count, k, 1, 0, 1, 0, 0);
      panel += panelBytes;
      multiply(s + sBytes, kBytes, panel, panel, 0, m + mBytes, 64, count, k, 1, 0, 1, 0, 0);
      panel += panelBytes;
      const m3 = m + mBytes * 2;
      multiply(top, xPixelBytes, panel, panel, 0, m3, 64, count, length, taps, tapBytes, rows, rowBytes, 0);
      panel += panelBytes;
      const m4 = m3 + mBytes;
      const a22 = bottom + halfBytes;
      multiply(a22, xPixelBytes, panel, panel, 0, m4, 64, count, length, taps, tapBytes, rows, rowBytes, 0);
      panel += panelBytes;
      multiply(s + sBytes * 2, kBytes, panel, panel, 0, m4 + mBytes, 64, count, k, 1, 0, 1, 0, 0);
      panel += panelBytes;
      combine(m, mBytes, y12, y21, yPixelBytes, count, limits);
      if (finishes) {
        finish(y12, r11 + rHalf, count, 16, yPixelBytes, rPixelBytes, activation);
        finish(y21, r21, count, 16, yPixelBytes, rPixelBytes, activation);
      }
      multiply(s + sBytes * 3, kBytes, panel, m3, 64, y22, yPixelBytes, count, k, 1, 0, 1, 0, limits);
      panel += panelBytes;
      multiply(s + sBytes * 4, kBytes, panel, m4, 64, y11, yPixelBytes, count, k, 1, 0, 1, 0, limits);
      if (finishes) {
        finish(y22, r21 + rHalf, count, 16, yPixelBytes, rPixelBytes, activation);
        finish(y11, r11, count, 16, yPixelBytes, rPixelBytes, activation);
      }
    }
  }
  atomic.store<i32>(flags + ((slot as usize) << 2), 0);
}
