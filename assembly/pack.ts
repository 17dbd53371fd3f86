/** Packs weights of any strides into the panels that `gemm` reads: [ceil(outputs/16)][bias16, then K x 16]. */

/** Four outputs' four consecutive inputs, transposed: from rows at s, s+n, s+2n, s+3n to columns of a panel at d. */
function transpose4x4(s: usize, n: usize, d: usize): void {
  const r0 = v128.load(s);
  const r1 = v128.load(s + n);
  const r2 = v128.load(s + n * 2);
  const r3 = v128.load(s + n * 3);
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const e = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(d, v128.shuffle<f32>(a, c, 0, 1, 4, 5));
  v128.store(d, v128.shuffle<f32>(a, c, 2, 3, 6, 7), 64);
  v128.store(d, v128.shuffle<f32>(b, e, 0, 1, 4, 5), 128);
  v128.store(d, v128.shuffle<f32>(b, e, 2, 3, 6, 7), 192);
}

/** `length` inputs of `count` outputs from s (strides in bytes) to a panel at d; unused outputs become 0. */
function packSegment(
  s: usize,
  d: usize,
  count: i32,
  outputBytes: usize,
  length: i32,
  inputBytes: usize,
): void {
  const zero = f32x4.splat(0);
  if (count == 16 && outputBytes == 4) {
    for (let k = length; k > 0; k--) {
      v128.store(d, v128.load(s));
      v128.store(d, v128.load(s, 16), 16);
      v128.store(d, v128.load(s, 32), 32);
      v128.store(d, v128.load(s, 48), 48);
      s += inputBytes;
      d += 64;
    }
    return;
  }
  let k = 0;
  if (count == 16 && inputBytes == 4) {
    for (; k + 4 <= length; k += 4) {
      transpose4x4(s, outputBytes, d);
      transpose4x4(s + outputBytes * 4, outputBytes, d + 16);
      transpose4x4(s + outputBytes * 8, outputBytes, d + 32);
      transpose4x4(s + outputBytes * 12, outputBytes, d + 48);
      s += 16;
      d += 256;
    }
  }
  for (; k < length; k++) {
    if (count < 16) {
      v128.store(d, zero);
      v128.store(d, zero, 16);
      v128.store(d, zero, 32);
      v128.store(d, zero, 48);
    }
    let from = s;
    let to = d;
    for (let n = 0; n < count; n++) {
      store<f32>(to, load<f32>(from));
      from += outputBytes;
      to += 4;
    }
    s += inputBytes;
    d += 64;
  }
}

/** K x 16 numbers of `count` outputs from s to d, as {@link packPanels} says. */
export function packPanel(
  s: usize,
  d: usize,
  count: i32,
  outputBytes: usize,
  length: i32,
  inputBytes: usize,
  taps: i32,
  tapBytes: usize,
  rows: i32,
  rowBytes: usize,
): void {
  for (let row = 0; row < rows; row++) {
    for (let tap = 0; tap < taps; tap++) {
      const at = s + (row as usize) * rowBytes + (tap as usize) * tapBytes;
      packSegment(at, d, count, outputBytes, length, inputBytes);
      d += (length as usize) << 6;
    }
  }
}

/**
 * - w: input (row, tap, i) of output n of outer index o at w + o*wOuterBytes + n*outputBytes + row*rowBytes +
 *   tap*tapBytes + i*inputBytes; K runs over (row, tap, i), i innermost
 * - bias: output n at bias + n*biasBytes; 0 for none
 * - panels: 64-byte aligned, ceil(outputs/16) * (K + 1) * 64 bytes per outer index, one behind the other
 * - unit: one panel; ceil(outputs/16) per outer index
 */
export function packPanels(
  w: usize,
  bias: usize,
  panels: usize,
  outputs: i32,
  outputBytes: usize,
  length: i32,
  inputBytes: usize,
  taps: i32,
  tapBytes: usize,
  rows: i32,
  rowBytes: usize,
  biasBytes: usize,
  wOuterBytes: usize,
  begin: i32,
  end: i32,
): void {
  const perOuter = (outputs + 15) >> 4;
  const panelBytes = ((length * taps * rows + 1) as usize) << 6;
  for (let unit = begin; unit < end; unit++) {
    const outer = unit / perOuter;
    const first = (unit - outer * perOuter) << 4;
    const count = min(outputs - first, 16);
    let d = panels + (unit as usize) * panelBytes;
    for (let n = 0; n < 16; n++) {
      const has = bias != 0 && n < count;
      store<f32>(d + ((n as usize) << 2), has ? load<f32>(bias + ((first + n) as usize) * biasBytes) : 0);
    }
    d += 64;
    const s = w + (outer as usize) * wOuterBytes + (first as usize) * outputBytes;
    packPanel(s, d, count, outputBytes, length, inputBytes, taps, tapBytes, rows, rowBytes);
  }
}
