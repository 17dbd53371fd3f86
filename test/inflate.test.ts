/** Our inflate against zlib's, on streams of every kind of block, whole and damaged. */
import { deflateSync, inflateRawSync, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodeBase64 } from "../src/base64.ts";
import { deflateStored, inflateRaw, inflateZlib } from "../src/inflate.ts";
import { randomWords } from "../src/weights/generator.ts";
import { BitWriter } from "./fuzz/bits.ts";

/** Bytes of a kind. */
const KINDS: Readonly<Record<string, (length: number) => Uint8Array>> = {
  random: (length) => Uint8Array.from(randomWords(1, "bytes", length), (word) => word & 255),
  "few symbols": (length) =>
    Uint8Array.from(randomWords(2, "bytes", length), (word) => ((word & 255) < 200 ? 7 : word & 3)),
  "one symbol": (length) => new Uint8Array(length).fill(9),
  text: (length) =>
    new TextEncoder()
      .encode("the quick brown fox, the lazy dog; ".repeat(length / 35 + 1))
      .subarray(0, length),
};

describe.each(Object.entries(KINDS))("inflateZlib of %s", (_kind, make) => {
  it.each([0, 1, 2, 100, 65535, 65536, 200_001])("%i bytes, at every level and strategy", (length) => {
    const bytes = make(length);
    for (const level of [0, 1, 6, 9]) {
      for (const strategy of [0, 1, 2, 3, 4]) {
        const got = inflateZlib(deflateSync(bytes, { level, strategy }), length);
        expect(Buffer.from(got).equals(Buffer.from(bytes))).toBe(true);
      }
    }
  });
});

describe("inflateRaw", () => {
  it("refuses codes that are not whole, as zlib does, but for one of one bit", () => {
    /** A block of one byte, 0, whose only distance code has so many bits. */
    const block = (distanceBits: 1 | 2): Uint8Array => {
      const bits = new BitWriter();
      bits.put(1 | (2 << 1), 3);
      for (const [value, width] of [
        [0, 5],
        [0, 5],
        [15, 4],
      ])
        bits.put(value, width);
      // Lengths 1 and 2 have codes of 2 bits, 18 (zeroes) one of 1: 0 -> 18, 10 -> 1, 11 -> 2.
      for (const symbol of [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]) {
        bits.put(symbol === 18 ? 1 : symbol === 1 || symbol === 2 ? 2 : 0, 3);
      }
      bits.code([2, 2]); // byte 0: 1 bit
      for (const zeroes of [138, 117]) {
        bits.code([0, 1]);
        bits.put(zeroes - 11, 7);
      }
      bits.code([2, 2]); // the end: 1 bit
      bits.code(distanceBits === 1 ? [2, 2] : [3, 2]);
      bits.code([0, 1]);
      bits.code([1, 1]);
      return bits.bytes();
    };
    expect(inflateRaw(block(1), 10)).toEqual(Uint8Array.of(0));
    expect(new Uint8Array(inflateRawSync(block(1)))).toEqual(Uint8Array.of(0));
    expect(() => inflateRawSync(block(2))).toThrow(/invalid distances set/);
    expect(() => inflateRaw(block(2), 10)).toThrow(/invalid code lengths set/);
  });
});

describe("inflateZlib", () => {
  const bytes = KINDS.text(5000);
  const stream = new Uint8Array(deflateSync(bytes));

  it("refuses streams that are cut off anywhere, with the words that png.ts looks for", () => {
    for (let end = 0; end < stream.length; end++) {
      expect(() => inflateZlib(stream.subarray(0, end), 5000)).toThrow(/unexpected end/);
    }
  });

  it("refuses more than it may hold", () => {
    expect(() => inflateZlib(stream, 4999)).toThrow(/larger than 4999/);
  });

  it("takes and refuses damaged streams where zlib does", () => {
    for (let at = 0; at < stream.length; at++) {
      for (const bit of [1, 16, 128]) {
        const damaged = stream.slice();
        damaged[at] ^= bit;
        let expected: Uint8Array | undefined;
        try {
          expected = inflateSync(damaged, { maxOutputLength: 70_000 });
        } catch {
          // refused
        }
        if (expected)
          expect(Buffer.from(inflateZlib(damaged, 70_000)).equals(Buffer.from(expected))).toBe(true);
        else expect(() => inflateZlib(damaged, 70_000)).toThrow();
      }
    }
  });

  it("ignores what stands behind the stream", () => {
    expect(inflateZlib(Uint8Array.of(...stream, 1, 2, 3), 5000).length).toBe(5000);
  });
});

it.each([0, 1, 65535, 65536, 131_071])("deflateStored of %i bytes is what zlib reads", (length) => {
  const bytes = KINDS.random(length);
  expect(inflateSync(deflateStored(bytes)).equals(Buffer.from(bytes))).toBe(true);
});

it("decodeBase64 reads what Buffer writes, with and without the engine's own", () => {
  for (const length of [0, 1, 2, 3, 1000]) {
    const bytes = KINDS.random(length);
    expect(decodeBase64(Buffer.from(bytes).toString("base64"))).toEqual(new Uint8Array(bytes));
  }
});
