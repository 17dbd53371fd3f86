/** Reading by index: `gather` along an axis and `embedding` rows. */
import type { Strided } from "../backend.ts";
import { dropAxis, f32, forEachRow, indices, without } from "./rows.ts";

/** out[i][j][k] = x[i][index[i][j][k]][k] (for axis 1); out has index's shape; any dtype. */
export function gather(x: Strided, axis: number, index: Strided, out: Strided): void {
  const from = x.storage.data;
  const to = out.storage.data;
  const where = indices(index);
  const step = x.strides[axis];
  // x walks with the output along every other axis and stays at index 0 of its own
  const origin = { strides: x.strides.map((s, i) => (i === axis ? 0 : s)), offset: x.offset };
  forEachRow(out.shape, [out, origin, index], (n, [o, i, j], [os, is, js]) => {
    for (let k = 0; k < n; k++) to[o + k * os] = from[i + k * is + Number(where[j + k * js]) * step];
  });
}

/** out[..., :] = w[index[...], :]. */
export function embedding(w: Strided, index: Strided, out: Strided): void {
  const last = out.shape.length - 1;
  const d = w.shape[1];
  const from = f32(w);
  const to = f32(out);
  const where = indices(index);
  const [rowStep, ws] = w.strides;
  const os = out.strides[last];
  forEachRow(without(out.shape, last), [dropAxis(out, last), index], (n, [o, j], [oStep, jStep]) => {
    for (let i = 0; i < n; i++) {
      const row = w.offset + Number(where[j + i * jStep]) * rowStep;
      const at = o + i * oStep;
      for (let k = 0; k < d; k++) to[at + k * os] = from[row + k * ws];
    }
  });
}
