/**
 * Estimates of a block's first nine AC coefficients from the DC coefficients around it, for progressive files that end
 * before their last scan: each coefficient that is zero and not known in full is estimated; where nothing is known of any
 * of them, the DC coefficient is smoothed as well.
 * Source: ITU-T T.81, K.8, over 5 x 5 blocks, with the weights of libjpeg-turbo jdcoefct.c, decompress_smooth_data.
 */
import {
  BLOCKS_HIGH,
  BLOCKS_WIDE,
  coefficients,
  component,
  componentCount,
  quantiser,
  stripCount,
  V,
} from "./frame";

const COUNT = 10; // coefficients in zigzag order that are looked at
/** i8 [2][4][10]: of each component's coefficients the lowest bit that is known, -1 for none; then the same a scan before. */
export const KNOWN_BITS = memory.data(2 * 4 * COUNT);

/** i32 [5][5] DC coefficients around a block, which is in the middle. */
const DC = memory.data(100, 16);
const WORK = memory.data(128, 16);

/** Places of the ten coefficients in a block, as offsets in bytes: 00 01 10 20 11 02 03 12 21 30. */
const PLACES: usize = memory.data<u8>([0, 2, 16, 32, 18, 4, 6, 20, 34, 48]);

/** 5 x 5 weights for each estimate where something is known of AC coefficients: 01 10 20 11 02. */
// biome-ignore format: 5 x 5
const WEIGHTS: usize = memory.data<i16>([
  0, 0, 0, 0, 0,  0, 0, 0, 0, 0,  -7, 50, 0, -50, 7,  0, 0, 0, 0, 0,  0, 0, 0, 0, 0,
  0, 0, -7, 0, 0,  0, 0, 50, 0, 0,  0, 0, 0, 0, 0,  0, 0, -50, 0, 0,  0, 0, 7, 0, 0,
  0, 0, -1, 0, 0,  0, 0, 13, 0, 0,  0, 0, -24, 0, 0,  0, 0, 13, 0, 0,  0, 0, -1, 0, 0,
  0, -1, 0, 1, 0,  -1, 10, 0, -10, 1,  0, 0, 0, 0, 0,  1, -10, 0, 10, -1,  0, 1, 0, -1, 0,
  0, 0, 0, 0, 0,  0, 0, 0, 0, 0,  -1, 13, -24, 13, -1,  0, 0, 0, 0, 0,  0, 0, 0, 0, 0,
]);

/** The same where nothing is known: 00 01 10 20 11 02 03 12 21 30. */
// biome-ignore format: 5 x 5
const WEIGHTS_ALONE: usize = memory.data<i16>([
  -2, -6, -8, -6, -2,  -6, 6, 42, 6, -6,  -8, 42, 152, 42, -8,  -6, 6, 42, 6, -6,  -2, -6, -8, -6, -2,
  -1, -1, 0, 1, 1,  -3, 13, 0, -13, 3,  -3, 38, 0, -38, 3,  -3, 13, 0, -13, 3,  -1, -1, 0, 1, 1,
  -1, -3, -3, -3, -1,  -1, 13, 38, 13, -1,  0, 0, 0, 0, 0,  1, -13, -38, -13, 1,  1, 3, 3, 3, 1,
  0, 0, 1, 0, 0,  0, 2, 7, 2, 0,  0, -5, -14, -5, 0,  0, 2, 7, 2, 0,  0, 0, 1, 0, 0,
  -1, 0, 0, 0, 1,  0, 9, 0, -9, 0,  0, 0, 0, 0, 0,  0, -9, 0, 9, 0,  1, 0, 0, 0, -1,
  0, 0, 0, 0, 0,  0, 2, -5, 2, 0,  1, 7, -14, 7, 1,  0, 2, -5, 2, 0,  0, 0, 0, 0, 0,
  0, 0, 0, 0, 0,  0, 1, 0, -1, 0,  0, 2, 0, -2, 0,  0, 1, 0, -1, 0,  0, 0, 0, 0, 0,
  0, 0, 0, 0, 0,  0, 1, -3, 1, 0,  0, 0, 0, 0, 0,  0, -1, 3, -1, 0,  0, 0, 0, 0, 0,
  0, 0, 0, 0, 0,  0, 1, 0, -1, 0,  0, -3, 0, 3, 0,  0, 1, 0, -1, 0,  0, 0, 0, 0, 0,
  0, 0, 0, 0, 0,  0, 1, 2, 1, 0,  0, 0, 0, 0, 0,  0, -1, -2, -1, 0,  0, 0, 0, 0, 0,
]);

