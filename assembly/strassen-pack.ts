/** Packs weights into the sums of quarters that `strassen` multiplies by. */
import { packPanel } from "./pack";

/** d = a + b, `vectors` of them; d may be either. */
function add(a: usize, b: usize, d: usize, vectors: i32): void {
  for (let i = vectors; i > 0; i--) {
    v128.store(d, f32x4.add(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    d += 16;
  }
}

/** d = a - b, `vectors` of them; d may be either. */
function subtract(a: usize, b: usize, d: usize, vectors: i32): void {
  for (let i = vectors; i > 0; i--) {
    v128.store(d, f32x4.sub(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    d += 16;
  }
}

/** 16 biases from s to the head of a panel at d; zeros where s is 0. */
function packBias(s: usize, biasBytes: usize, d: usize): void {
  for (let n: usize = 0; n < 16; n++) store<f32>(d + (n << 2), s == 0 ? 0 : load<f32>(s + n * biasBytes));
}

/**
 * W [K, N] in quarters: B11 and B12 are the first half of every run of inputs, B11 and B21 the first half of the outputs.
 *
 * - w: input (row, tap, i) of output n at w + n*outputBytes + row*rowBytes + tap*tapBytes + i*inputBytes, i in
 *   [0, 2*length); K runs over (row, tap, i)
 * - bias: output n at bias + n*biasBytes; 0 for none
 * - outputs: a multiple of 32
 * - panels: 64-byte aligned; for every pair of 16 outputs n and N/2 + n seven panels [16, then K/2 x 16], in the order
 *   in which `strassen` uses them: of M1, M2, M3 with the biases of N/2 + n, M4 with those of n, M5, M6, M7
 * - unit: one pair of panels of outputs; outputs / 32 in all
 */
export function packStrassen(
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
  begin: i32,
  end: i32,
): void {
  const k = length * taps * rows;
  const panelBytes = ((k + 1) as usize) << 6;
  const right = (length as usize) * inputBytes; // from the first half of the inputs to the second
  const below = ((outputs >> 1) as usize) * outputBytes;
  const vectors = k << 2;
  for (let unit = begin; unit < end; unit++) {
    const first = (unit as usize) << 4;
    const s = w + first * outputBytes;
    const m1 = panels + (unit as usize) * panelBytes * 7 + 64;
    const b11 = m1 + panelBytes; // of M2
    const m3 = b11 + panelBytes;
    const m4 = m3 + panelBytes;
    const b22 = m4 + panelBytes; // of M5
    const m6 = b22 + panelBytes;
    const m7 = m6 + panelBytes;
    packPanel(s, b11, 16, outputBytes, length, inputBytes, taps, tapBytes, rows, rowBytes);
    packPanel(s + right, m7, 16, outputBytes, length, inputBytes, taps, tapBytes, rows, rowBytes); // B21
    packPanel(s + below, m6, 16, outputBytes, length, inputBytes, taps, tapBytes, rows, rowBytes); // B12
    packPanel(s + below + right, b22, 16, outputBytes, length, inputBytes, taps, tapBytes, rows, rowBytes);
    add(b11, b22, m1, vectors);
    subtract(m6, b22, m3, vectors);
    subtract(m7, b11, m4, vectors);
    add(b11, m6, m6, vectors);
    add(m7, b22, m7, vectors);
    const bias1: usize = bias == 0 ? 0 : bias + first * biasBytes;
    const bias2: usize = bias == 0 ? 0 : bias1 + ((outputs >> 1) as usize) * biasBytes;
    packBias(0, biasBytes, m1 - 64);
    packBias(0, biasBytes, b11 - 64);
    packBias(bias2, biasBytes, m3 - 64);
    packBias(bias1, biasBytes, m4 - 64);
    packBias(0, biasBytes, b22 - 64);
    packBias(0, biasBytes, m6 - 64);
    packBias(0, biasBytes, m7 - 64);
  }
}
