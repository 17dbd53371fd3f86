/**
 * One block of a progressive scan: a first look at its DC or AC coefficients without their lowest bits, or one more bit
 * of those. A run of blocks without (further) coefficients in the band goes over several blocks.
 * Source: ITU-T T.81, G.1.2 and G.2; in damaged data as libjpeg-turbo jdphuff.c.
 */
import { buffer, count, dropBits, refill, takeBits } from "./bits";
import { extend, HIT, LENGTH_MASK, lookUp, RUN_SHIFT, SIZE_SHIFT } from "./huffman";
import { zigzag } from "./zigzag";

/** Blocks still to come that have nothing in this band. */
let blockRun: i32 = 0;

export function clearBlockRun(): void {
  blockRun = 0;
}

/** First DC scan; returns the unshifted coefficient, given that of the block before. */
export function dcFirst(block: usize, table: usize, before: i32, low: i32): i32 {
  const size = nextSymbol(table); // DC symbols have no run
  const value = size > 0 ? before + extend(takeBits(size), size) : before;
  store<i16>(block, (value << low) as i16);
  return value;
}

/** One more bit of the DC coefficient. */
export function dcRefine(block: usize, low: i32): void {
  if (takeBits(1) != 0) store<i16>(block, (load<i16>(block) as i32) | (1 << low));
}

/** First scan of the AC coefficients [first, last]. */
export function acFirst(block: usize, table: usize, first: i32, last: i32, low: i32): void {
  if (blockRun > 0) {
    blockRun--;
    return;
  }
  for (let k = first; k <= last; k++) {
    const symbol = nextSymbol(table);
    const run = symbol >> 4;
    const size = symbol & 15;
    if (size > 0) {
      k += run;
      store<i16>(block + zigzag(k), (extend(takeBits(size), size) << low) as i16);
    } else if (run == 15) k += 15;
    else {
      blockRun = readBlockRun(run) - 1;
      break;
    }
  }
}

/** One more bit of the AC coefficients [first, last], among them the first of those that were zero. */
export function acRefine(block: usize, table: usize, first: i32, last: i32, low: i32): void {
  let k = first;
  if (blockRun == 0) {
    for (; k <= last; k++) {
      const symbol = nextSymbol(table);
      let run = symbol >> 4;
      let value = 0;
      if ((symbol & 15) != 0) value = takeBits(1) != 0 ? 1 << low : -1 << low;
      else if (run != 15) {
        blockRun = readBlockRun(run);
        break;
      }
      // Over `run` coefficients that stay zero; those that are not get their bit on the way.
      for (; k <= last; k++) {
        const at = block + zigzag(k);
        if (load<i16>(at) != 0) refineOne(at, low);
        else if (--run < 0) break;
      }
      if (value != 0) store<i16>(block + zigzag(k), value as i16);
    }
  }
  if (blockRun > 0) {
    for (; k <= last; k++) {
      const at = block + zigzag(k);
      if (load<i16>(at) != 0) refineOne(at, low);
    }
    blockRun--;
  }
}

function refineOne(at: usize, low: i32): void {
  if (takeBits(1) == 0) return;
  const value = load<i16>(at) as i32;
  const bit = 1 << low;
  if ((value & bit) == 0) store<i16>(at, (value >= 0 ? value + bit : value - bit) as i16);
}

function readBlockRun(run: i32): i32 {
  return run > 0 ? (1 << run) + takeBits(run) : 1;
}

/** The next symbol alone: run and size. */
function nextSymbol(table: usize): i32 {
  if (count < 17) refill();
  const entry = lookUp(table, buffer);
  const size = (entry >> SIZE_SHIFT) & 15;
  const length = entry & LENGTH_MASK;
  dropBits((entry & HIT) != 0 ? length - size : length);
  return (((entry >> RUN_SHIFT) & 15) << 4) | size;
}
