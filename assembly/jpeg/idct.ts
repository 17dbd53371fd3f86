/**
 * Inverse DCT of 8 x 8 coefficients to samples 0..255: the accurate integer one of libjpeg ("islow"), with 13 bits of
 * fraction, columns first. Whole rows are one vector of i16.
 * Source: C. Loeffler, A. Ligtenberg, G. Moschytz, Practical fast 1-D DCT algorithms with 11 multiplications, ICASSP 1989,
 * as arranged in libjpeg-turbo's x86 code (jidctint-sse2.asm, -avx2.asm): in any stream that an encoder makes all of
 * libjpeg-turbo's versions agree; where coefficients are too large for 16 bits this one wraps and saturates as on x86.
 */

const HALF = memory.data(128, 16); // i16 [8][8] between the passes

// sqrt(2) cos(i pi / 16) and sums of them, times 2^13, in pairs for i32x4.dot_i16x8_s: low word first.
const F_0_298: i32 = 2446;
const F_0_390: i32 = 3196;
const F_0_541: i32 = 4433;
const F_0_765: i32 = 6270;
const F_0_899: i32 = 7373;
const F_1_175: i32 = 9633;
const F_1_501: i32 = 12299;
const F_1_847: i32 = 15137;
const F_1_961: i32 = 16069;
const F_2_053: i32 = 16819;
const F_2_562: i32 = 20995;
const F_3_072: i32 = 25172;

const FRACTION_BITS = 13;
const PASS1_BITS = 2;

/** block i16 [64] times quantiser u16 [64] -> 8 rows of 8 samples at `to`, rows `stride` bytes apart. */
export function inverseDct(block: usize, quantiser: usize, to: usize, stride: usize): void {
  const row0 = v128.load(block);
  const row1 = v128.load(block, 16);
  const row2 = v128.load(block, 32);
  const row3 = v128.load(block, 48);
  const row4 = v128.load(block, 64);
  const row5 = v128.load(block, 80);
  const row6 = v128.load(block, 96);
  const row7 = v128.load(block, 112);
  const first = i16x8.mul(row0, v128.load(quantiser));
  const others = v128.or(
    v128.or(v128.or(row1, row2), v128.or(row3, row4)),
    v128.or(v128.or(row5, row6), row7),
  );
  if (!v128.any_true(others)) {
    // Columns of one coefficient are constant. Not only faster: what is too large wraps here and saturates below.
    spreadColumns(i16x8.shl(first, PASS1_BITS));
  } else {
    transform(
      first,
      i16x8.mul(row1, v128.load(quantiser, 16)),
      i16x8.mul(row2, v128.load(quantiser, 32)),
      i16x8.mul(row3, v128.load(quantiser, 48)),
      i16x8.mul(row4, v128.load(quantiser, 64)),
      i16x8.mul(row5, v128.load(quantiser, 80)),
      i16x8.mul(row6, v128.load(quantiser, 96)),
      i16x8.mul(row7, v128.load(quantiser, 112)),
      FRACTION_BITS - PASS1_BITS,
    );
  }
  transform(
    v128.load(HALF),
    v128.load(HALF, 16),
    v128.load(HALF, 32),
    v128.load(HALF, 48),
    v128.load(HALF, 64),
    v128.load(HALF, 80),
    v128.load(HALF, 96),
    v128.load(HALF, 112),
    FRACTION_BITS + PASS1_BITS + 3,
  );
  storeRows(to, stride, 0);
  storeRows(to + 2 * stride, stride, 32);
  storeRows(to + 4 * stride, stride, 64);
  storeRows(to + 6 * stride, stride, 96);
}

/** The same for a block of which only the first coefficient is not zero. */
export function inverseDctFlat(dc: i32, quantiser: usize, to: usize, stride: usize): void {
  const column = (((dc * (load<u16>(quantiser) as i32)) << PASS1_BITS) << 16) >> 16;
  const sample = (column + 16) >> 5;
  const bytes = i8x16.splat((min(max(sample, -128), 127) + 128) as i8);
  for (let y = 0; y < 8; y++) {
    v128.store64_lane(to, bytes, 0);
    to += stride;
  }
}

