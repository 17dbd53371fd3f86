/** Our own inflate against zlib's: both read a stream, and the same, or both refuse it. The first byte tells which kind it is. */
import { deflateRawSync, deflateSync, inflateRawSync, inflateSync } from "node:zlib";
import { inflateRaw, inflateZlib } from "../../../src/inflate.ts";
import { BitWriter } from "../bits.ts";
import { concat, mutate } from "../bytes.ts";
import type { Random } from "../random.ts";
import { equalBytes, type Outcome, promise, type Target } from "../target.ts";

const MAX_BYTES = 1 << 20;
const RAW = 0;

/** Text with repeats, noise, or one byte over and over. */
function content(random: Random): Uint8Array {
  const length = random.size(6000);
  const kind = random.below(3);
  if (kind === 0) return random.bytes(length);
  if (kind === 1) return new Uint8Array(length).fill(random.below(256));
  const words = Array.from({ length: 8 }, () => random.bytes(1 + random.below(12)));
  return concat(...Array.from({ length: length >> 3 }, () => random.pick(words)));
}

/** Codes of these lengths, as deflate numbers them: undefined where there is none. */
function codesOf(lengths: readonly number[]): (readonly [code: number, length: number] | undefined)[] {
  const counts = new Array<number>(17).fill(0);
  for (const length of lengths) if (length > 0) counts[length]++;
  const next = [0, 0];
  for (let length = 1; length < 16; length++) next[length + 1] = (next[length] + counts[length]) << 1;
  return lengths.map((length) => (length === 0 ? undefined : [next[length]++, length]));
}

/** Lengths of a prefix code for some of so many symbols: whole mostly, now and then with a code too few or too many. */
function lengthsOf(random: Random, symbols: number, always: number): number[] {
  let leaves = [0];
  const want = 1 + random.below(Math.min(symbols, random.pick([1, 2, 6, 40])));
  while (leaves.length < want) {
    const [length] = leaves.splice(random.below(leaves.length), 1);
    if (length === 15) leaves.push(length);
    else leaves.push(length + 1, length + 1);
    if (leaves.every((one) => one === 15)) break;
  }
  if (leaves.length === 1 && leaves[0] === 0) leaves = [1];
  if (random.once(4))
    leaves.splice(
      random.below(leaves.length),
      random.below(2),
      ...(random.once(2) ? [1 + random.below(15)] : []),
    );
  const out = new Array<number>(symbols).fill(0);
  if (leaves.length > 0) out[always] = leaves.pop() ?? 1;
  for (const length of leaves) out[random.below(symbols)] = length;
  return out;
}

/** Blocks with tables of their own, that may be whole or not, and symbols of them. */
function dynamicBlocks(random: Random): Uint8Array {
  const bits = new BitWriter();
  for (let left = 1 + random.below(3); left > 0; left--) {
    bits.put((left === 1 ? 1 : 0) | (2 << 1), 3);
    const literals = lengthsOf(random, random.once(8) ? 288 : 257 + random.below(30), 256);
    const distances = lengthsOf(random, random.once(8) ? 32 : 1 + random.below(30), 0);
    bits.put(literals.length - 257, 5);
    bits.put(distances.length - 1, 5);
    const used = random.once(6) ? lengthsOf(random, 19, 8) : [...new Array<number>(16).fill(4), 0, 0, 0];
    bits.put(15, 4);
    for (const symbol of [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])
      bits.put(used[symbol] ?? 0, 3);
    const lengthCodes = codesOf(used);
    for (const length of [...literals, ...distances]) bits.code(lengthCodes[length]);
    const [codes, far] = [codesOf(literals), codesOf(distances)];
    const there = codes.flatMap((code, symbol) => (code && symbol !== 256 ? [symbol] : []));
    const places = far.flatMap((code, symbol) => (code ? [symbol] : []));
    for (let i = random.below(60); i > 0 && there.length > 0; i--) {
      const symbol = random.pick(there);
      bits.code(codes[symbol]);
      if (symbol < 257) continue;
      bits.put(random.below(32), symbol < 265 || symbol === 285 ? 0 : (symbol - 261) >> 2);
      if (places.length === 0) continue;
      const place = random.once(3) ? random.pick(places) : places[0];
      bits.code(far[place]);
      bits.put(random.below(8192), Math.max(0, (place >> 1) - 1));
    }
    if (random.below(10) > 0) bits.code(codes[256]);
  }
  return random.once(4) ? concat(bits.bytes(), random.bytes(random.below(9))) : bits.bytes();
}

function make(random: Random): Uint8Array {
  const raw = random.once(2);
  const options = {
    level: random.below(10),
    strategy: random.below(5),
    windowBits: 9 + random.below(7),
    memLevel: 1 + random.below(9),
  };
  const bytes = content(random);
  const stream = new Uint8Array(raw ? deflateRawSync(bytes, options) : deflateSync(bytes, options));
  const head = [raw ? RAW : 1];
  switch (random.below(6)) {
    case 0:
      return concat(head, stream);
    case 1:
    case 3:
      return concat(head, raw ? [] : [0x78, 0x9c], dynamicBlocks(random), raw ? [] : [0, 0, 0, 1]);
    case 2:
      return concat(head, stream.subarray(0, random.below(stream.length + 1)));
    default:
      return concat(head, mutate(random, stream, bytes, 1 + random.below(3)));
  }
}

function tried(action: () => Uint8Array): Uint8Array | Error {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof Error) || error.constructor !== Error) {
      // zlib's errors are plain but for the one that says that the limit was passed.
      if (!(error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"))
        throw error;
    }
    return error;
  }
}

function run(bytes: Uint8Array): Outcome {
  const raw = bytes[0] === RAW;
  const stream = bytes.subarray(1);
  const limit = { maxOutputLength: MAX_BYTES };
  const ours = tried(() => (raw ? inflateRaw(stream, MAX_BYTES) : inflateZlib(stream, MAX_BYTES)));
  const zlib = tried(() => new Uint8Array(raw ? inflateRawSync(stream, limit) : inflateSync(stream, limit)));
  const told = (read: Uint8Array | Error): string =>
    read instanceof Error ? read.message : `${read.length} bytes`;
  promise(
    ours instanceof Error === zlib instanceof Error,
    () => `${told(ours)} against zlib's ${told(zlib)}`,
  );
  if (ours instanceof Error || zlib instanceof Error) return "format";
  promise(equalBytes(ours, zlib), () => "other bytes than zlib's");
  return "read";
}

/** Deflate streams, raw and of zlib. */
export const inflate: Target = {
  name: "inflate",
  weight: 14,
  make,
  run,
  memoryBound: (length) => (24 << 20) + 3 * MAX_BYTES + 1100 * length,
};
