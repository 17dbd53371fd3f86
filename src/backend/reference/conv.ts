/**
 * Convolution. Dense and grouped ones gather the inputs of a tile of output pixels and take dot products with the
 * packed weights; depthwise ones (one input channel a group) add tap after tap over all channels of a pixel.
 */
import type { ConvOptions, Strided } from "../backend.ts";
import { dotRows, TILE_ROWS } from "./dot.ts";
import { f32 } from "./rows.ts";

/** x [N, C, H, W], w [O, C/groups, kh, kw], bias [O], out [N, O, Ho, Wo]. */
export function conv2d(
  x: Strided,
  w: Strided,
  bias: Strided | undefined,
  out: Strided,
  options: ConvOptions,
): void {
  const shift = new Float64Array(w.shape[0]);
  if (bias) for (let o = 0; o < shift.length; o++) shift[o] = f32(bias)[bias.offset + o * bias.strides[0]];
  if (w.shape[1] === 1) depthwise(x, w, shift, out, options);
  else for (let g = 0; g < options.groups; g++) group(g, x, w, shift, out, options);
}

/** One group's output channels. */
function group(
  g: number,
  x: Strided,
  w: Strided,
  shift: Float64Array,
  out: Strided,
  options: ConvOptions,
): void {
  const [, channels, kh, kw] = w.shape;
  const [batch, , outH, outW] = out.shape;
  const outputs = w.shape[0] / options.groups;
  const first = g * outputs;
  const k = kh * kw * channels;
  const y = f32(out);
  const [yn, yc, yh, yw] = out.strides;
  const weights = packWeights(w, first, outputs);
  const tile = new Float64Array(TILE_ROWS * k);
  const sums = new Float64Array(TILE_ROWS * outputs);
  const pixels = outH * outW;
  for (let n = 0; n < batch; n++) {
    for (let start = 0; start < pixels; start += TILE_ROWS) {
      const rows = Math.min(TILE_ROWS, pixels - start);
      gather(x, n, g * channels, channels, kh, kw, outW, start, rows, options, tile);
      dotRows(tile, rows, weights, outputs, k, sums);
      for (let p = 0; p < rows; p++) {
        const pixel = start + p;
        const to = out.offset + n * yn + first * yc + Math.floor(pixel / outW) * yh + (pixel % outW) * yw;
        for (let o = 0; o < outputs; o++) y[to + o * yc] = sums[p * outputs + o] + shift[first + o];
      }
    }
  }
}

/** w[first + o, c, ky, kx] as [o][ky][kx][c]. */
function packWeights(w: Strided, first: number, outputs: number): Float64Array {
  const [, channels, kh, kw] = w.shape;
  const [so, sc, sh, sw] = w.strides;
  const data = f32(w);
  const packed = new Float64Array(outputs * kh * kw * channels);
  let at = 0;
  for (let o = 0; o < outputs; o++) {
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const from = w.offset + (first + o) * so + ky * sh + kx * sw;
        for (let c = 0; c < channels; c++) packed[at++] = data[from + c * sc];
      }
    }
  }
  return packed;
}

/** The inputs of `rows` output pixels from pixel `start` on, as [pixel][ky][kx][c], zeros outside the image. */
function gather(
  x: Strided,
  n: number,
  firstChannel: number,
  channels: number,
  kh: number,
  kw: number,
  outW: number,
  start: number,
  rows: number,
  { stride, padding, dilation }: ConvOptions,
  tile: Float64Array,
): void {
  const [, , height, width] = x.shape;
  const [sn, sc, sh, sw] = x.strides;
  const data = f32(x);
  const base = x.offset + n * sn + firstChannel * sc;
  let at = 0;
  for (let p = 0; p < rows; p++) {
    const y0 = Math.floor((start + p) / outW) * stride[0] - padding[0];
    const x0 = ((start + p) % outW) * stride[1] - padding[1];
    for (let ky = 0; ky < kh; ky++) {
      const iy = y0 + ky * dilation[0];
      for (let kx = 0; kx < kw; kx++) {
        const ix = x0 + kx * dilation[1];
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) {
          for (let c = 0; c < channels; c++) tile[at++] = 0;
        } else {
          const from = base + iy * sh + ix * sw;
          for (let c = 0; c < channels; c++) tile[at++] = data[from + c * sc];
        }
      }
    }
  }
}

/** One input channel a group; output channel o reads input channel floor(o / (O / C)). */
function depthwise(
  x: Strided,
  w: Strided,
  shift: Float64Array,
  out: Strided,
  { stride, padding, dilation, groups }: ConvOptions,
): void {
  const [outputs, , kh, kw] = w.shape;
  const [, , height, width] = x.shape;
  const [batch, , outH, outW] = out.shape;
  const [sn, sc, sh, sw] = x.strides;
  const [wo, , wh, ww] = w.strides;
  const [yn, yc, yh, yw] = out.strides;
  const data = f32(x);
  const weights = f32(w);
  const y = f32(out);
  const perGroup = outputs / groups;
  // Where each output channel's input channel and weights begin.
  const inputAt = Int32Array.from({ length: outputs }, (_, o) => Math.floor(o / perGroup) * sc);
  const taps = new Float64Array(kh * kw * outputs); // [ky][kx][o]
  for (let ky = 0; ky < kh; ky++) {
    for (let kx = 0; kx < kw; kx++) {
      const to = (ky * kw + kx) * outputs;
      const from = w.offset + ky * wh + kx * ww;
      for (let o = 0; o < outputs; o++) taps[to + o] = weights[from + o * wo];
    }
  }
  const sums = new Float64Array(outputs);
  for (let n = 0; n < batch; n++) {
    for (let oy = 0; oy < outH; oy++) {
      for (let ox = 0; ox < outW; ox++) {
        sums.set(shift);
        for (let ky = 0; ky < kh; ky++) {
          const iy = oy * stride[0] - padding[0] + ky * dilation[0];
          if (iy < 0 || iy >= height) continue;
          for (let kx = 0; kx < kw; kx++) {
            const ix = ox * stride[1] - padding[1] + kx * dilation[1];
            if (ix < 0 || ix >= width) continue;
            const from = x.offset + n * sn + iy * sh + ix * sw;
            const tap = (ky * kw + kx) * outputs;
            for (let o = 0; o < outputs; o++) sums[o] += data[from + inputAt[o]] * taps[tap + o];
          }
        }
        const to = out.offset + n * yn + oy * yh + ox * yw;
        for (let o = 0; o < outputs; o++) y[to + o * yc] = sums[o];
      }
    }
  }
}
