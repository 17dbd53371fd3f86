/**
 * Depthwise convolution, channels-last: any kernel, stride and dilation, over a buffer that holds every tap (framed with
 * zeros where there is padding). Weights [ceil(C/4)][bias4, then rows*taps x 4] by `packDepthwise`. Tiles of 4 pixels
 * along x; channels innermost, so that the rows are read in order. Taps are added in the order (ky, kx) from the bias.
 */
import { tile1, tile4, tile4Taps3, tile4Taps3Step2, tile4Taps5, tileScalar } from "./depthwise-tiles";
import { finish, limitsOf } from "./epilogue";

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

/**
 * y[oy, ox, c] = bias[c] + sum over (ky, kx) of x[oy, ox][ky, kx, c] * w[c][ky, kx].
 * - x: the window of (oy, ox) starts at x + oy*xStepBytes + ox*xPixelBytes; its taps are xRowBytes and xTapBytes apart
 * - y: at y + oy*yRowBytes + ox*yPixelBytes, channels contiguous; must not overlap x
 * - activation: a code of `epilogue`; r: residual at r + oy*rRowBytes + ox*rPixelBytes, channels contiguous,
 *   not overlapping y; 0 for none, its strides 0 too; y = activation(sum) + residual
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
  activation: i32,
  r: usize,
  rRowBytes: usize,
  rPixelBytes: usize,
  begin: i32,
  end: i32,
): void {
  const groupBytes = ((rows * taps + 1) as usize) << 4;
  const whole = channels & ~3;
  const step2 = taps == 3 && xPixelBytes == xTapBytes * 2;
  const neighbours = xTapBytes == xPixelBytes ? taps : 0;
  const limits = limitsOf(activation);
  const finishes = r != 0 || (activation != 0 && limits == 0);
  for (let unit = begin; unit < end; unit++) {
    let xp = x + (unit as usize) * xStepBytes;
    let yp = y + (unit as usize) * yRowBytes;
    let rp = r + (unit as usize) * rRowBytes;
    let column = 0;
    for (; column + 4 <= columns; column += 4) {
      let g = w;
      let c: usize = 0;
      for (; c < (whole as usize) << 2; c += 16) {
        if (neighbours == 3) tile4Taps3(xp + c, g, yp + c, rows, xRowBytes, xPixelBytes, yPixelBytes, limits);
        else if (neighbours == 5)
          tile4Taps5(xp + c, g, yp + c, rows, xRowBytes, xPixelBytes, yPixelBytes, limits);
        else if (step2) tile4Taps3Step2(xp + c, g, yp + c, rows, xRowBytes, xTapBytes, yPixelBytes, limits);
        else tile4(xp + c, g, yp + c, rows, xRowBytes, taps, xTapBytes, xPixelBytes, yPixelBytes, limits);
        g += groupBytes;
      }
      for (; c < (channels as usize) << 2; c += 4) {
        tileScalar(xp + c, g, yp + c, rows, xRowBytes, taps, xTapBytes, limits);
        tileScalar(xp + xPixelBytes + c, g, yp + yPixelBytes + c, rows, xRowBytes, taps, xTapBytes, limits);
        tileScalar(
          xp + xPixelBytes * 2 + c,
          g,
          yp + yPixelBytes * 2 + c,
          rows,
          xRowBytes,
          taps,
          xTapBytes,
          limits,
        );
        tileScalar(
          xp + xPixelBytes * 3 + c,
          g,
          yp + yPixelBytes * 3 + c,
          rows,
          xRowBytes,
          taps,
          xTapBytes,
          limits,
        );
        g += 4;
      }
      if (finishes) finish(yp, rp, 4, channels, yPixelBytes, rPixelBytes, activation);
      rp += rPixelBytes * 4;
      xp += xPixelBytes * 4;
      yp += yPixelBytes * 4;
    }
    for (; column < columns; column++) {
      let g = w;
      let c: usize = 0;
      for (; c < (whole as usize) << 2; c += 16) {
        tile1(xp + c, g, yp + c, rows, xRowBytes, taps, xTapBytes, limits);
        g += groupBytes;
      }
      for (; c < (channels as usize) << 2; c += 4) {
        tileScalar(xp + c, g, yp + c, rows, xRowBytes, taps, xTapBytes, limits);
        g += 4;
      }
      if (finishes) finish(yp, rp, 1, channels, yPixelBytes, rPixelBytes, activation);
      rp += rPixelBytes;
      xp += xPixelBytes;
      yp += yPixelBytes;
    }
  }
}
