/**
 * The bits of one segment, from the highest of its first byte on. Behind its end come zeroes, as many as are asked for;
 * `ranOut` tells whether any of them were taken.
 * Source: ITU-T T.81, F.2.2.5; zeroes behind the end: libjpeg-turbo jdhuff.c, jpeg_fill_bit_buffer.
 */

/** The next bits, the first one highest. */
export let buffer: u64 = 0;
/** How many of them may be taken; {@link refill} makes them at least 56. */
export let count: i32 = 0;

let at: usize = 0;
let end: usize = 0;
/** Zero bits that were put behind the end of the data. */
let padding: i32 = 0;

export function beginBits(begin: usize, endOfData: usize): void {
  at = begin;
  end = endOfData;
  buffer = 0;
  count = 0;
  padding = 0;
}

/** Fills the buffer up. */
export function refill(): void {
  if (at + 8 <= end) {
    const bytes = v128.load64_zero(at);
    const reversed = i8x16.shuffle(bytes, bytes, 7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0);
    // Bits of a byte that does not fit whole are put in as well, and put in again, the same, the next time.
    buffer |= (i64x2.extract_lane(reversed, 0) as u64) >> count;
    at += ((63 - count) >> 3) as usize;
    count |= 56;
    return;
  }
  while (count <= 56) {
    if (at < end) buffer |= (load<u8>(at++) as u64) << (56 - count);
    else padding += 8;
    count += 8;
  }
}

/** Puts back what a loop has kept in variables of its own. */
export function keepBits(newBuffer: u64, newCount: i32): void {
  buffer = newBuffer;
  count = newCount;
}

/** Takes 1 to 16 bits. */
export function takeBits(n: i32): i32 {
  if (count < n) refill();
  const bits = (buffer >> (64 - n)) as i32;
  buffer <<= n;
  count -= n;
  return bits;
}

/** Drops bits; there must be as many. */
export function dropBits(n: i32): void {
  buffer <<= n;
  count -= n;
}

/** Whether more bits were taken than there were. */
export function ranOut(): bool {
  return count < padding;
}