/** Two rows of HALF as bytes around 128. */
function storeRows(to: usize, stride: usize, from: usize): void {
  const words = i8x16.narrow_i16x8_s(v128.load(HALF + from), v128.load(HALF + from, 16));
  const bytes = v128.xor(words, i8x16.splat(-128));
  v128.store64_lane(to, bytes, 0);
  v128.store64_lane(to + stride, bytes, 1);
}

/** HALF [i] = lane i of `row`, eight times. */
function spreadColumns(row: v128): void {
  v128.store(HALF, i8x16.shuffle(row, row, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1));
  v128.store(HALF, i8x16.shuffle(row, row, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3), 16);
  v128.store(HALF, i8x16.shuffle(row, row, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5), 32);
  v128.store(HALF, i8x16.shuffle(row, row, 6, 7, 6, 7, 6, 7, 6, 7, 6, 7, 6, 7, 6, 7, 6, 7), 48);
  v128.store(HALF, i8x16.shuffle(row, row, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9), 64);
  v128.store(
    HALF,
    i8x16.shuffle(row, row, 10, 11, 10, 11, 10, 11, 10, 11, 10, 11, 10, 11, 10, 11, 10, 11),
    80,
  );
  v128.store(
    HALF,
    i8x16.shuffle(row, row, 12, 13, 12, 13, 12, 13, 12, 13, 12, 13, 12, 13, 12, 13, 12, 13),
    96,
  );
  v128.store(
    HALF,
    i8x16.shuffle(row, row, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15),
    112,
  );
}

