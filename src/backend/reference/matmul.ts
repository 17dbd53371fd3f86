/** Matrix products: `matmul` (batched) and `linear`. */
import type { Strided } from "../backend.ts";
import { dotRows, TILE_ROWS } from "./dot.ts";
import { f32, forEachRow, type Window } from "./rows.ts";

/** [..., M, K] times [..., K, N] into [..., M, N]. */
export function matmul(a: Strided, b: Strided, out: Strided): void {
  const lead = out.shape.length - 2;
  const [m, n] = out.shape.slice(lead);
  const k = a.shape[lead + 1];
  const x = f32(a);
  const w = f32(b);
  const y = f32(out);
  const [xRow, xCol] = a.strides.slice(lead);
  const [wRow, wCol] = b.strides.slice(lead);
  const [yRow, yCol] = out.strides.slice(lead);
  const columns = new Float64Array(n * k);
  const tile = new Float64Array(TILE_ROWS * k);
  const sums = new Float64Array(TILE_ROWS * n);
  const front = (s: Strided): Window => ({ strides: s.strides.slice(0, lead), offset: s.offset });
  forEachRow(out.shape.slice(0, lead), [front(out), front(a), front(b)], (batch, at, step) => {
    for (let i = 0; i < batch; i++) {
      const [yAt, xAt, wAt] = at.map((base, which) => base + i * step[which]);
      pack(w, wAt, wCol, wRow, n, k, columns);
      for (let r = 0; r < m; r += TILE_ROWS) {
        const rows = Math.min(TILE_ROWS, m - r);
        pack(x, xAt + r * xRow, xRow, xCol, rows, k, tile);
        dotRows(tile, rows, columns, n, k, sums);
        for (let p = 0; p < rows; p++) {
          const to = yAt + (r + p) * yRow;
          for (let c = 0; c < n; c++) y[to + c * yCol] = sums[p * n + c];
        }
      }
    }
  });
}

/** x [..., K] times w [N, K] transposed, plus bias [N]. */
export function linear(x: Strided, w: Strided, bias: Strided | undefined, out: Strided): void {
  const lead = x.shape.length - 1;
  const [n, k] = w.shape;
  const a = f32(x);
  const y = f32(out);
  const weights = new Float64Array(n * k);
  pack(f32(w), w.offset, w.strides[0], w.strides[1], n, k, weights);
  const shift = new Float64Array(n);
  if (bias) pack(f32(bias), bias.offset, bias.strides[0], 0, n, 1, shift);
  const tile = new Float64Array(TILE_ROWS * k);
  const sums = new Float64Array(TILE_ROWS * n);
  const xCol = x.strides[lead];
  const yCol = out.strides[lead];
  const front = (s: Strided): Window => ({ strides: s.strides.slice(0, lead), offset: s.offset });
  forEachRow(out.shape.slice(0, lead), [front(out), front(x)], (m, [yAt, xAt], [yRow, xRow]) => {
    for (let r = 0; r < m; r += TILE_ROWS) {
      const rows = Math.min(TILE_ROWS, m - r);
      pack(a, xAt + r * xRow, xRow, xCol, rows, k, tile);
      dotRows(tile, rows, weights, n, k, sums);
      for (let p = 0; p < rows; p++) {
        const to = yAt + (r + p) * yRow;
        for (let c = 0; c < n; c++) y[to + c * yCol] = sums[p * n + c] + shift[c];
      }
    }
  });
}

/** Copies a strided [rows, cols] matrix into `to`, row-major. */
function pack(
  from: Float32Array,
  at: number,
  rowStep: number,
  colStep: number,
  rows: number,
  cols: number,
  to: Float64Array,
): void {
  for (let r = 0; r < rows; r++) {
    const base = at + r * rowStep;
    for (let c = 0; c < cols; c++) to[r * cols + c] = from[base + c * colStep];
  }
}
