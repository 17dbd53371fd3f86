/**
 * One block of a sequential scan: its DC coefficient as a difference from the block before, then runs of zeroes and AC
 * coefficients. The loop that most of the decoding time goes into.
 * Source: ITU-T T.81, F.2.2.
 */
import { buffer, count, keepBits, refill } from "./bits";
import { extend, HIT, LENGTH_MASK, lookUp, RUN_SHIFT, SIZE_SHIFT } from "./huffman";
import { zigzag } from "./zigzag";

/** A code has at most 17 bits, a coefficient 15. */
const MOST_BITS = 32;

/** Whether the last block had coefficients other than its first. */
export let hasAc: bool = false;

/** Decodes a block (i16 [64], zeroes) with its tables; returns its DC coefficient, given that of the block before. */
export function decodeSequential(block: usize, dc: usize, ac: usize, before: i32): i32 {
  let bits = buffer;
  let n = count;
  if (n < MOST_BITS) {
    keepBits(bits, n);
    refill();
    bits = buffer;
    n = count;
  }
  let entry = lookUp(dc, bits);
  let length = entry & LENGTH_MASK;
  bits <<= length;
  n -= length;
  let value = before;
  let size = (entry >> SIZE_SHIFT) & 15;
  if ((entry & HIT) != 0) value += entry >> 16;
  else if (size > 0) {
    value += extend((bits >> (64 - size)) as i32, size);
    bits <<= size;
    n -= size;
  }
  store<i16>(block, value as i16);
  let seen = false;
  for (let k = 1; k < 64; k++) {
    if (n < MOST_BITS) {
      keepBits(bits, n);
      refill();
      bits = buffer;
      n = count;
    }
    entry = lookUp(ac, bits);
    length = entry & LENGTH_MASK;
    bits <<= length;
    n -= length;
    const run = (entry >> RUN_SHIFT) & 15;
    if ((entry & HIT) != 0) {
      k += run;
      store<i16>(block + zigzag(k), (entry >> 16) as i16);
      seen = true;
      continue;
    }
    size = (entry >> SIZE_SHIFT) & 15;
    if (size == 0) {
      if (run != 15) break; // end of block
      k += 15;
      continue;
    }
    k += run;
    store<i16>(block + zigzag(k), extend((bits >> (64 - size)) as i32, size) as i16);
    bits <<= size;
    n -= size;
    seen = true;
  }
  keepBits(bits, n);
  hasAc = seen;
  return value;
}
