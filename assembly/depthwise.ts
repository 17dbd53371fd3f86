/**
 * Depthwise convolution, channels-last: any kernel, stride and dilation, over a buffer that holds every tap (framed with
 * zeros where there is padding). Weights [ceil(C/4)][bias4, then rows*taps x 4] by `packDepthwise`. Tiles of 4 pixels
 * along x; channels innermost, so that the rows are read in order. Taps are added in the order (ky, kx) from the bias.
 */

/**
 * weights[c/4][1 + tap][c%4] = w[c][tap], weights[c/4][0][c%4] = bias[c]; channels past C become 0.
 * - w: at w + c*channelBytes + ky*rowBytes + kx*tapBytes; bias: at bias + c*biasBytes, 0 for none
 * - unit: one group of 4 channels
 */
export function packDepthwise(
  w: usize,
  bias: usize,
  weights: usize,
  channels: i32,
  channelBytes: usize,
  rows: i32,
  rowBytes: usize,
  taps: i32,
  tapBytes: usize,
  biasBytes: usize,
  begin: i32,
  end: i32,
): void {
  const groupBytes = ((rows * taps + 1) as usize) << 4;
  for (let group = begin; group < end; group++) {
    for (let lane = 0; lane < 4; lane++) {
      const c = (group << 2) + lane;
      const has = c < channels;
      let d = weights + (group as usize) * groupBytes + ((lane as usize) << 2);
      store<f32>(d, has && bias != 0 ? load<f32>(bias + (c as usize) * biasBytes) : 0);
      d += 16;
      for (let row = 0; row < rows; row++) {
        for (let tap = 0; tap < taps; tap++) {
          const at = w + (c as usize) * channelBytes + (row as usize) * rowBytes + (tap as usize) * tapBytes;
          store<f32>(d, has ? load<f32>(at) : 0);
          d += 16;
        }
      }
    }
  }
}

/** Four pixels (xPixelBytes apart) of four channels. */
function tile4(
  x: usize,
  w: usize,
  y: usize,
  rows: i32,
  xRowBytes: usize,
  taps: i32,
  xTapBytes: usize,
  xPixelBytes: usize,
  yPixelBytes: usize,
): void {
  let a0 = v128.load(w);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (let row = rows; row > 0; row--) {
    let p = x;
    for (let tap = taps; tap > 0; tap--) {
      w += 16;
      const v = v128.load(w);
      const p2 = p + xPixelBytes * 2;
      a0 = f32x4.add(a0, f32x4.mul(v128.load(p), v));
      a1 = f32x4.add(a1, f32x4.mul(v128.load(p + xPixelBytes), v));
      a2 = f32x4.add(a2, f32x4.mul(v128.load(p2), v));
      a3 = f32x4.add(a3, f32x4.mul(v128.load(p2 + xPixelBytes), v));
      p += xTapBytes;
    }
    x += xRowBytes;
  }
  v128.store(y, a0);
  v128.store(y + yPixelBytes, a1);
  v128.store(y + yPixelBytes * 2, a2);
  v128.store(y + yPixelBytes * 3, a3);
}

/**
 * As {@link tile4} for rows of 3 taps at stride 1, where the taps of neighbouring outputs are neighbouring pixels: six
 * loads a row instead of twelve, the same sums. 1.3 to 1.45 times as fast; at stride 2 and for 5 taps it did not pay.
 */
function tile4Taps3(
  x: usize,
  w: usize,
  y: usize,
  rows: i32,
  xRowBytes: usize,
  xPixelBytes: usize,
  yPixelBytes: usize,
): void {
  let a0 = v128.load(w);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  w += 16;
  for (let row = rows; row > 0; row--) {
    const w0 = v128.load(w);
    const w1 = v128.load(w, 16);
    const w2 = v128.load(w, 32);
    let p = x;
    let v = v128.load(p);
    a0 = f32x4.add(a0, f32x4.mul(v, w0));
    p += xPixelBytes;
    v = v128.load(p);
    a0 = f32x4.add(a0, f32x4.mul(v, w1));
    a1 = f32x4.add(a1, f32x4.mul(v, w0));
    p += xPixelBytes;
    v = v128.load(p);
    a0 = f32x4.add(a0, f32x4.mul(v, w2));
    a1 = f32x4.add(a1, f32x4.mul(v, w1));
    a2 = f32x4.add(a2, f32x4.mul(v, w0));
    p += xPixelBytes;
    v = v128.load(p);
    a1 = f32x4.add(a1, f32x4.mul(v, w2));
    a2 = f32x4.add(a2, f32x4.mul(v, w1));
    a3 = f32x4.add(a3, f32x4.mul(v, w0));
    p += xPixelBytes;
    v = v128.load(p);
    a2 = f32x4.add(a2, f32x4.mul(v, w2));
    a3 = f32x4.add(a3, f32x4.mul(v, w1));
    p += xPixelBytes;
    v = v128.load(p);
    a3 = f32x4.add(a3, f32x4.mul(v, w2));
    w += 48;
    x += xRowBytes;
  }
  v128.store(y, a0);
  v128.store(y + yPixelBytes, a1);
  v128.store(y + yPixelBytes * 2, a2);
  v128.store(y + yPixelBytes * 3, a3);
}

