/**
 * Resizing of [N, C, H, W], nearest and bilinear. Which pixels are read is PyTorch's own arithmetic, in f32 as there
 * (`aten/src/ATen/native/UpSample.h`); the blend itself is in double precision.
 */
import type { InterpolateOptions, Strided } from "../backend.ts";
import { f32 } from "./rows.ts";

const { fround } = Math;

/** For each output index: the two input indices that are blended and the share of the second. */
export interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly share: Float32Array;
}

/** [N, C, H, W] to [N, C, Ho, Wo]. */
export function interpolate(x: Strided, out: Strided, options: InterpolateOptions): void {
  const [batch, channels, outH, outW] = out.shape;
  const [sn, sc, sh, sw] = x.strides;
  const [yn, yc, yh, yw] = out.strides;
  const data = f32(x);
  const y = f32(out);
  const rows = interpolateTaps(x.shape[2], outH, options, options.scale?.[0]);
  const cols = interpolateTaps(x.shape[3], outW, options, options.scale?.[1]);
  for (let n = 0; n < batch; n++) {
    for (let oy = 0; oy < outH; oy++) {
      const top = x.offset + n * sn + rows.first[oy] * sh;
      const bottom = x.offset + n * sn + rows.second[oy] * sh;
      const v = rows.share[oy];
      for (let ox = 0; ox < outW; ox++) {
        const left = cols.first[ox] * sw;
        const right = cols.second[ox] * sw;
        const u = cols.share[ox];
        const to = out.offset + n * yn + oy * yh + ox * yw;
        for (let c = 0; c < channels; c++) {
          const at = c * sc;
          if (u === 0 && v === 0) {
            y[to + c * yc] = data[top + left + at]; // exact, and 0 * inf stays out of it
            continue;
          }
          const above = data[top + left + at] * (1 - u) + data[top + right + at] * u;
          const below = data[bottom + left + at] * (1 - u) + data[bottom + right + at] * u;
          y[to + c * yc] = above * (1 - v) + below * v;
        }
      }
    }
  }
}

/**
 * The taps of one axis of `size` pixels resized to `target`. `scale` is input pixels per output pixel where a scale
 * factor was given. Nearest reads `first` alone.
 */
export function interpolateTaps(
  size: number,
  target: number,
  options: Pick<InterpolateOptions, "mode" | "alignCorners">,
  scale?: number,
): Taps {
  const first = new Int32Array(target);
  const second = new Int32Array(target);
  const share = new Float32Array(target);
  const nearest = options.mode === "nearest";
  const corners = !nearest && options.alignCorners;
  let ratio = fround(scale ?? fround(size) / target);
  if (corners) ratio = target > 1 ? fround((size - 1) / (target - 1)) : 0;
  for (let i = 0; i < target; i++) {
    if (size === target) first[i] = second[i] = i;
    else if (nearest) {
      // QUIRK: an exact doubling halves the index whatever scale was given
      const at = target === 2 * size ? i >> 1 : Math.floor(fround(i * ratio));
      first[i] = second[i] = Math.min(at, size - 1);
    } else {
      const centre = corners ? fround(ratio * i) : fround(fround(ratio * fround(i + 0.5)) - 0.5);
      const real = Math.max(centre, 0);
      first[i] = Math.min(Math.trunc(real), size - 1);
      second[i] = Math.min(first[i] + 1, size - 1);
      share[i] = Math.min(Math.max(fround(real - first[i]), 0), 1);
    }
  }
  return { first, second, share };
}
