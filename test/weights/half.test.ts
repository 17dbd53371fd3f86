import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../src/weights/half.ts";
import { openSafetensors } from "../../src/weights/safetensors.ts";

const golden = new URL("../golden/weights/", import.meta.url);
const expected = JSON.parse(readFileSync(new URL("expected.json", golden), "utf8"));
const everyPattern = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** binary16 as IEEE 754 defines it, in plain arithmetic. */
function decodeHalf(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 in plain arithmetic. */
function decodeBf16(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 7) & 255;
  const fraction = bits & 127;
  if (exponent === 255) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -133 : sign * (1 + fraction / 128) * 2 ** (exponent - 127);
}

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/**
 * SHA-256 as the golden's maker takes it: every NaN, whose payloads differ between torch's own paths,
 * replaced.
 */
function digest(
  bits: Uint16Array | Uint32Array,
  magnitudeMask: number,
  infinity: number,
  nan: number,
): string {
  const plain = bits.map((value) => ((value & magnitudeMask) > infinity ? nan : value));
  return createHash("sha256").update(new Uint8Array(plain.buffer)).digest("hex");
}

describe("widening", () => {
  it.each([
    ["f16", f16ToF32, decodeHalf],
    ["bf16", bf16ToF32, decodeBf16],
  ] as const)(
    "%s: all 65,536 patterns have the value that the definition gives, -0 included",
    (_, widen, decode) => {
      const values = widen(everyPattern);
      const wrong = everyPattern.findIndex((bits) => !Object.is(values[bits], decode(bits)));
      expect(wrong).toBe(-1);
    },
  );

  it("gives torch's bits for all 65,536 patterns of both formats, NaN payloads aside", () => {
    const { f16_to_f32_all_65536: f16, bf16_to_f32_all_65536: bf16 } = expected.digests;
    expect(digest(bitsOf(f16ToF32(everyPattern)), 0x7fffffff, 0x7f800000, f16.nan)).toBe(f16.sha256);
    expect(digest(bitsOf(bf16ToF32(everyPattern)), 0x7fffffff, 0x7f800000, bf16.nan)).toBe(bf16.sha256);
  });

  it("keeps sign and payload of a NaN", () => {
    const nans = Uint16Array.of(0x7e00, 0xfe01, 0x7fff, 0x7c01);
    expect([...bitsOf(f16ToF32(nans))]).toEqual([0x7fc00000, 0xffc02000, 0x7fffe000, 0x7fc02000]);
    expect([...bitsOf(bf16ToF32(Uint16Array.of(0x7fc1, 0xff81)))]).toEqual([0x7fc10000, 0xff810000]);
  });
});

describe("narrowing", () => {
  it("takes every half and every bfloat16 back to its pattern, signalling NaNs made quiet", () => {
    const halves = f32ToF16(f16ToF32(everyPattern));
    const bf16s = f32ToBf16(bf16ToF32(everyPattern));
    const quietHalf = everyPattern.map((b) => ((b & 0x7fff) > 0x7c00 ? b | 0x200 : b));
    const quietBf16 = everyPattern.map((b) => ((b & 0x7fff) > 0x7f80 ? b | 0x40 : b));
    expect(halves.findIndex((bits, i) => bits !== quietHalf[i])).toBe(-1);
    expect(bf16s.findIndex((bits, i) => bits !== quietBf16[i])).toBe(-1);
  });

  it.each([
    ["f16", f32ToF16, decodeHalf, 0x7c00, 65536],
    ["bf16", f32ToBf16, decodeBf16, 0x7f80, 2 ** 128],
  ] as const)(
    "%s: every midpoint goes to the even side, its float32 neighbours to the nearer one",
    (...row) => {
      const [, narrow, decode, infinity, beyond] = row;
      const middles = new Float32Array(infinity);
      // Past the largest value, infinity stands where the next one would be.
      for (let i = 0; i < infinity; i++) {
        middles[i] = (decode(i) + (i + 1 === infinity ? beyond : decode(i + 1))) / 2;
      }
      const near = (step: number): Float32Array =>
        new Float32Array(bitsOf(middles).map((b) => b + step).buffer);
      const [below, at, above] = [narrow(near(-1)), narrow(middles), narrow(near(1))];
      for (let i = 0; i < infinity; i++) {
        const got = [below[i], at[i], above[i]];
        const even = i % 2 === 0 ? i : i + 1;
        if (got[0] !== i || got[1] !== even || got[2] !== i + 1) expect(got).toEqual([i, even, i + 1]);
      }
      const negative = narrow(middles.map((value) => -value));
      expect(negative.findIndex((bits, i) => bits !== (at[i] | 0x8000))).toBe(-1);
    },
  );

  it("gives torch's bits for float32 patterns in steps of 4,099 through all 2^32", () => {
    const { f32_to_f16: f16, f32_to_bf16: bf16 } = expected.digests;
    const patterns = Uint32Array.from({ length: Math.ceil(2 ** 32 / f16.stride) }, (_, i) => i * f16.stride);
    const values = new Float32Array(patterns.buffer);
    expect(digest(f32ToF16(values), 0x7fff, 0x7c00, f16.nan)).toBe(f16.sha256);
    expect(digest(f32ToBf16(values), 0x7fff, 0x7f80, bf16.nan)).toBe(bf16.sha256);
  });

  it("gives torch's bits around the change to subnormals, to infinity and to zero", () => {
    const file = openSafetensors(readFileSync(new URL("halves.safetensors", golden)));
    const values = file.read("values") as Float32Array;
    const patterns = (name: string): Uint16Array => new Uint16Array(file.bytes(name).slice().buffer);
    const comparable = (bits: Uint16Array, infinity: number): number[] =>
      Array.from(bits, (b) => ((b & 0x7fff) > infinity ? -1 : b));
    expect(comparable(f32ToF16(values), 0x7c00)).toEqual(comparable(patterns("f16"), 0x7c00));
    expect(comparable(f32ToBf16(values), 0x7f80)).toEqual(comparable(patterns("bf16"), 0x7f80));
    expect(file.read("f16")).toEqual(file.read("f16_f32"));
    expect(file.read("bf16")).toEqual(file.read("bf16_f32"));
  });
});

describe("arrays", () => {
  it("writes into part of an array, shared memory included, and nowhere else", () => {
    const out = new Float32Array(new SharedArrayBuffer(16)).fill(9);
    f16ToF32(Uint16Array.of(0x3c00, 0xc000), out.subarray(1, 3));
    expect([...out]).toEqual([9, 1, -2, 9]);
  });

  it("refuses an output of another length", () => {
    expect(() => f16ToF32(new Uint16Array(2), new Float32Array(3))).toThrow(
      "f16ToF32: expected an output of 2 elements, got 3",
    );
    expect(() => f32ToBf16(new Float32Array(2), new Uint16Array(1))).toThrow(
      /f32ToBf16: .* 2 elements, got 1/,
    );
  });

  it("widens 3.5 million halves (7 MB) as it widens each alone", () => {
    const bits = Uint16Array.from({ length: 3_500_000 }, (_, i) => (i * 40503) & 0xffff);
    const out = f16ToF32(bits);
    for (let i = 0; i < bits.length; i += 997) {
      expect(Object.is(out[i], f16ToF32(bits.slice(i, i + 1))[0])).toBe(true);
    }
  });
});
