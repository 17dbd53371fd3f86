/**
 * Huffman tables: built from the code counts of a DHT segment, and looked up by the next LOOK bits, of which an entry
 * holds, where there is room, the coefficient's own bits too. Codes longer than that are searched by their length.
 * Source: ITU-T T.81, annex C and F.2.2.3; what is refused, and 17 bits for a code that is none: libjpeg-turbo jdhuff.c.
 */

/** Bits that are looked up at once. */
const LOOK = 10;
const ENTRY_SHIFT = 64 - LOOK;

// An entry: bits to drop 0..4, run of zeroes 5..8, size of the coefficient 9..12, HIT 13, its value 16..31 where HIT.
// Zero: the code is longer than LOOK.
export const LENGTH_MASK = 31;
export const RUN_SHIFT = 5;
export const SIZE_SHIFT = 9;
/** The entry holds the coefficient's value, and the bits to drop count its own. */
export const HIT = 1 << 13;

const LIMITS = 4 << LOOK; // i32 [17]: the first 16-bit word above the codes of a length; 0 where there are none
const OFFSETS = LIMITS + 72; // i32 [17]: from a code to its symbol's index
const SYMBOLS = OFFSETS + 72; // u8 [256]
const TABLE_BYTES = SYMBOLS + 256;
const TABLES = memory.data(((4 << LOOK) + 400) * 8, 16); // 4 DC, 4 AC

/** What {@link buildTable} builds from: u8 [17] counts of codes by length (the first is not used), u8 [256] symbols. */
export const SPECIFICATION = memory.data(17 + 256);

/** Whether a code that is none has come up. */
export let badCode: bool = false;

export function clearBadCode(): void {
  badCode = false;
}

/** Table 0..3 for DC (kind 0) or AC (kind 1). */
export function huffmanTable(kind: i32, slot: i32): usize {
  return TABLES + ((kind * 4 + slot) as usize) * TABLE_BYTES;
}

/** Builds a table from SPECIFICATION; false for counts that make no prefix code, or for DC symbols above 15. */
export function buildTable(kind: i32, slot: i32): bool {
  const table = huffmanTable(kind, slot);
  memory.fill(table, 0, TABLE_BYTES);
  memory.copy(table + SYMBOLS, SPECIFICATION + 17, 256);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++) {
    const codes = load<u8>(SPECIFICATION + (length as usize)) as i32;
    if (index + codes > 256) return false;
    const field = (length as usize) << 2;
    if (codes > 0) {
      store<i32>(table + OFFSETS + field, index - code);
      for (let i = 0; i < codes; i++, code++, index++) {
        const symbol = load<u8>(table + SYMBOLS + (index as usize)) as i32;
        if (kind == 0 && symbol > 15) return false;
        if (length <= LOOK && code < 1 << length) fillEntries(table, code, length, symbol);
      }
      if (code >= 1 << length) return false; // no code may be all ones
      store<i32>(table + LIMITS + field, code << (16 - length));
    }
    code <<= 1;
  }
  return true;
}

/** The entry for the next bits; never zero. */
export function lookUp(table: usize, bits: u64): i32 {
  const entry = load<i32>(table + (((bits >> ENTRY_SHIFT) as usize) << 2));
  return entry != 0 ? entry : search(table, bits);
}

/** The entry for a code longer than LOOK bits. */
function search(table: usize, bits: u64): i32 {
  const word = (bits >> 48) as i32;
  for (let length = LOOK + 1; length <= 16; length++) {
    const field = (length as usize) << 2;
    if (word >= load<i32>(table + LIMITS + field)) continue;
    const index = (word >> (16 - length)) + load<i32>(table + OFFSETS + field);
    const symbol = load<u8>(table + SYMBOLS + ((index & 255) as usize)) as i32;
    return ((symbol & 15) << SIZE_SHIFT) | ((symbol >> 4) << RUN_SHIFT) | length;
  }
  badCode = true;
  return 17;
}

/** Sets the entries of all words that begin with a code. */
function fillEntries(table: usize, code: i32, length: i32, symbol: i32): void {
  const spare = LOOK - length;
  const size = symbol & 15;
  const common = (size << SIZE_SHIFT) | ((symbol >> 4) << RUN_SHIFT);
  let to = table + ((code << spare) as usize) * 4;
  for (let rest = 0; rest < 1 << spare; rest++) {
    let entry = common | length;
    if (size > 0 && size <= spare) {
      const value = extend(rest >> (spare - size), size);
      entry = (value << 16) | HIT | common | (length + size);
    }
    store<i32>(to, entry);
    to += 4;
  }
}

/** From the bits of a coefficient of 1 to 15 bits to its value: numbers with a first bit of 0 are negative. */
export function extend(bits: i32, size: i32): i32 {
  return bits < 1 << (size - 1) ? bits + 1 - (1 << size) : bits;
}
