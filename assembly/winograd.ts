/**
 * Winograd's convolution F(4x4, 3x3), channels-last: stride 1, dilation 1, one group. An output tile of 4x4 pixels is
 * A' [ (G w G') * (B' d B) ] A of its 6x6 input window d: 36 products a tile and channel instead of 144.
 *
 * Interpolation points 0, 3/4, -3/4, 3/2, -3/2 and infinity (Toom-Cook; Lavin & Gray, arXiv 1509.09308, take 0, 1, -1, 2,
 * -2): with K = 128 random channels the error against double precision is 1.8 times that of the direct sum (RMS; the
 * usual points: 3.7 times; 0, 1, -1, 1/2, -1/2: 3.9). All constants of B and A are dyadic, so exact in f32; w is
 * transformed in double precision and rounded once.
 *
 * B' (rows):  t 0 -s 0 1 0        A' (rows):  1  1   1   1   1  0
 *             0 -ab2 -b2 a 1 0                0  a  -a   b  -b  0
 *             0 ab2 -b2 -a 1 0                0 a2  a2  b2  b2  0
 *             0 -a2b -a2 b 1 0                0 a3 -a3  b3 -b3  1
 *             0 a2b -a2 -b 1 0        G (row of point p): (1, p, p2) / product of (p - other points), last row (0, 0, 1)
 *             0 t 0 -s 0 1            a = 3/4, b = 3/2, s = a2 + b2 = 45/16, t = a2 b2 = 81/64
 */
import { clamped, finish, limitsOf } from "./epilogue";
import { pairs2x16, tile1x16 } from "./gemm";

const C: usize = memory.data<f32>([
  // 0: a
  0.75, 0.75, 0.75, 0.75,
  // 16: b
  1.5, 1.5, 1.5, 1.5,
  // 32: a2
  0.5625, 0.5625, 0.5625, 0.5625,
  // 48: b2
  2.25, 2.25, 2.25, 2.25,
  // 64: s
  2.8125, 2.8125, 2.8125, 2.8125,
  // 80: t
  1.265625, 1.265625, 1.265625, 1.265625,
  // 96: a3
  0.421875, 0.421875, 0.421875, 0.421875,
  // 112: b3
  3.375, 3.375, 3.375, 3.375,
]);

/**
 * B' times six columns: column j is six vectors from s + j*sNext on, sBytes apart; its products go to d + j*dNext, dBytes
 * apart. The loop is in here for the constants' and the call's sake.
 */
function sixColumns(s: usize, sBytes: usize, sNext: usize, d: usize, dBytes: usize, dNext: usize): void {
  const a = v128.load(C);
  const b = v128.load(C, 16);
  const a2 = v128.load(C, 32);
  const b2 = v128.load(C, 48);
  const sum = v128.load(C, 64);
  const product = v128.load(C, 80);
  for (let j = 0; j < 6; j++) {
    let p = s + sBytes;
    let q = d + dBytes;
    const x1 = v128.load(p);
    p += sBytes;
    const x2 = v128.load(p);
    p += sBytes;
    const x3 = v128.load(p);
    p += sBytes;
    const x4 = v128.load(p);
    p += sBytes;
    const even1 = f32x4.sub(x4, f32x4.mul(x2, b2));
    const odd1 = f32x4.mul(f32x4.sub(x3, f32x4.mul(x1, b2)), a);
    v128.store(q, f32x4.add(even1, odd1));
    q += dBytes;
    v128.store(q, f32x4.sub(even1, odd1));
    q += dBytes;
    const even2 = f32x4.sub(x4, f32x4.mul(x2, a2));
    const odd2 = f32x4.mul(f32x4.sub(x3, f32x4.mul(x1, a2)), b);
    v128.store(q, f32x4.add(even2, odd2));
    q += dBytes;
    v128.store(q, f32x4.sub(even2, odd2));
    q += dBytes;
    v128.store(d, f32x4.add(f32x4.sub(f32x4.mul(v128.load(s), product), f32x4.mul(x2, sum)), x4));
    v128.store(q, f32x4.add(f32x4.sub(f32x4.mul(x1, product), f32x4.mul(x3, sum)), v128.load(p)));
    s += sNext;
    d += dNext;
  }
}

