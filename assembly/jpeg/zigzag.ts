/**
 * Where the k-th coefficient of a block is kept: rows of frequencies, i16 each.
 * Source: ITU-T T.81, figure A.6. Behind the 64 stand 16 more, all for the last one, as in libjpeg: damaged data can run
 * past the end of a block, by less than 16.
 */
// prettier-ignore
// biome-ignore format: eight to a row, as in the figure
const ZIGZAG: usize = memory.data<u8>([
  0, 2, 16, 32, 18, 4, 6, 20,
  34, 48, 64, 50, 36, 22, 8, 10,
  24, 38, 52, 66, 80, 96, 82, 68,
  54, 40, 26, 12, 14, 28, 42, 56,
  70, 84, 98, 112, 114, 100, 86, 72,
  58, 44, 30, 46, 60, 74, 88, 102,
  116, 118, 104, 90, 76, 62, 78, 92,
  106, 120, 122, 108, 94, 110, 124, 126,
  126, 126, 126, 126, 126, 126, 126, 126,
  126, 126, 126, 126, 126, 126, 126, 126,
]);

/** The offset in bytes of coefficient k, 0 <= k < 80. */
export function zigzag(k: i32): usize {
  return load<u8>(ZIGZAG + (k as usize)) as usize;
}
