/** Multi-scale deformable attention (arXiv 2010.04159, equation 3) after its projections. */
import type { Pair, Strided } from "../backend.ts";
import { f32 } from "./rows.ts";

/**
 * value [N, S, H, D], shapes (h, w) per level, locations [N, Q, H, L, P, 2] as (x, y) fractions of the map, weights
 * [N, Q, H, L, P], out [N, Q, H*D]. Bilinear, zero padding, align_corners = false.
 */
export function deformableAttention(
  value: Strided,
  shapes: readonly Pair[],
  locations: Strided,
  weights: Strided,
  out: Strided,
): void {
  const [batch, queries, heads, levels, points] = weights.shape;
  const d = value.shape[3];
  const [vn, vs, vh, vd] = value.strides;
  const [ln, lq, lh, ll, lp, lc] = locations.strides;
  const [wn, wq, wh, wl, wp] = weights.strides;
  const [on, oq, oc] = out.strides;
  const data = f32(value);
  const places = f32(locations);
  const share = f32(weights);
  const y = f32(out);
  const sums = new Float64Array(d);
  for (let n = 0; n < batch; n++) {
    for (let q = 0; q < queries; q++) {
      for (let h = 0; h < heads; h++) {
        sums.fill(0);
        let levelStart = value.offset + n * vn + h * vh;
        for (let l = 0; l < levels; l++) {
          const [height, width] = shapes[l];
          for (let p = 0; p < points; p++) {
            const at = locations.offset + n * ln + q * lq + h * lh + l * ll + p * lp;
            const weight = share[weights.offset + n * wn + q * wq + h * wh + l * wl + p * wp];
            const x = places[at] * width - 0.5;
            const z = places[at + lc] * height - 0.5;
            const ix = Math.floor(x);
            const iy = Math.floor(z);
            const u = x - ix;
            const v = z - iy;
            for (let corner = 0; corner < 4; corner++) {
              const cx = ix + (corner & 1);
              const cy = iy + (corner >> 1);
              if (!(cx >= 0 && cx < width && cy >= 0 && cy < height)) continue;
              const factor = weight * (corner & 1 ? u : 1 - u) * (corner >> 1 ? v : 1 - v);
              const from = levelStart + (cy * width + cx) * vs;
              for (let k = 0; k < d; k++) sums[k] += factor * data[from + k * vd];
            }
          }
          levelStart += height * width * vs;
        }
        const to = out.offset + n * on + q * oq + h * d * oc;
        for (let k = 0; k < d; k++) y[to + k * oc] = sums[k];
      }
    }
  }
}