/** B' d B of a 6x6 window at s, channels in vectors: position (i, j) to v + (6*i + j)*positionBytes. t: 576 bytes. */
function windowTo(
  s: usize,
  rowBytes: usize,
  pixelBytes: usize,
  channelBytes: usize,
  t: usize,
  v: usize,
  positionBytes: usize,
): void {
  for (let c: usize = 0; c < channelBytes; c += 16) {
    sixColumns(s + c, rowBytes, pixelBytes, t, 96, 16);
    sixColumns(t, 16, 96, v + c, positionBytes, positionBytes * 6);
  }
}

/** Copies the part of a 6x6 window that lies within the image to d, zeros elsewhere; channels padded to `channels4`. */
function cutWindow(
  x: usize,
  d: usize,
  top: i32,
  left: i32,
  height: i32,
  width: i32,
  channels: i32,
  channels4: i32,
  rowBytes: usize,
  pixelBytes: usize,
): void {
  const bytes = (channels as usize) << 2;
  const padded = (channels4 as usize) << 2;
  memory.fill(d, 0, padded * 36);
  for (let i = 0; i < 6; i++) {
    const row = top + i;
    if (row < 0 || row >= height) continue;
    for (let j = 0; j < 6; j++) {
      const column = left + j;
      if (column < 0 || column >= width) continue;
      const s = x + (row as usize) * rowBytes + (column as usize) * pixelBytes;
      memory.copy(d + ((i * 6 + j) as usize) * padded, s, bytes);
    }
  }
}

/** A' times six columns: column j is six vectors from s + j*sNext on, sBytes apart; its four go to d + 16*j, 96 apart. */
function fourOfColumns(s: usize, sBytes: usize, sNext: usize, d: usize): void {
  const a = v128.load(C);
  const b = v128.load(C, 16);
  const a2 = v128.load(C, 32);
  const b2 = v128.load(C, 48);
  const a3 = v128.load(C, 96);
  const b3 = v128.load(C, 112);
  for (let j = 0; j < 6; j++) {
    let p = s + sBytes;
    const m1 = v128.load(p);
    p += sBytes;
    const m2 = v128.load(p);
    p += sBytes;
    const m3 = v128.load(p);
    p += sBytes;
    const m4 = v128.load(p);
    p += sBytes;
    const even1 = f32x4.add(m1, m2);
    const odd1 = f32x4.sub(m1, m2);
    const even2 = f32x4.add(m3, m4);
    const odd2 = f32x4.sub(m3, m4);
    v128.store(d, f32x4.add(v128.load(s), f32x4.add(even1, even2)));
    v128.store(d, f32x4.add(f32x4.mul(odd1, a), f32x4.mul(odd2, b)), 96);
    v128.store(d, f32x4.add(f32x4.mul(even1, a2), f32x4.mul(even2, b2)), 192);
    v128.store(d, f32x4.add(f32x4.add(f32x4.mul(odd1, a3), f32x4.mul(odd2, b3)), v128.load(p)), 288);
    s += sNext;
    d += 16;
  }
}

/** Stores the first `lanes` of v + bias within `limits`. */
function emit(d: usize, v: v128, bias: v128, limits: usize, lanes: i32): void {
  v = f32x4.add(v, bias);
  if (limits != 0) v = clamped(v, limits);
  if (lanes >= 4) {
    v128.store(d, v);
    return;
  }
  v128.store_lane<f32>(d, v, 0);
  if (lanes > 1) v128.store_lane<f32>(d, v, 1, 4);
  if (lanes > 2) v128.store_lane<f32>(d, v, 2, 8);
}

