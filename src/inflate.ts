/**
 * Inflates zlib streams, in plain TypeScript, for browsers: they have it only asynchronously, and decoding is not. Where
 * there is zlib (`image/vendor.ts`) it is five times as fast. Source: RFC 1950 (zlib), RFC 1951 (deflate).
 */

const MAX_BITS = 15; // of a code
const END = 256;
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BITS = Array.from({ length: 30 }, (_, i) => Math.max(0, (i >> 1) - 1));
const LENGTH_BASE = bases(LENGTH_BITS, 3);
LENGTH_BASE[28] = 258; // the last one is not where the others would lead
const DISTANCE_BASE = bases(DISTANCE_BITS, 1);

function bases(bits: readonly number[], first: number): number[] {
  let next = first;
  return bits.map((count) => {
    const base = next;
    next += 1 << count;
    return base;
  });
}

/** Bits that are looked up at once: a table of all 15 takes longer to build than many a block to read. */
const FAST_BITS = 10;

/** A prefix code. */
interface Table {
  /** Bits of its longest code, at least 1. */
  readonly longest: number;
  /** Bits that `codes` looks at. */
  readonly bits: number;
  /** By the next `bits` bits, low bit first: symbol * 16 + length; 0 where no code is, or a longer one. */
  readonly codes: Uint16Array;
  /** Codes of each length. */
  readonly counts: Uint16Array;
  /** In the order of their codes. */
  readonly symbols: Uint16Array;
}

/** As zlib, takes a code that is not whole only where it is one of one bit, and `mayBeAlone`. */
function buildTable(lengths: Uint8Array, mayBeAlone = true): Table {
  const counts = new Uint16Array(MAX_BITS + 1);
  for (const length of lengths) counts[length]++;
  counts[0] = 0;
  let longest = 0;
  for (let length = 1; length <= MAX_BITS; length++) if (counts[length] > 0) longest = length;
  const bits = Math.min(Math.max(longest, 1), FAST_BITS);
  const next = new Uint16Array(MAX_BITS + 2);
  let used = 0; // of the whole space of codes, in units of 2^-15
  for (let length = 1; length <= MAX_BITS; length++) {
    next[length + 1] = (next[length] + counts[length]) << 1;
    used += counts[length] << (MAX_BITS - length);
  }
  const whole = used === 1 << MAX_BITS || longest === 0 || (longest === 1 && mayBeAlone);
  if (used > 1 << MAX_BITS || !whole) throw new Error("invalid code lengths set");
  const codes = new Uint16Array(1 << bits);
  const symbols = new Uint16Array(lengths.length);
  const places = new Uint16Array(MAX_BITS + 2);
  for (let length = 1; length <= MAX_BITS; length++) places[length + 1] = places[length] + counts[length];
  lengths.forEach((length, symbol) => {
    if (length === 0) return;
    symbols[places[length]++] = symbol;
    let code = next[length]++;
    if (length > bits) return;
    let reversed = 0;
    for (let i = 0; i < length; i++, code >>= 1) reversed = (reversed << 1) | (code & 1);
    for (let at = reversed; at < codes.length; at += 1 << length) codes[at] = symbol * 16 + length;
  });
  return { longest: Math.max(longest, 1), bits, codes, counts, symbols };
}

/** The entry, as in `codes`, for a code that may be longer than those; 0 where none is. */
function search({ longest, counts, symbols }: Table, held: number): number {
  let code = 0;
  let first = 0;
  let index = 0;
  for (let length = 1; length <= longest; length++) {
    code |= (held >> (length - 1)) & 1;
    const count = counts[length];
    if (code - first < count) return symbols[index + code - first] * 16 + length;
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  return 0;
}

let fixed: { readonly literals: Table; readonly distances: Table } | undefined;

function fixedTables(): { readonly literals: Table; readonly distances: Table } {
  fixed ??= {
    literals: buildTable(
      Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)),
    ),
    distances: buildTable(new Uint8Array(32).fill(5)),
  };
  return fixed;
}

