/** Sampling [N, C, H, W] at the points of a grid (`aten/src/ATen/native/GridSampler.h`). */
import type { GridSampleOptions, Strided } from "../backend.ts";
import { f32 } from "./rows.ts";

const { fround } = Math;

/** x [N, C, H, W], grid [N, Ho, Wo, 2] holding (x, y) in [-1, 1], out [N, C, Ho, Wo]. */
export function gridSample(x: Strided, grid: Strided, out: Strided, options: GridSampleOptions): void {
  const [batch, channels, outH, outW] = out.shape;
  const [, , height, width] = x.shape;
  const [sn, sc, sh, sw] = x.strides;
  const [gn, gh, gw, gc] = grid.strides;
  const [yn, yc, yh, yw] = out.strides;
  const data = f32(x);
  const points = f32(grid);
  const y = f32(out);
  const border = options.paddingMode === "border";
  const inside = (iy: number, ix: number): boolean => iy >= 0 && iy < height && ix >= 0 && ix < width;
  for (let n = 0; n < batch; n++) {
    for (let oy = 0; oy < outH; oy++) {
      for (let ox = 0; ox < outW; ox++) {
        const g = grid.offset + n * gn + oy * gh + ox * gw;
        const px = place(points[g], width, options, border);
        const py = place(points[g + gc], height, options, border);
        const from = x.offset + n * sn;
        const to = out.offset + n * yn + oy * yh + ox * yw;
        if (options.mode === "nearest") {
          const iy = roundHalfEven(py);
          const ix = roundHalfEven(px);
          const ok = inside(iy, ix);
          const at = from + iy * sh + ix * sw;
          for (let c = 0; c < channels; c++) y[to + c * yc] = ok ? data[at + c * sc] : 0;
          continue;
        }
        const iy = Math.floor(py);
        const ix = Math.floor(px);
        const v = py - iy;
        const u = px - ix;
        const at = from + iy * sh + ix * sw;
        const topLeft = inside(iy, ix) ? (1 - v) * (1 - u) : 0;
        const topRight = inside(iy, ix + 1) ? (1 - v) * u : 0;
        const bottomLeft = inside(iy + 1, ix) ? v * (1 - u) : 0;
        const bottomRight = inside(iy + 1, ix + 1) ? v * u : 0;
        for (let c = 0; c < channels; c++) {
          const p = at + c * sc;
          let sum = 0;
          if (topLeft !== 0) sum += topLeft * data[p];
          if (topRight !== 0) sum += topRight * data[p + sw];
          if (bottomLeft !== 0) sum += bottomLeft * data[p + sh];
          if (bottomRight !== 0) sum += bottomRight * data[p + sh + sw];
          y[to + c * yc] = sum;
        }
      }
    }
  }
}

/** A grid coordinate in [-1, 1] as a position in pixels. */
function place(coordinate: number, size: number, options: GridSampleOptions, border: boolean): number {
  // Nearest decides by a threshold, so it takes PyTorch's rounding steps; bilinear is continuous and stays exact.
  const r = options.mode === "nearest" ? fround : (v: number): number => v;
  const scaled = r(r(coordinate + 1) * (options.alignCorners ? (size - 1) / 2 : size / 2));
  const position = options.alignCorners ? scaled : r(scaled - 0.5);
  return border ? Math.min(Math.max(position, 0), size - 1) : position;
}

/** To the nearest whole number, halves to the even one. */
function roundHalfEven(v: number): number {
  const low = Math.floor(v);
  const rest = v - low;
  if (rest !== 0.5) return Math.round(v);
  return low % 2 === 0 ? low : low + 1;
}