/** One pixel of four channels. */
function tile1(x: usize, w: usize, y: usize, rows: i32, xRowBytes: usize, taps: i32, xTapBytes: usize): void {
  let a = v128.load(w);
  for (let row = rows; row > 0; row--) {
    let p = x;
    for (let tap = taps; tap > 0; tap--) {
      w += 16;
      a = f32x4.add(a, f32x4.mul(v128.load(p), v128.load(w)));
      p += xTapBytes;
    }
    x += xRowBytes;
  }
  v128.store(y, a);
}

/** One pixel of one channel; w points at its lane. */
function tileScalar(
  x: usize,
  w: usize,
  y: usize,
  rows: i32,
  xRowBytes: usize,
  taps: i32,
  xTapBytes: usize,
): void {
  let a = load<f32>(w);
  for (let row = rows; row > 0; row--) {
    let p = x;
    for (let tap = taps; tap > 0; tap--) {
      w += 16;
      a += load<f32>(p) * load<f32>(w);
      p += xTapBytes;
    }
    x += xRowBytes;
  }
  store<f32>(y, a);
}

/**
 * y[oy, ox, c] = bias[c] + sum over (ky, kx) of x[oy, ox][ky, kx, c] * w[c][ky, kx].
 * - x: the window of (oy, ox) starts at x + oy*xStepBytes + ox*xPixelBytes; its taps are xRowBytes and xTapBytes apart
 * - y: at y + oy*yRowBytes + ox*yPixelBytes, channels contiguous; must not overlap x
 * - unit: one output row
 */
export function depthwise(
  x: usize,
  w: usize,
  y: usize,
  channels: i32,
  columns: i32,
  rows: i32,
  xRowBytes: usize,
  taps: i32,
  xTapBytes: usize,
  xStepBytes: usize,
  xPixelBytes: usize,
  yRowBytes: usize,
  yPixelBytes: usize,
  begin: i32,
  end: i32,
): void {
  const groupBytes = ((rows * taps + 1) as usize) << 4;
  const whole = channels & ~3;
  const neighbours = taps == 3 && xTapBytes == xPixelBytes;
  for (let unit = begin; unit < end; unit++) {
    let xp = x + (unit as usize) * xStepBytes;
    let yp = y + (unit as usize) * yRowBytes;
    let column = 0;
    for (; column + 4 <= columns; column += 4) {
      let g = w;
      let c: usize = 0;
      for (; c < (whole as usize) << 2; c += 16) {
        if (neighbours) tile4Taps3(xp + c, g, yp + c, rows, xRowBytes, xPixelBytes, yPixelBytes);
        else tile4(xp + c, g, yp + c, rows, xRowBytes, taps, xTapBytes, xPixelBytes, yPixelBytes);
        g += groupBytes;
      }
      for (; c < (channels as usize) << 2; c += 4) {
        tileScalar(xp + c, g, yp + c, rows, xRowBytes, taps, xTapBytes);
        tileScalar(xp + xPixelBytes + c, g, yp + yPixelBytes + c, rows, xRowBytes, taps, xTapBytes);
        tileScalar(xp + xPixelBytes * 2 + c, g, yp + yPixelBytes * 2 + c, rows, xRowBytes, taps, xTapBytes);
        tileScalar(xp + xPixelBytes * 3 + c, g, yp + yPixelBytes * 3 + c, rows, xRowBytes, taps, xTapBytes);
        g += 4;
      }
      xp += xPixelBytes * 4;
      yp += yPixelBytes * 4;
    }
    for (; column < columns; column++) {
      let g = w;
      let c: usize = 0;
      for (; c < (whole as usize) << 2; c += 16) {
        tile1(xp + c, g, yp + c, rows, xRowBytes, taps, xTapBytes);
        g += groupBytes;
      }
      for (; c < (channels as usize) << 2; c += 4) {
        tileScalar(xp + c, g, yp + c, rows, xRowBytes, taps, xTapBytes);
        g += 4;
      }
      xp += xPixelBytes;
      yp += yPixelBytes;
    }
  }
}
