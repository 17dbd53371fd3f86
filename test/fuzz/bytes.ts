/** Putting bytes together, and taking them apart at random. */
import type { Random } from "./random.ts";

/** A text's characters as bytes. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Byte arrays one behind the other. */
export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Big-endian, 4 bytes. */
export function u32be(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** Little-endian, `bytes` of them; values up to 2^53. */
export function le(value: number | bigint, bytes: number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  return Array.from({ length: bytes }, () => {
    const byte = Number(rest & 255n);
    rest >>= 8n;
    return byte;
  });
}

/** Values at the borders of what fields hold. */
const EDGES = [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255];

/** Changes a few places: bits, bytes, fields of 2 and 4 bytes, pieces taken out, doubled, moved, cut off, from elsewhere. */
export function mutate(
  random: Random,
  bytes: Uint8Array,
  other: Uint8Array,
  changes = 1 + random.size(6),
): Uint8Array<ArrayBuffer> {
  let out = concat(bytes);
  for (let i = 0; i < changes; i++) out = mutateOnce(random, out, other);
  return out;
}

function mutateOnce(
  random: Random,
  bytes: Uint8Array<ArrayBuffer>,
  other: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return random.bytes(random.size(16));
  // Half of the changes fall into the head, where the fields are.
  const end = random.once(2) ? bytes.length : Math.min(bytes.length, 64 << random.below(5));
  const at = random.below(end);
  const piece = 1 + random.size(Math.min(bytes.length, 300));
  switch (random.below(12)) {
    case 0:
    case 1:
      bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 2:
      bytes[at] = random.below(256);
      return bytes;
    case 3:
      bytes[at] = random.pick(EDGES);
      return bytes;
    case 4: {
      const field = random.pick([
        0,
        1,
        2,
        0x7fff,
        0x8000,
        0xfffe,
        0xffff,
        0xff00,
        bytes.length & 0xffff,
        random.below(65536),
      ]);
      const pair = [field >> 8, field & 255];
      bytes.set((random.once(2) ? pair : pair.reverse()).slice(0, bytes.length - at), at);
      return bytes;
    }
    case 5: {
      const field = random.pick([
        0,
        1,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0xfffffff0,
        bytes.length,
        random.word(),
      ]);
      const four = u32be(field);
      bytes.set((random.once(2) ? four : four.reverse()).slice(0, bytes.length - at), at);
      return bytes;
    }
    case 6:
      return concat(bytes.subarray(0, at), bytes.subarray(at + piece));
    case 7:
      return concat(bytes.subarray(0, at + piece), bytes.subarray(at));
    case 8: {
      const from = random.below(bytes.length);
      return concat(bytes.subarray(0, at), bytes.slice(from, from + piece), bytes.subarray(at));
    }
    case 9:
      return bytes.slice(0, random.below(bytes.length + 1));
    case 10: {
      const from = random.below(other.length + 1);
      const taken = random.once(4) ? other.subarray(from) : other.subarray(from, from + piece);
      return concat(
        bytes.subarray(0, at),
        taken,
        random.once(2) ? bytes.subarray(at + taken.length) : bytes.subarray(at),
      );
    }
    default:
      bytes.fill(random.pick([0, 255, random.below(256)]), at, at + piece);
      return bytes;
  }
}

/** Some of a list's items doubled, taken out, changed in order. */
export function shuffleSome<T>(random: Random, items: readonly T[]): T[] {
  const out = [...items];
  for (let i = random.below(3); i > 0 && out.length > 0; i--) {
    const at = random.below(out.length);
    const to = random.below(out.length);
    switch (random.below(3)) {
      case 0:
        out.splice(to, 0, out[at]);
        break;
      case 1:
        out.splice(at, 1);
        break;
      default:
        [out[at], out[to]] = [out[to], out[at]];
    }
  }
  return out;
}