/** Bits, low ones first. */
class BitReader {
  readonly bytes: Uint8Array;
  at: number;
  #held = 0;
  #count = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  #fill(count: number): boolean {
    while (this.#count < count) {
      if (this.at >= this.bytes.length) return false;
      this.#held |= this.bytes[this.at++] << this.#count;
      this.#count += 8;
    }
    return true;
  }

  /** The next `count` bits, at most 16. */
  take(count: number): number {
    if (!this.#fill(count)) throw new Error("unexpected end of the compressed data");
    const value = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#count -= count;
    return value;
  }

  symbol(table: Table): number {
    const { longest, bits, codes } = table;
    this.#fill(longest); // the last code of a stream may have fewer bits behind it than the longest has
    const code = codes[this.#held & ((1 << bits) - 1)] || (longest > bits ? search(table, this.#held) : 0);
    const length = code & 15;
    if (length > this.#count) throw new Error("unexpected end of the compressed data");
    if (length === 0)
      throw new Error(this.#count < longest ? "unexpected end of the compressed data" : "invalid code");
    this.#held >>>= length;
    this.#count -= length;
    return code >> 4;
  }

  /** To the next whole byte, whose index is then `at`. */
  align(): void {
    this.at -= this.#count >> 3;
    this.#held = 0;
    this.#count = 0;
  }
}

/** What comes out, as it grows. */
class Output {
  bytes = new Uint8Array(65536);
  length = 0;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** Room for so many more. */
  reserve(count: number): void {
    const need = this.length + count;
    if (need > this.#most) throw new Error(`output larger than ${this.#most} bytes`);
    if (need <= this.bytes.length) return;
    const larger = new Uint8Array(Math.min(Math.max(need, this.bytes.length * 2), this.#most));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

/** Inflates a raw deflate stream; throws an Error if it is damaged, cut off, or holds more than `maxBytes`. */
export function inflateRaw(stream: Uint8Array, maxBytes: number): Uint8Array {
  const { bytes, length } = inflateBlocks(new BitReader(stream, 0), maxBytes);
  return bytes.subarray(0, length);
}

function inflateBlocks(reader: BitReader, maxBytes: number): Output {
  const out = new Output(maxBytes);
  for (let last = 0; last === 0; ) {
    last = reader.take(1);
    const kind = reader.take(2);
    if (kind === 0) copyStored(reader, out);
    else if (kind === 1) inflateBlock(reader, out, fixedTables());
    else if (kind === 2) inflateBlock(reader, out, readTables(reader));
    else throw new Error("invalid block type");
  }
  return out;
}

/** Inflates a zlib stream; throws an Error if it is damaged, cut off, or holds more than `maxBytes`. */
export function inflateZlib(stream: Uint8Array, maxBytes: number): Uint8Array {
  if (stream.length < 2) throw new Error("unexpected end of the compressed data");
  const [method, flags] = stream;
  if ((method & 15) !== 8 || method >> 4 > 7 || ((method << 8) | flags) % 31 !== 0 || (flags & 32) !== 0) {
    throw new Error("incorrect header check");
  }
  const reader = new BitReader(stream, 2);
  const out = inflateBlocks(reader, maxBytes);
  reader.align();
  const { at } = reader;
  if (at + 4 > stream.length) throw new Error("unexpected end of the compressed data");
  const sum = new DataView(stream.buffer, stream.byteOffset).getUint32(at);
  const bytes = out.bytes.subarray(0, out.length);
  if (adler32(bytes) !== sum) throw new Error("incorrect data check");
  return bytes;
}

function copyStored(reader: BitReader, out: Output): void {
  reader.align();
  const { bytes, at } = reader;
  if (at + 4 > bytes.length) throw new Error("unexpected end of the compressed data");
  const length = bytes[at] | (bytes[at + 1] << 8);
  if ((length ^ (bytes[at + 2] | (bytes[at + 3] << 8))) !== 0xffff)
    throw new Error("invalid stored block lengths");
  if (at + 4 + length > bytes.length) throw new Error("unexpected end of the compressed data");
  out.reserve(length);
  out.bytes.set(bytes.subarray(at + 4, at + 4 + length), out.length);
  out.length += length;
  reader.at = at + 4 + length;
}

function readTables(reader: BitReader): { literals: Table; distances: Table } {
  const literals = reader.take(5) + 257;
  const distances = reader.take(5) + 1;
  if (literals > 286 || distances > 30) throw new Error("too many length or distance symbols");
  const order = new Uint8Array(19);
  const given = reader.take(4) + 4;
  for (let i = 0; i < given; i++) order[LENGTH_ORDER[i]] = reader.take(3);
  const table = buildTable(order, false);
  const lengths = new Uint8Array(literals + distances);
  for (let i = 0; i < lengths.length; ) {
    const symbol = reader.symbol(table);
    if (symbol < 16) {
      lengths[i++] = symbol;
      continue;
    }
    if (symbol === 16 && i === 0) throw new Error("invalid bit length repeat");
    const value = symbol === 16 ? lengths[i - 1] : 0;
    const times =
      symbol === 16 ? 3 + reader.take(2) : symbol === 17 ? 3 + reader.take(3) : 11 + reader.take(7);
    if (i + times > lengths.length) throw new Error("invalid bit length repeat");
    lengths.fill(value, i, i + times);
    i += times;
  }
  if (lengths[END] === 0) throw new Error("invalid code: missing end of block");
  return {
    literals: buildTable(lengths.subarray(0, literals)),
    distances: buildTable(lengths.subarray(literals)),
  };
}

function inflateBlock(reader: BitReader, out: Output, tables: { literals: Table; distances: Table }): void {
  const { literals, distances } = tables;
  for (;;) {
    const symbol = reader.symbol(literals);
    if (symbol < END) {
      out.reserve(1);
      out.bytes[out.length++] = symbol;
      continue;
    }
    if (symbol === END) return;
    if (symbol > 285) throw new Error("invalid literal/length code");
    const length = LENGTH_BASE[symbol - 257] + reader.take(LENGTH_BITS[symbol - 257]);
    const far = reader.symbol(distances);
    if (far > 29) throw new Error("invalid distance code");
    const distance = DISTANCE_BASE[far] + reader.take(DISTANCE_BITS[far]);
    if (distance > out.length) throw new Error("invalid distance too far back");
    out.reserve(length);
    const { bytes } = out;
    for (let to = out.length, from = to - distance, end = to + length; to < end; )
      bytes[to++] = bytes[from++];
    out.length += length;
  }
}

const STORED_BYTES = 65535; // the most of a stored block

/** Wraps bytes in a zlib stream without compressing them. */
export function deflateStored(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / STORED_BYTES));
  const out = new Uint8Array(2 + blocks * 5 + bytes.length + 4);
  out.set([0x78, 0x01]);
  let to = 2;
  for (let block = 0; block < blocks; block++) {
    const part = bytes.subarray(block * STORED_BYTES, (block + 1) * STORED_BYTES);
    const { length } = part;
    const last = block === blocks - 1 ? 1 : 0;
    out.set([last, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255], to);
    out.set(part, to + 5);
    to += 5 + length;
  }
  new DataView(out.buffer).setUint32(to, adler32(bytes));
  return out;
}

const ADLER_PRIME = 65521;
const ADLER_RUN = 3800; // so many sums stay below 2^31

/** The check sum of zlib streams, unsigned. */
function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + ADLER_RUN, bytes.length);
    for (; at < end; at++) {
      a += bytes[at];
      b += a;
    }
    a %= ADLER_PRIME;
    b %= ADLER_PRIME;
  }
  return ((b << 16) | a) >>> 0;
}
