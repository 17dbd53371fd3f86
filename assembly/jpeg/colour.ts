/**
 * From rows of components to a row of RGB, 16 pixels at a time; up to 15 pixels behind the row's end are written too.
 * Source: YCbCr and YCCK: JFIF 1.02 in libjpeg's 16-bit fixed point (jdcolor.c); its factors are split into a whole number
 * and a rest that fits 16 bits, which changes no result. CMYK (inverted, as Adobe stores it) as OpenCV's
 * icvCvt_CMYK2BGR_8u_C4C3R.
 */

// Rests of 1.402, 0.34414, 0.71414 and 1.772, times 2^16.
const CR_TO_R: i32 = 91881 - 65536;
const CB_TO_G: i32 = -22554;
const CR_TO_G: i32 = 65536 - 46802;
const CB_TO_B: i32 = 116130 - 131072;
const HALF: i32 = 1 << 15;

// What ycc16 leaves behind.
let red: v128 = i8x16.splat(0);
let green: v128 = i8x16.splat(0);
let blue: v128 = i8x16.splat(0);

export function greyRow(grey: usize, to: usize, width: i32): void {
  for (let x = 0; x < width; x += 16) {
    const g = v128.load(grey + (x as usize));
    storeRgb(to, g, g, g);
    to += 48;
  }
}

export function rgbRow(r: usize, g: usize, b: usize, to: usize, width: i32): void {
  for (let x = 0; x < width; x += 16) {
    const at = x as usize;
    storeRgb(to, v128.load(r + at), v128.load(g + at), v128.load(b + at));
    to += 48;
  }
}

export function yccRow(y: usize, cb: usize, cr: usize, to: usize, width: i32): void {
  for (let x = 0; x < width; x += 16) {
    const at = x as usize;
    ycc16(v128.load(y + at), v128.load(cb + at), v128.load(cr + at));
    storeRgb(to, red, green, blue);
    to += 48;
  }
}

export function cmykRow(c: usize, m: usize, y: usize, k: usize, to: usize, width: i32): void {
  for (let x = 0; x < width; x += 16) {
    const at = x as usize;
    const black = v128.load(k + at);
    storeRgb(
      to,
      withBlack(v128.load(c + at), black),
      withBlack(v128.load(m + at), black),
      withBlack(v128.load(y + at), black),
    );
    to += 48;
  }
}

/** YCCK: Y, Cb and Cr give the complements of C, M and Y. */
export function ycckRow(y: usize, cb: usize, cr: usize, k: usize, to: usize, width: i32): void {
  for (let x = 0; x < width; x += 16) {
    const at = x as usize;
    const black = v128.load(k + at);
    ycc16(v128.load(y + at), v128.load(cb + at), v128.load(cr + at));
    storeRgb(
      to,
      withBlack(v128.not(red), black),
      withBlack(v128.not(green), black),
      withBlack(v128.not(blue), black),
    );
    to += 48;
  }
}

/** k - ((255 - ink) * k >> 8). */
function withBlack(ink: v128, black: v128): v128 {
  const light = v128.not(ink);
  const low = i16x8.shr_u(i16x8.extmul_low_i8x16_u(light, black), 8);
  const high = i16x8.shr_u(i16x8.extmul_high_i8x16_u(light, black), 8);
  return i8x16.sub(black, i8x16.narrow_i16x8_u(low, high));
}

/** Sets red, green and blue. */
function ycc16(y: v128, cb: v128, cr: v128): void {
  const centre = i16x8.splat(128);
  const cbLow = i16x8.sub(i16x8.extend_low_i8x16_u(cb), centre);
  const cbHigh = i16x8.sub(i16x8.extend_high_i8x16_u(cb), centre);
  const crLow = i16x8.sub(i16x8.extend_low_i8x16_u(cr), centre);
  const crHigh = i16x8.sub(i16x8.extend_high_i8x16_u(cr), centre);
  const yLow = i16x8.extend_low_i8x16_u(y);
  const yHigh = i16x8.extend_high_i8x16_u(y);
  const forRed = pairs(0, CR_TO_R);
  const forGreen = pairs(CB_TO_G, CR_TO_G);
  const forBlue = pairs(CB_TO_B, 0);
  red = i8x16.narrow_i16x8_u(
    i16x8.add(i16x8.add(yLow, crLow), product(cbLow, crLow, forRed)),
    i16x8.add(i16x8.add(yHigh, crHigh), product(cbHigh, crHigh, forRed)),
  );
  green = i8x16.narrow_i16x8_u(
    i16x8.add(i16x8.sub(yLow, crLow), product(cbLow, crLow, forGreen)),
    i16x8.add(i16x8.sub(yHigh, crHigh), product(cbHigh, crHigh, forGreen)),
  );
  blue = i8x16.narrow_i16x8_u(
    i16x8.add(i16x8.add(yLow, i16x8.shl(cbLow, 1)), product(cbLow, crLow, forBlue)),
    i16x8.add(i16x8.add(yHigh, i16x8.shl(cbHigh, 1)), product(cbHigh, crHigh, forBlue)),
  );
}

/** (cb * first + cr * second + HALF) >> 16, eight times. */
function product(cb: v128, cr: v128, factors: v128): v128 {
  const half = i32x4.splat(HALF);
  const low = i8x16.shuffle(cb, cr, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
  const high = i8x16.shuffle(cb, cr, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(low, factors), half), 16),
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(high, factors), half), 16),
  );
}

/** 16 pixels, 48 bytes. */
function storeRgb(to: usize, r: v128, g: v128, b: v128): void {
  const rg0 = i8x16.shuffle(r, g, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
  v128.store(to, i8x16.shuffle(rg0, b, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15));
  const rg1 = i8x16.shuffle(r, g, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
  v128.store(to, i8x16.shuffle(rg1, b, 0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15), 16);
  const rg2 = i8x16.shuffle(r, g, 0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
  v128.store(to, i8x16.shuffle(rg2, b, 26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31), 32);
}

function pairs(low: i32, high: i32): v128 {
  return i32x4.splat((low & 0xffff) | (high << 16));
}