/** A' m A + bias of one tile and up to 16 outputs (m: positions of 16 f32) to `rows` x `columns` pixels at y. */
function tileFrom(
  m: usize,
  positionBytes: usize,
  t: usize,
  bias: usize,
  limits: usize,
  y: usize,
  rows: i32,
  columns: i32,
  count: i32,
  rowBytes: usize,
  pixelBytes: usize,
): void {
  const a = v128.load(C);
  const b = v128.load(C, 16);
  const a2 = v128.load(C, 32);
  const b2 = v128.load(C, 48);
  const a3 = v128.load(C, 96);
  const b3 = v128.load(C, 112);
  for (let n = count; n > 0; n -= 4) {
    fourOfColumns(m, positionBytes * 6, positionBytes, t);
    const v = v128.load(bias);
    let line = t;
    let row = y;
    for (let i = 0; i < rows; i++) {
      const m1 = v128.load(line, 16);
      const m2 = v128.load(line, 32);
      const m3 = v128.load(line, 48);
      const m4 = v128.load(line, 64);
      const even1 = f32x4.add(m1, m2);
      const odd1 = f32x4.sub(m1, m2);
      const even2 = f32x4.add(m3, m4);
      const odd2 = f32x4.sub(m3, m4);
      let d = row;
      emit(d, f32x4.add(v128.load(line), f32x4.add(even1, even2)), v, limits, n);
      d += pixelBytes;
      if (columns > 1) emit(d, f32x4.add(f32x4.mul(odd1, a), f32x4.mul(odd2, b)), v, limits, n);
      d += pixelBytes;
      if (columns > 2) emit(d, f32x4.add(f32x4.mul(even1, a2), f32x4.mul(even2, b2)), v, limits, n);
      d += pixelBytes;
      if (columns > 3) {
        const outer = f32x4.add(f32x4.mul(odd1, a3), f32x4.mul(odd2, b3));
        emit(d, f32x4.add(outer, v128.load(line, 80)), v, limits, n);
      }
      line += 96;
      row += rowBytes;
    }
    m += 16;
    y += 16;
    bias += 16;
  }
}

/**
 * y = activation(conv3x3(x) + bias) + residual, tiles in blocks: a block's windows are transformed once, then each panel
 * of 16 outputs is multiplied position by position and transformed back while it is in the first cache. K upwards in
 * every product, so that neither blocks nor chunks nor threads change a bit.
 *
 * - x: pixel (row, column) of image n at x + n*xImageBytes + row*xRowBytes + column*xPixelBytes, channels contiguous;
 *   what lies outside height x width is zero (top, left: padding before)
 * - w: by `packWinograd`; y: at y + n*yImageBytes + ..., yHeight x yWidth, outputs contiguous
 * - activation, r: as `gemm` has them; r (0 for none, its strides 0 too) does not overlap y
 * - flags, slots: `slotCount` i32 of zeros, and scratch memory of `slotBytes` each, 64-byte aligned: at least as many as
 *   threads. A call takes a free slot and gives it back. A slot is a window (36 * K * 4 bytes), 576 bytes, V (36
 *   positions of vBytes >= block*K*4) and M (36 of mBytes >= block*64); position strides are odd multiples of 64
 * - unit: one block of `block` tiles of one image, ceil(tiles/block) per image, tiles row by row
 */