/** Whether estimates are of use and safe: DC known everywhere, some AC not, no quantiser zero that is divided by. */
export function canSmooth(): bool {
  let useful = false;
  for (let i = 0; i < componentCount; i++) {
    const known = KNOWN_BITS + ((i * COUNT) as usize);
    if (load<i8>(known) < 0) return false;
    for (let k = 0; k < COUNT; k++) {
      if (load<u16>(quantiser(i) + (load<u8>(PLACES + (k as usize)) as usize)) == 0) return false;
      if (k > 0 && load<i8>(known + (k as usize)) != 0) useful = true;
    }
  }
  return useful;
}

/** Block (row, column) of component i with its estimates: the address of a copy, good until the next call. */
export function smoothBlock(i: i32, strip: i32, row: i32, column: i32, lastGoodStrip: i32): usize {
  const c = component(i);
  memory.copy(WORK, coefficients(c, row, column), 128);
  gatherDc(c, strip, row, column);
  const known = KNOWN_BITS + (((strip > lastGoodStrip ? 4 + i : i) * COUNT) as usize);
  let alone = true;
  for (let k = 1; k < COUNT; k++) if (load<i8>(known + (k as usize)) != -1) alone = false;
  const table = quantiser(i);
  const dcStep = load<u16>(table) as i64;
  const estimates = alone ? COUNT : 6;
  for (let k = 1; k < estimates; k++) {
    const place = load<u8>(PLACES + (k as usize)) as usize;
    const low = load<i8>(known + (k as usize)) as i32;
    if (low == 0 || load<i16>(WORK + place) != 0) continue;
    const weights = alone ? WEIGHTS_ALONE + ((k * 50) as usize) : WEIGHTS + (((k - 1) * 50) as usize);
    store<i16>(WORK + place, estimate(weights, dcStep, load<u16>(table + place), low) as i16);
  }
  if (alone) store<i16>(WORK, estimate(WEIGHTS_ALONE, dcStep, dcStep, 0) as i16);
  return WORK;
}

/** The weighted sum in units of the coefficient's step, rounded; below 2^low in size where low > 0. */
function estimate(weights: usize, dcStep: i64, step: i64, low: i32): i32 {
  let sum = 0;
  for (let j: usize = 0; j < 25; j++) sum += (load<i16>(weights + j * 2) as i32) * load<i32>(DC + j * 4);
  const scaled = dcStep * (sum as i64);
  const size = scaled < 0 ? -scaled : scaled;
  let result = (((step << 7) + size) / (step << 8)) as i32;
  if (low > 0 && result >= 1 << low) result = (1 << low) - 1;
  return scaled < 0 ? -result : result;
}

/** Sets DC; blocks past a border count as those at it. */
function gatherDc(c: usize, strip: i32, row: i32, column: i32): void {
  const v = load<i32>(c, V);
  // QUIRK: libjpeg counts rows as if all strips had as many as this one, the last one with fewer too; and rows that fill
  // up the last strip are looked at from the one above it.
  const rowsHere = min(v, load<i32>(c, BLOCKS_HIGH) - strip * v);
  const counted = strip * rowsHere + (row - strip * v);
  const countedEnd = rowsHere * stripCount;
  const above = counted > 0 ? row - 1 : row;
  const above2 = counted > 1 ? row - 2 : above;
  const below = counted < countedEnd - 1 ? row + 1 : row;
  const below2 = counted < countedEnd - 2 ? row + 2 : below;
  gatherRow(c, 0, above2, column);
  gatherRow(c, 1, above, column);
  gatherRow(c, 2, row, column);
  gatherRow(c, 3, below, column);
  gatherRow(c, 4, below2, column);
}

function gatherRow(c: usize, j: i32, row: i32, column: i32): void {
  const end = load<i32>(c, BLOCKS_WIDE) - 1;
  for (let i = -2; i <= 2; i++) {
    const at = coefficients(c, row, min(max(column + i, 0), end));
    store<i32>(DC + ((j * 20 + (i + 2) * 4) as usize), load<i16>(at) as i32);
  }
}
