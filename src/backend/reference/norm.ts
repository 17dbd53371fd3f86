/** Normalisation: per-channel scaling (batch norm at inference), layer norm, softmax. */

import { exp } from "../../portable-math.ts";
import type { Strided } from "../backend.ts";
import { dropAxis, f32, forEachRow, without } from "./rows.ts";

/** out[n, c, ...] = x[n, c, ...] * alpha[c] + beta[c]. */
export function affineChannels(x: Strided, alpha: Strided, beta: Strided, out: Strided): void {
  const a = f32(x);
  const y = f32(out);
  const scale = f32(alpha);
  const shift = f32(beta);
  // alpha and beta as windows of x's shape: they step along axis 1 alone
  const channel = (v: Strided) => ({
    strides: x.shape.map((_, i) => (i === 1 ? v.strides[0] : 0)),
    offset: v.offset,
  });
  forEachRow(x.shape, [out, x, channel(alpha), channel(beta)], (n, [o, i, s, t], [os, is, ss, ts]) => {
    for (let k = 0; k < n; k++) y[o + k * os] = a[i + k * is] * scale[s + k * ss] + shift[t + k * ts];
  });
}

/** Over the last dimension D: (x - mean) / sqrt(var + eps) * w + b, biased variance. */
export function layerNorm(
  x: Strided,
  w: Strided | undefined,
  b: Strided | undefined,
  eps: number,
  out: Strided,
): void {
  const last = x.shape.length - 1;
  const d = x.shape[last];
  const a = f32(x);
  const y = f32(out);
  const scale = new Float64Array(d).fill(1);
  const shift = new Float64Array(d);
  if (w) for (let k = 0; k < d; k++) scale[k] = f32(w)[w.offset + k * w.strides[0]];
  if (b) for (let k = 0; k < d; k++) shift[k] = f32(b)[b.offset + k * b.strides[0]];
  const xs = x.strides[last];
  const ys = out.strides[last];
  forEachRow(
    without(x.shape, last),
    [dropAxis(out, last), dropAxis(x, last)],
    (n, [yAt, xAt], [yStep, xStep]) => {
      for (let i = 0; i < n; i++) {
        const from = xAt + i * xStep;
        const to = yAt + i * yStep;
        let sum = 0;
        for (let k = 0; k < d; k++) sum += a[from + k * xs];
        const mean = sum / d;
        let squares = 0;
        for (let k = 0; k < d; k++) {
          const v = a[from + k * xs] - mean;
          squares += v * v;
        }
        const inverse = 1 / Math.sqrt(squares / d + eps);
        for (let k = 0; k < d; k++)
          y[to + k * ys] = (a[from + k * xs] - mean) * inverse * scale[k] + shift[k];
      }
    },
  );
}

/** exp(x - max) / sum along `axis`. */
export function softmax(x: Strided, axis: number, out: Strided): void {
  const d = x.shape[axis];
  const a = f32(x);
  const y = f32(out);
  const xs = x.strides[axis];
  const ys = out.strides[axis];
  const powers = new Float64Array(d);
  forEachRow(
    without(x.shape, axis),
    [dropAxis(out, axis), dropAxis(x, axis)],
    (n, [yAt, xAt], [yStep, xStep]) => {
      for (let i = 0; i < n; i++) {
        const from = xAt + i * xStep;
        const to = yAt + i * yStep;
        let max = Number.NEGATIVE_INFINITY;
        for (let k = 0; k < d; k++) max = Math.max(max, a[from + k * xs]);
        let sum = 0;
        for (let k = 0; k < d; k++) {
          const p = exp(a[from + k * xs] - max);
          powers[k] = p;
          sum += p;
        }
        for (let k = 0; k < d; k++) y[to + k * ys] = powers[k] / sum;
      }
    },
  );
}
