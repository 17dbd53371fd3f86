/**
 * One row of a component at the picture's size. Twice as wide, twice as high, or both: the triangle filter, three parts
 * of the near sample and one of the next nearest in each direction; samples past a border count as those at it. Other
 * whole factors: repeated.
 * Source: libjpeg-turbo jdsample.c, h2v1_fancy_upsample, h1v2_fancy_upsample, h2v2_fancy_upsample, int_upsample; the rows
 * past a border: jdmainct.c, set_bottom_pointers.
 */
import {
  component,
  H,
  HEIGHT,
  LINE,
  maxH,
  maxV,
  ringRow,
  SCALE_BOTH,
  SCALE_HIGH,
  SCALE_NONE,
  SCALE_WIDE,
  SCALING,
  sums,
  V,
  WIDTH,
} from "./frame";

/** The address of row y of a component, as wide as the picture; good until the next call for this component. */
export function fullRow(index: i32, y: i32): usize {
  const c = component(index);
  const scaling = load<i32>(c, SCALING);
  if (scaling == SCALE_NONE) return ringRow(c, y);
  const times = maxV / load<i32>(c, V);
  const row = y / times;
  const near = ringRow(c, row);
  const line = load<usize>(c, LINE);
  const columns = load<i32>(c, WIDTH);
  if (scaling == SCALE_WIDE) {
    widen(near, columns);
    spread(line, columns, 1, 2, 2);
  } else if (scaling == SCALE_HIGH || scaling == SCALE_BOTH) {
    const lower = (y & 1) != 0; // the second of the rows made of one
    const next = lower ? min(row + 1, load<i32>(c, HEIGHT) - 1) : max(row - 1, 0);
    addRows(near, ringRow(c, next), columns);
    if (scaling == SCALE_BOTH) spread(line, columns, 8, 7, 4);
    else quarter(line, columns, lower ? 2 : 1); // in turn, so that rounding does not drift
  } else repeat(near, line, columns, maxH / load<i32>(c, H));
  return line;
}

/** sums = row. */
function widen(row: usize, columns: i32): void {
  for (let x = 0; x < columns; x += 8) {
    v128.store(sums + ((x as usize) << 1), v128.load8x8_u(row + (x as usize)));
  }
}

/** sums = 3 near + next. */
function addRows(near: usize, next: usize, columns: i32): void {
  for (let x = 0; x < columns; x += 8) {
    const a = v128.load8x8_u(near + (x as usize));
    const b = v128.load8x8_u(next + (x as usize));
    v128.store(sums + ((x as usize) << 1), i16x8.add(i16x8.add(i16x8.shl(a, 1), a), b));
  }
}

/** line[x] = (sums[x] + bias) / 4. */
function quarter(line: usize, columns: i32, bias: i16): void {
  const add = i16x8.splat(bias);
  for (let x = 0; x < columns; x += 8) {
    const words = i16x8.shr_u(i16x8.add(v128.load(sums + ((x as usize) << 1)), add), 2);
    v128.store64_lane(line + (x as usize), i8x16.narrow_i16x8_u(words, words), 0);
  }
}

/** line[2x], line[2x + 1] = (3 sums[x] + its left, its right neighbour + bias) >> shift. */
function spread(line: usize, columns: i32, leftBias: i16, rightBias: i16, shift: i32): void {
  store<u16>(sums - 2, load<u16>(sums));
  const end = sums + ((columns as usize) << 1);
  store<u16>(end, load<u16>(end - 2));
  const addLeft = i16x8.splat(leftBias);
  const addRight = i16x8.splat(rightBias);
  let to = line;
  for (let from = sums; from < end; from += 16) {
    const words = v128.load(from);
    const triple = i16x8.add(i16x8.shl(words, 1), words);
    const left = i16x8.shr_u(i16x8.add(i16x8.add(triple, v128.load(from - 2)), addLeft), shift);
    const right = i16x8.shr_u(i16x8.add(i16x8.add(triple, v128.load(from + 2)), addRight), shift);
    v128.store(to, v128.or(left, i16x8.shl(right, 8)));
    to += 16;
  }
}

function repeat(row: usize, line: usize, columns: i32, times: i32): void {
  if (times == 1) {
    memory.copy(line, row, columns as usize);
    return;
  }
  let to = line;
  for (let x = 0; x < columns; x++) {
    const sample = load<u8>(row + (x as usize));
    for (let i = 0; i < times; i++) store<u8>(to++, sample);
  }
}
