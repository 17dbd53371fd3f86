/**
 * Dot products of all rows of one matrix with all rows of another, in double precision: what matmul, linear and
 * convolution come down to once their operands are packed. The product of two f32 is exact in a double.
 */

/** Rows that callers pack at a time: enough to use each packed weight often, few enough to stay in cache. */
export const TILE_ROWS = 32;

/** out[r * cols + c] = a[r, :] . b[c, :], a [rows, k], b [cols, k], row-major. Blocks of 2 x 4 sums in registers. */
export function dotRows(
  a: Float64Array,
  rows: number,
  b: Float64Array,
  cols: number,
  k: number,
  out: Float64Array,
): void {
  const rows2 = rows - (rows % 2);
  const cols4 = cols - (cols % 4);
  for (let c = 0; c < cols4; c += 4) for (let r = 0; r < rows2; r += 2) block(a, r, b, c, cols, k, out);
  for (let r = 0; r < rows; r++) {
    for (let c = r < rows2 ? cols4 : 0; c < cols; c++) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += a[r * k + i] * b[c * k + i];
      out[r * cols + c] = sum;
    }
  }
}

function block(
  a: Float64Array,
  row: number,
  b: Float64Array,
  col: number,
  cols: number,
  k: number,
  out: Float64Array,
): void {
  const a0 = row * k;
  const a1 = a0 + k;
  const b0 = col * k;
  const b1 = b0 + k;
  const b2 = b1 + k;
  const b3 = b2 + k;
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  for (let i = 0; i < k; i++) {
    const x0 = a[a0 + i];
    const x1 = a[a1 + i];
    const w0 = b[b0 + i];
    s00 += x0 * w0;
    s10 += x1 * w0;
    const w1 = b[b1 + i];
    s01 += x0 * w1;
    s11 += x1 * w1;
    const w2 = b[b2 + i];
    s02 += x0 * w2;
    s12 += x1 * w2;
    const w3 = b[b3 + i];
    s03 += x0 * w3;
    s13 += x1 * w3;
  }
  const o = row * cols + col;
  out[o] = s00;
  out[o + 1] = s01;
  out[o + 2] = s02;
  out[o + 3] = s03;
  out[o + cols] = s10;
  out[o + cols + 1] = s11;
  out[o + cols + 2] = s12;
  out[o + cols + 3] = s13;
}
