/** Pooling windows over [N, C, H, W]. */
import type { PoolOptions, Strided } from "../backend.ts";
import { f32 } from "./rows.ts";

/**
 * Average or maximum of windows. A window is cut at the padded input (it can reach past it where the output size was
 * rounded up); padding counts as -inf for a maximum, as 0 for an average.
 */
export function pool2d(x: Strided, out: Strided, options: PoolOptions): void {
  const { kind, kernel, stride, padding, dilation, countIncludePad, divisorOverride } = options;
  const [, , height, width] = x.shape;
  const [sn, sc, sh, sw] = x.strides;
  const data = f32(x);
  eachPixel(out, (n, c, oy, ox) => {
    const base = x.offset + n * sn + c * sc;
    const y0 = oy * stride[0] - padding[0];
    const x0 = ox * stride[1] - padding[1];
    const yEnd = Math.min(y0 + (kernel[0] - 1) * dilation[0] + 1, height + padding[0]);
    const xEnd = Math.min(x0 + (kernel[1] - 1) * dilation[1] + 1, width + padding[1]);
    let sum = 0;
    let max = Number.NEGATIVE_INFINITY;
    let count = 0;
    for (let iy = y0; iy < Math.min(yEnd, height); iy += dilation[0]) {
      if (iy < 0) continue;
      for (let ix = x0; ix < Math.min(xEnd, width); ix += dilation[1]) {
        if (ix < 0) continue;
        const v = data[base + iy * sh + ix * sw];
        sum += v;
        max = Math.max(max, v);
        count++;
      }
    }
    if (kind === "max") return max;
    if (count === 0) return 0; // a window of padding alone
    const area = countIncludePad ? (yEnd - y0) * (xEnd - x0) : count;
    return sum / (divisorOverride ?? area);
  });
}

/** Averages over rows [floor(i*H/Ho), ceil((i+1)*H/Ho)) and likewise for columns. */
export function adaptiveAvgPool2d(x: Strided, out: Strided): void {
  const [, , height, width] = x.shape;
  const [, , outH, outW] = out.shape;
  const [sn, sc, sh, sw] = x.strides;
  const data = f32(x);
  eachPixel(out, (n, c, oy, ox) => {
    const base = x.offset + n * sn + c * sc;
    const y0 = Math.floor((oy * height) / outH);
    const y1 = Math.ceil(((oy + 1) * height) / outH);
    const x0 = Math.floor((ox * width) / outW);
    const x1 = Math.ceil(((ox + 1) * width) / outW);
    let sum = 0;
    for (let iy = y0; iy < y1; iy++) for (let ix = x0; ix < x1; ix++) sum += data[base + iy * sh + ix * sw];
    return sum / ((y1 - y0) * (x1 - x0));
  });
}

function eachPixel(out: Strided, value: (n: number, c: number, y: number, x: number) => number): void {
  const [batch, channels, height, width] = out.shape;
  const [sn, sc, sh, sw] = out.strides;
  const data = f32(out);
  for (let n = 0; n < batch; n++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < channels; c++)
          data[out.offset + n * sn + c * sc + y * sh + x * sw] = value(n, c, y, x);
}
