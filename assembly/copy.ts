/** Copies of 4-byte elements between any two layouts, frames of zeros, and pixels picked by index. */

/** `bytes` (a multiple of 4) from s to d, which do not overlap. */
export function copyBytes(s: usize, d: usize, bytes: i32): void {
  if (bytes > 1024) {
    memory.copy(d, s, bytes as usize);
    return;
  }
  for (; bytes >= 16; bytes -= 16) {
    v128.store(d, v128.load(s));
    s += 16;
    d += 16;
  }
  for (; bytes > 0; bytes -= 4) {
    store<u32>(d, load<u32>(s));
    s += 4;
    d += 4;
  }
}

/** y[i][j] = x[i][j] where x is contiguous along i and y along j: 4x4 tiles, then what is left one by one. */
function transpose(x: usize, y: usize, n: i32, m: i32, xColumnBytes: usize, yRowBytes: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    let s = x;
    let d = y;
    let j = 0;
    for (; j + 4 <= m; j += 4) {
      const r0 = v128.load(s);
      const r1 = v128.load(s + xColumnBytes);
      const r2 = v128.load(s + xColumnBytes * 2);
      const r3 = v128.load(s + xColumnBytes * 3);
      const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
      const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
      const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
      const e = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(d, v128.shuffle<f32>(a, c, 0, 1, 4, 5));
      v128.store(d + yRowBytes, v128.shuffle<f32>(a, c, 2, 3, 6, 7));
      v128.store(d + yRowBytes * 2, v128.shuffle<f32>(b, e, 0, 1, 4, 5));
      v128.store(d + yRowBytes * 3, v128.shuffle<f32>(b, e, 2, 3, 6, 7));
      s += xColumnBytes * 4;
      d += 16;
    }
    for (; j < m; j++) {
      const r = v128.load(s);
      v128.store_lane<f32>(d, r, 0);
      v128.store_lane<f32>(d + yRowBytes, r, 1);
      v128.store_lane<f32>(d + yRowBytes * 2, r, 2);
      v128.store_lane<f32>(d + yRowBytes * 3, r, 3);
      s += xColumnBytes;
      d += 4;
    }
    x += 16;
    y += yRowBytes * 4;
  }
  for (; i < n; i++) {
    let s = x;
    let d = y;
    for (let j = 0; j < m; j++) {
      store<u32>(d, load<u32>(s));
      s += xColumnBytes;
      d += 4;
    }
    x += 4;
    y += yRowBytes;
  }
}

/**
 * y[i0, i1, i2, i3, i, j] = x[same], 4-byte elements, strides in bytes, j innermost; y does not overlap x.
 * Vectors where x and y are contiguous along j, or x along i and y along j; else element by element.
 * Unit: `block` values of i of one (i0, i1, i2, i3), ceil(n/block) each.
 */
export function copyRows(
  x: usize,
  y: usize,
  n1: i32,
  n2: i32,
  n3: i32,
  n: i32,
  m: i32,
  x0: usize,
  x1: usize,
  x2: usize,
  x3: usize,
  xn: usize,
  xm: usize,
  y0: usize,
  y1: usize,
  y2: usize,
  y3: usize,
  yn: usize,
  ym: usize,
  block: i32,
  begin: i32,
  end: i32,
): void {
  const blocks = (n + block - 1) / block;
  for (let unit = begin; unit < end; unit++) {
    let outer = unit / blocks;
    const first = (unit - outer * blocks) * block;
    const rows = min(block, n - first);
    const i3 = outer % n3;
    outer /= n3;
    const i2 = outer % n2;
    outer /= n2;
    const i1 = outer % n1;
    const i0 = outer / n1;
    let s =
      x +
      (i0 as usize) * x0 +
      (i1 as usize) * x1 +
      (i2 as usize) * x2 +
      (i3 as usize) * x3 +
      (first as usize) * xn;
    let d =
      y +
      (i0 as usize) * y0 +
      (i1 as usize) * y1 +
      (i2 as usize) * y2 +
      (i3 as usize) * y3 +
      (first as usize) * yn;
    if (xm == 4 && ym == 4) {
      for (let i = 0; i < rows; i++) {
        copyBytes(s, d, m << 2);
        s += xn;
        d += yn;
      }
    } else if (xn == 4 && ym == 4) {
      transpose(s, d, rows, m, xm, yn);
    } else {
      for (let i = 0; i < rows; i++) {
        let sj = s;
        let dj = d;
        for (let j = 0; j < m; j++) {
          store<u32>(dj, load<u32>(sj));
          sj += xm;
          dj += ym;
        }
        s += xn;
        d += yn;
      }
    }
  }
}

/** words [begin, end) of y = bits. */
export function fillWords(y: usize, bits: i32, begin: i32, end: i32): void {
  const v = i32x4.splat(bits);
  let d = y + ((begin as usize) << 2);
  let i = begin;
  for (; i + 4 <= end; i += 4) {
    v128.store(d, v);
    d += 16;
  }
  for (; i < end; i++) {
    store<i32>(d, bits);
    d += 4;
  }
}

/**
 * Zeroes the frame around the [height, width] pixels of a channels-last buffer [top+height+bottom, ...] at y. Pixels are
 * pixelBytes, rows rowBytes = (left+width+right)*pixelBytes. Unit: one row of the buffer.
 */
export function zeroFrame(
  y: usize,
  height: i32,
  width: i32,
  top: i32,
  left: i32,
  pixelBytes: usize,
  rowBytes: usize,
  begin: i32,
  end: i32,
): void {
  const leftBytes = (left as usize) * pixelBytes;
  const innerBytes = (width as usize) * pixelBytes;
  for (let row = begin; row < end; row++) {
    const d = y + (row as usize) * rowBytes;
    if (row < top || row >= top + height) memory.fill(d, 0, rowBytes);
    else {
      memory.fill(d, 0, leftBytes);
      memory.fill(d + leftBytes + innerBytes, 0, rowBytes - leftBytes - innerBytes);
    }
  }
}

/**
 * y[n, oy, ox] = x[n, rowIndex[oy], columnIndex[ox]], pixels of `channels` f32; indices are i32 tables.
 * Strides in bytes; unit: one output row, `rows` per image.
 */
export function gatherPixels(
  x: usize,
  y: usize,
  rowIndex: usize,
  columnIndex: usize,
  rows: i32,
  columns: i32,
  channels: i32,
  xImageBytes: usize,
  xRowBytes: usize,
  xPixelBytes: usize,
  yImageBytes: usize,
  yRowBytes: usize,
  yPixelBytes: usize,
  begin: i32,
  end: i32,
): void {
  for (let unit = begin; unit < end; unit++) {
    const image = unit / rows;
    const row = unit - image * rows;
    const from = (load<i32>(rowIndex + ((row as usize) << 2)) as usize) * xRowBytes;
    const s = x + (image as usize) * xImageBytes + from;
    let d = y + (image as usize) * yImageBytes + (row as usize) * yRowBytes;
    let index = columnIndex;
    for (let column = 0; column < columns; column++) {
      copyBytes(s + (load<i32>(index) as usize) * xPixelBytes, d, channels << 2);
      d += yPixelBytes;
      index += 4;
    }
  }
}