export function winograd(
  x: usize,
  w: usize,
  y: usize,
  inputs: i32,
  outputs: i32,
  height: i32,
  width: i32,
  top: i32,
  left: i32,
  xImageBytes: usize,
  xRowBytes: usize,
  xPixelBytes: usize,
  yHeight: i32,
  yWidth: i32,
  yImageBytes: usize,
  yRowBytes: usize,
  yPixelBytes: usize,
  activation: i32,
  r: usize,
  rImageBytes: usize,
  rRowBytes: usize,
  rPixelBytes: usize,
  block: i32,
  flags: usize,
  slots: usize,
  slotCount: i32,
  slotBytes: usize,
  vBytes: usize,
  mBytes: usize,
  begin: i32,
  end: i32,
): void {
  let slot = 0;
  while (atomic.cmpxchg<i32>(flags + ((slot as usize) << 2), 0, 1) != 0) {
    if (++slot == slotCount) slot = 0;
  }
  const k4 = (inputs + 3) & ~3;
  const kBytes = (k4 as usize) << 2;
  const whole = inputs == k4;
  const window = slots + (slot as usize) * slotBytes;
  const t = window + kBytes * 36;
  const v = t + 576;
  const m = v + vBytes * 36;
  const tilesX = (yWidth + 3) >> 2;
  const tiles = ((yHeight + 3) >> 2) * tilesX;
  const blocks = (tiles + block - 1) / block;
  const positionBytes = ((k4 + 1) as usize) << 6;
  const limits = limitsOf(activation);
  const finishes = r != 0 || (activation != 0 && limits == 0);
  for (let unit = begin; unit < end; unit++) {
    const image = unit / blocks;
    const first = (unit - image * blocks) * block;
    const count = min(block, tiles - first);
    const xImage = x + (image as usize) * xImageBytes;
    for (let i = 0; i < count; i++) {
      const tileY = (first + i) / tilesX;
      const row = (tileY << 2) - top;
      const column = ((first + i - tileY * tilesX) << 2) - left;
      const to = v + (i as usize) * kBytes;
      if (whole && row >= 0 && column >= 0 && row + 6 <= height && column + 6 <= width) {
        const s = xImage + (row as usize) * xRowBytes + (column as usize) * xPixelBytes;
        windowTo(s, xRowBytes, xPixelBytes, kBytes, t, to, vBytes);
      } else {
        cutWindow(xImage, window, row, column, height, width, inputs, k4, xRowBytes, xPixelBytes);
        windowTo(window, kBytes * 6, kBytes, kBytes, t, to, vBytes);
      }
    }
    let panel = w;
    for (let n = 0; n < outputs; n += 16) {
      const lanes = min(outputs - n, 16);
      const bias = panel;
      panel += 64;
      for (let position: usize = 0; position < 36; position++) {
        const from = v + position * vBytes;
        const to = m + position * mBytes;
        pairs2x16(from, kBytes, panel, panel, 0, to, 64, count, 16, k4, 1, 0, 1, 0, 0);
        const odd = (count - 1) as usize;
        if (count & 1) tile1x16(from + odd * kBytes, panel, panel, to + (odd << 6), 16, k4, 1, 0, 1, 0, 0);
        panel += positionBytes;
      }
      for (let i = 0; i < count; i++) {
        const tileY = (first + i) / tilesX;
        const row = tileY << 2;
        const column = (first + i - tileY * tilesX) << 2;
        const rows = min(4, yHeight - row);
        const columns = min(4, yWidth - column);
        let d =
          y +
          (image as usize) * yImageBytes +
          (row as usize) * yRowBytes +
          (column as usize) * yPixelBytes +
          ((n as usize) << 2);
        tileFrom(
          m + ((i as usize) << 6),
          mBytes,
          t,
          bias,
          limits,
          d,
          rows,
          columns,
          lanes,
          yRowBytes,
          yPixelBytes,
        );
        if (!finishes) continue;
        let added = r + (image as usize) * rImageBytes + (row as usize) * rRowBytes;
        added += (column as usize) * rPixelBytes;
        if (r != 0) added += (n as usize) << 2;
        for (let j = 0; j < rows; j++) {
          finish(d, added, columns, lanes, yPixelBytes, rPixelBytes, activation);
          d += yRowBytes;
          added += rRowBytes;
        }
      }
    }
  }
  atomic.store<i32>(flags + ((slot as usize) << 2), 0);
}
