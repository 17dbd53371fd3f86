/** Winograd's weights: G w G' in double precision, rounded once and packed; `winograd.ts` has the algorithm and its G. */

/** One row of G times (w0, w1, w2). */
function rowOfG(i: i32, w0: f64, w1: f64, w2: f64): f64 {
  if (i == 5) return w2;
  const p: f64 = i == 0 ? 0 : i == 1 ? 0.75 : i == 2 ? -0.75 : i == 3 ? 1.5 : -1.5;
  // products of differences: of 0: t; of +-a: 2 a2 (a2 - b2); of +-b: 2 b2 (b2 - a2)
  const n: f64 = i == 0 ? 1.265625 : i <= 2 ? -1.8984375 : 7.59375;
  return (w0 + p * (w1 + p * w2)) / n;
}

/**
 * Transforms and packs weights: [ceil(outputs/16)][bias16, 36 x [zeros16, K x 16]] of f32, K = inputs rounded up to 4
 * (their weights 0), 64-byte aligned: 64 + 36 * (K + 1) * 64 bytes a panel.
 * - w: at w + o*outputBytes + i*inputBytes + ky*rowBytes + kx*tapBytes; bias: at bias + o*biasBytes, 0 for none
 * - unit: one panel
 */
export function packWinograd(
  w: usize,
  bias: usize,
  panels: usize,
  outputs: i32,
  outputBytes: usize,
  inputs: i32,
  inputBytes: usize,
  rowBytes: usize,
  tapBytes: usize,
  biasBytes: usize,
  begin: i32,
  end: i32,
): void {
  const k4 = (inputs + 3) & ~3;
  const positionBytes = ((k4 + 1) as usize) << 6;
  for (let unit = begin; unit < end; unit++) {
    const panel = panels + (unit as usize) * (positionBytes * 36 + 64);
    for (let position = 0; position < 36; position++) {
      memory.fill(panel + 64 + (position as usize) * positionBytes, 0, 64);
    }
    for (let lane = 0; lane < 16; lane++) {
      const o = (unit << 4) + lane;
      const to = panel + ((lane as usize) << 2);
      const has = o < outputs;
      store<f32>(to, has && bias != 0 ? load<f32>(bias + (o as usize) * biasBytes) : 0);
      for (let i = 0; i < k4; i++) {
        const d = to + 128 + ((i as usize) << 6);
        if (!has || i >= inputs) {
          for (let p: usize = 0; p < 36; p++) store<f32>(d + p * positionBytes, 0);
          continue;
        }
        const s = w + (o as usize) * outputBytes + (i as usize) * inputBytes;
        for (let row = 0; row < 6; row++) {
          const g0 = rowOfG(row, load<f32>(s), load<f32>(s + rowBytes), load<f32>(s + rowBytes * 2));
          const s1 = s + tapBytes;
          const g1 = rowOfG(row, load<f32>(s1), load<f32>(s1 + rowBytes), load<f32>(s1 + rowBytes * 2));
          const s2 = s1 + tapBytes;
          const g2 = rowOfG(row, load<f32>(s2), load<f32>(s2 + rowBytes), load<f32>(s2 + rowBytes * 2));
          for (let column = 0; column < 6; column++) {
            store<f32>(d + ((row * 6 + column) as usize) * positionBytes, rowOfG(column, g0, g1, g2) as f32);
          }
        }
      }
    }
  }
}
