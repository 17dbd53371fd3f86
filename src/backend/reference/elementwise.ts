/** Element-wise functions: computed in double precision, rounded once when stored. */

import { cos, exp, log, sin, tanh } from "../../portable-math.ts";
import type { BinaryOp, Strided, UnaryOp } from "../backend.ts";
import { erfc } from "./erf.ts";
import { f32, forEachRow } from "./rows.ts";

const SQRT_TWO_OVER_PI = Math.sqrt(2 / Math.PI);
const GELU_TANH_CUBIC = 0.044715; // arXiv 1606.08415, section 2

/** out[i] = f(x[i]). One loop per function, so that each is compiled by itself. */
export function unary(op: UnaryOp, x: Strided, out: Strided): void {
  const a = f32(x);
  const y = f32(out);
  forEachRow(out.shape, [out, x], (n, [o, i], [os, is]) => {
    switch (op) {
      case "relu":
        for (let k = 0; k < n; k++) y[o + k * os] = Math.max(a[i + k * is], 0);
        break;
      case "relu6":
        for (let k = 0; k < n; k++) y[o + k * os] = Math.min(Math.max(a[i + k * is], 0), 6);
        break;
      case "silu":
        for (let k = 0; k < n; k++) {
          const v = a[i + k * is];
          y[o + k * os] = v / (1 + exp(-v));
        }
        break;
      case "gelu": // x/2 * (1 + erf(x / sqrt 2)), written so that the left tail keeps its digits
        for (let k = 0; k < n; k++) {
          const v = a[i + k * is];
          y[o + k * os] = 0.5 * v * erfc(-v * Math.SQRT1_2);
        }
        break;
      case "gelu_tanh":
        for (let k = 0; k < n; k++) {
          const v = a[i + k * is];
          y[o + k * os] = 0.5 * v * (1 + tanh(SQRT_TWO_OVER_PI * (v + GELU_TANH_CUBIC * v * v * v)));
        }
        break;
      case "sigmoid":
        for (let k = 0; k < n; k++) y[o + k * os] = 1 / (1 + exp(-a[i + k * is]));
        break;
      case "exp":
        for (let k = 0; k < n; k++) y[o + k * os] = exp(a[i + k * is]);
        break;
      case "log":
        for (let k = 0; k < n; k++) y[o + k * os] = log(a[i + k * is]);
        break;
      case "sqrt":
        for (let k = 0; k < n; k++) y[o + k * os] = Math.sqrt(a[i + k * is]);
        break;
      case "neg":
        for (let k = 0; k < n; k++) y[o + k * os] = -a[i + k * is];
        break;
      case "sin":
        for (let k = 0; k < n; k++) y[o + k * os] = sin(a[i + k * is]);
        break;
      case "cos":
        for (let k = 0; k < n; k++) y[o + k * os] = cos(a[i + k * is]);
        break;
    }
  });
}

/** out[i] = f(a[i], b[i]). */
export function binary(op: BinaryOp, a: Strided, b: Strided, out: Strided): void {
  const x = f32(a);
  const y = f32(b);
  const z = f32(out);
  forEachRow(out.shape, [out, a, b], (n, [o, i, j], [os, is, js]) => {
    switch (op) {
      case "add":
        for (let k = 0; k < n; k++) z[o + k * os] = x[i + k * is] + y[j + k * js];
        break;
      case "sub":
        for (let k = 0; k < n; k++) z[o + k * os] = x[i + k * is] - y[j + k * js];
        break;
      case "mul":
        for (let k = 0; k < n; k++) z[o + k * os] = x[i + k * is] * y[j + k * js];
        break;
      case "div":
        for (let k = 0; k < n; k++) z[o + k * os] = x[i + k * is] / y[j + k * js];
        break;
      case "minimum":
        for (let k = 0; k < n; k++) z[o + k * os] = Math.min(x[i + k * is], y[j + k * js]);
        break;
      case "maximum":
        for (let k = 0; k < n; k++) z[o + k * os] = Math.max(x[i + k * is], y[j + k * js]);
        break;
    }
  });
}

/** out[i] = min(max(x[i], min), max); NaN stays, and where min > max everything becomes max, as in PyTorch. */
export function clamp(x: Strided, min: number, max: number, out: Strided): void {
  const a = f32(x);
  const y = f32(out);
  forEachRow(out.shape, [out, x], (n, [o, i], [os, is]) => {
    for (let k = 0; k < n; k++) {
      let v = a[i + k * is];
      if (v < min) v = min;
      if (v > max) v = max;
      y[o + k * os] = v;
    }
  });
}
