/**
 * Numbers out of nothing: a counter-based generator that gives the same bits in TypeScript and in Python
 * (`test/golden/make/generator.py`), so that full-size test weights need not be stored. It is Philox4x32-10
 * (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011), keyed by (seed, name): every named
 * tensor is a stream of its own, and any element can be had without those before it. `docs/generator.md` describes it for
 * other implementers. It is no cryptography and no `Math.random`.
 *
 * Everything below is exact: 32-bit integers, and doubles that are rounded to f32 once.
 */
import { fail } from "../errors.ts";

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** Standard deviation of {@link bellSums}: four bytes, each uniform on 0..255, have variance 4 (256^2 - 1) / 12 = 21845. */
export const BELL_STD = Math.sqrt(21845);

/** 32-bit FNV-1a of the UTF-8 bytes of `text`, as an unsigned integer. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** One block of Philox4x32-10: four unsigned words out of a counter of four and a key of two. The definition, for tests. */
export function philox4x32(counter: ArrayLike<number>, key: ArrayLike<number>): Uint32Array {
  const out = new Uint32Array(4);
  fillBlocks(out, Uint32Array.from(counter), key[0] >>> 0, key[1] >>> 0);
  return out;
}

/**
 * `count` words of the stream (seed, name): word i is lane i % 4 of the block with counter (i >> 2, 0, 0, 0).
 * `seed` is an integer in 0 .. 2^32 - 1, `count` below 2^31.
 */
export function randomWords(seed: number, name: string, count: number): Uint32Array {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    fail("argument", "generator", "a seed that is an integer in 0 .. 4294967295", String(seed));
  }
  // Whole blocks are written; the view leaves off what the last one has too many.
  const out = new Uint32Array((count + 3) & ~3);
  fillBlocks(out, new Uint32Array(4), seed, fnv1a32(name));
  return out.subarray(0, count);
}

/** `count` numbers on the grid of 2^-24 in [0, 1): the upper 24 bits of each word. Exact in f32. */
export function randomUniform(seed: number, name: string, count: number): Float32Array {
  const words = randomWords(seed, name, count);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = (words[i] >>> 8) * 2 ** -24;
  return out;
}

/**
 * `count` integers in -510 .. 510 of mean 0, nearly normal: the sum of the four bytes of each word, less 510. Their standard
 * deviation is {@link BELL_STD}. Integers, so that sums over them are exact in any order.
 */
export function bellSums(seed: number, name: string, count: number): Int16Array {
  const words = randomWords(seed, name, count);
  const out = new Int16Array(count);
  for (let i = 0; i < count; i++) {
    const word = words[i];
    out[i] = (word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24) - 510;
  }
  return out;
}

/** Fills `out` (a multiple of four words) with the blocks of counters `first`, `first` + 1 (in word 0, which wraps), ... */
function fillBlocks(out: Uint32Array, first: Uint32Array, key0: number, key1: number): void {
  const first0 = first[0] | 0;
  const first1 = first[1] | 0;
  const first2 = first[2] | 0;
  const first3 = first[3] | 0;
  const m0High = MULTIPLIER_0 >>> 16;
  const m0Low = MULTIPLIER_0 & 0xffff;
  const m1High = MULTIPLIER_1 >>> 16;
  const m1Low = MULTIPLIER_1 & 0xffff;
  for (let at = 0; at < out.length; at += 4) {
    let c0 = (first0 + (at >>> 2)) | 0;
    let c1 = first1;
    let c2 = first2;
    let c3 = first3;
    let k0 = key0 | 0;
    let k1 = key1 | 0;
    for (let round = 0; round < ROUNDS; round++) {
      // The upper halves of the 64-bit products by schoolbook multiplication on 16-bit digits: no partial sum
      // exceeds 32 bits, so wrapping arithmetic never loses a carry.
      const c0High = c0 >>> 16;
      const c0Low = c0 & 0xffff;
      const mid0 = (Math.imul(m0High, c0Low) + (Math.imul(m0Low, c0Low) >>> 16)) | 0;
      const low0 = (Math.imul(m0Low, c0High) + (mid0 & 0xffff)) | 0;
      const high0 = (Math.imul(m0High, c0High) + (mid0 >>> 16) + (low0 >>> 16)) | 0;
      const c2High = c2 >>> 16;
      const c2Low = c2 & 0xffff;
      const mid1 = (Math.imul(m1High, c2Low) + (Math.imul(m1Low, c2Low) >>> 16)) | 0;
      const low1 = (Math.imul(m1Low, c2High) + (mid1 & 0xffff)) | 0;
      const high1 = (Math.imul(m1High, c2High) + (mid1 >>> 16) + (low1 >>> 16)) | 0;
      const next0 = high1 ^ c1 ^ k0;
      const next2 = high0 ^ c3 ^ k1;
      c1 = Math.imul(MULTIPLIER_1, c2);
      c3 = Math.imul(MULTIPLIER_0, c0);
      c0 = next0;
      c2 = next2;
      k0 = (k0 + WEYL_0) | 0;
      k1 = (k1 + WEYL_1) | 0;
    }
    out[at] = c0;
    out[at + 1] = c1;
    out[at + 2] = c2;
    out[at + 3] = c3;
  }
}