/** Transforms eight columns at once, drops `shift` bits, and stores the result in HALF with rows and columns swapped. */
function transform(
  in0: v128,
  in1: v128,
  in2: v128,
  in3: v128,
  in4: v128,
  in5: v128,
  in6: v128,
  in7: v128,
  shift: i32,
): void {
  const round = i32x4.splat(1 << (shift - 1));
  // Even part: tmp10..tmp13, in halves of four columns.
  const pair26l = interleaveLow(in2, in6);
  const pair26h = interleaveHigh(in2, in6);
  const even3 = pairs(F_0_541 + F_0_765, F_0_541);
  const even2 = pairs(F_0_541, F_0_541 - F_1_847);
  const tmp3l = i32x4.dot_i16x8_s(pair26l, even3);
  const tmp3h = i32x4.dot_i16x8_s(pair26h, even3);
  const tmp2l = i32x4.dot_i16x8_s(pair26l, even2);
  const tmp2h = i32x4.dot_i16x8_s(pair26h, even2);
  const sum04 = i16x8.add(in0, in4);
  const difference04 = i16x8.sub(in0, in4);
  const tmp0l = i32x4.add(i32x4.shl(i32x4.extend_low_i16x8_s(sum04), FRACTION_BITS), round);
  const tmp0h = i32x4.add(i32x4.shl(i32x4.extend_high_i16x8_s(sum04), FRACTION_BITS), round);
  const tmp1l = i32x4.add(i32x4.shl(i32x4.extend_low_i16x8_s(difference04), FRACTION_BITS), round);
  const tmp1h = i32x4.add(i32x4.shl(i32x4.extend_high_i16x8_s(difference04), FRACTION_BITS), round);
  // Odd part.
  const sum37 = i16x8.add(in7, in3);
  const sum15 = i16x8.add(in5, in1);
  const pairSumsL = interleaveLow(sum37, sum15);
  const pairSumsH = interleaveHigh(sum37, sum15);
  const odd3 = pairs(F_1_175 - F_1_961, F_1_175);
  const odd4 = pairs(F_1_175, F_1_175 - F_0_390);
  const z3l = i32x4.dot_i16x8_s(pairSumsL, odd3);
  const z3h = i32x4.dot_i16x8_s(pairSumsH, odd3);
  const z4l = i32x4.dot_i16x8_s(pairSumsL, odd4);
  const z4h = i32x4.dot_i16x8_s(pairSumsH, odd4);
  const pair71l = interleaveLow(in7, in1);
  const pair71h = interleaveHigh(in7, in1);
  const pair53l = interleaveLow(in5, in3);
  const pair53h = interleaveHigh(in5, in3);
  const by0 = pairs(F_0_298 - F_0_899, -F_0_899);
  const by3 = pairs(-F_0_899, F_1_501 - F_0_899);
  const by1 = pairs(F_2_053 - F_2_562, -F_2_562);
  const by2 = pairs(-F_2_562, F_3_072 - F_2_562);
  const odd0l = i32x4.add(i32x4.dot_i16x8_s(pair71l, by0), z3l);
  const odd0h = i32x4.add(i32x4.dot_i16x8_s(pair71h, by0), z3h);
  const odd3l = i32x4.add(i32x4.dot_i16x8_s(pair71l, by3), z4l);
  const odd3h = i32x4.add(i32x4.dot_i16x8_s(pair71h, by3), z4h);
  const odd1l = i32x4.add(i32x4.dot_i16x8_s(pair53l, by1), z4l);
  const odd1h = i32x4.add(i32x4.dot_i16x8_s(pair53h, by1), z4h);
  const odd2l = i32x4.add(i32x4.dot_i16x8_s(pair53l, by2), z3l);
  const odd2h = i32x4.add(i32x4.dot_i16x8_s(pair53h, by2), z3h);
  // Sums and differences, shortened to 16 bits with saturation.
  const ten0l = i32x4.add(tmp0l, tmp3l);
  const ten0h = i32x4.add(tmp0h, tmp3h);
  const ten3l = i32x4.sub(tmp0l, tmp3l);
  const ten3h = i32x4.sub(tmp0h, tmp3h);
  const ten1l = i32x4.add(tmp1l, tmp2l);
  const ten1h = i32x4.add(tmp1h, tmp2h);
  const ten2l = i32x4.sub(tmp1l, tmp2l);
  const ten2h = i32x4.sub(tmp1h, tmp2h);
  const out0 = descale(i32x4.add(ten0l, odd3l), i32x4.add(ten0h, odd3h), shift);
  const out7 = descale(i32x4.sub(ten0l, odd3l), i32x4.sub(ten0h, odd3h), shift);
  const out1 = descale(i32x4.add(ten1l, odd2l), i32x4.add(ten1h, odd2h), shift);
  const out6 = descale(i32x4.sub(ten1l, odd2l), i32x4.sub(ten1h, odd2h), shift);
  const out2 = descale(i32x4.add(ten2l, odd1l), i32x4.add(ten2h, odd1h), shift);
  const out5 = descale(i32x4.sub(ten2l, odd1l), i32x4.sub(ten2h, odd1h), shift);
  const out3 = descale(i32x4.add(ten3l, odd0l), i32x4.add(ten3h, odd0h), shift);
  const out4 = descale(i32x4.sub(ten3l, odd0l), i32x4.sub(ten3h, odd0h), shift);
  // Rows and columns swapped: words, pairs of words, fours.
  const a0 = interleaveLow(out0, out4);
  const a1 = interleaveHigh(out0, out4);
  const a2 = interleaveLow(out1, out5);
  const a3 = interleaveHigh(out1, out5);
  const a4 = interleaveLow(out2, out6);
  const a5 = interleaveHigh(out2, out6);
  const a6 = interleaveLow(out3, out7);
  const a7 = interleaveHigh(out3, out7);
  const b0 = interleaveLow(a0, a4);
  const b1 = interleaveHigh(a0, a4);
  const b2 = interleaveLow(a1, a5);
  const b3 = interleaveHigh(a1, a5);
  const b4 = interleaveLow(a2, a6);
  const b5 = interleaveHigh(a2, a6);
  const b6 = interleaveLow(a3, a7);
  const b7 = interleaveHigh(a3, a7);
  v128.store(HALF, interleaveLow(b0, b4));
  v128.store(HALF, interleaveHigh(b0, b4), 16);
  v128.store(HALF, interleaveLow(b1, b5), 32);
  v128.store(HALF, interleaveHigh(b1, b5), 48);
  v128.store(HALF, interleaveLow(b2, b6), 64);
  v128.store(HALF, interleaveHigh(b2, b6), 80);
  v128.store(HALF, interleaveLow(b3, b7), 96);
  v128.store(HALF, interleaveHigh(b3, b7), 112);
}

function descale(low: v128, high: v128, shift: i32): v128 {
  return i16x8.narrow_i32x4_s(i32x4.shr_s(low, shift), i32x4.shr_s(high, shift));
}

function interleaveLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

function interleaveHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

function pairs(low: i32, high: i32): v128 {
  return i32x4.splat((low & 0xffff) | (high << 16));
}
