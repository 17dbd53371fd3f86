/** The counter-based generator against its published known answers and against the digests that its Python twin wrote. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  BELL_STD,
  bellSums,
  fnv1a32,
  philox4x32,
  randomUniform,
  randomWords,
} from "../../src/weights/generator.ts";
import { seededImage } from "../../src/weights/seeded-image.ts";
import { seededBatchesTracked, seededTensor } from "../../src/weights/seeded-state.ts";
import { samplePositions } from "../golden/golden.ts";

interface Vectors {
  fnv1a32: Record<string, number>;
  words: { seed: number; name: string; count: number; first: number[]; sha256: string }[];
  uniform: { seed: number; name: string; count: number; sha256: string };
  bellSums: { seed: number; name: string; count: number; sha256: string };
  batchesTracked: { name: string; seed: number; value: number };
  samplePositions: { path: string; numel: number; first: number[] };
  images: { seed: number; height: number; width: number; first: number[]; sha256: string }[];
  tensors: {
    name: string;
    shape: number[];
    seed: number;
    attnGain: number;
    batchNorm: boolean;
    first: number[];
    sha256: string;
  }[];
  states: { variant: string; seed: number; attnGain: number; sha256: string }[];
}

const file = new URL("../golden/generator/vectors.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

function digest(array: ArrayBufferView): string {
  return createHash("sha256")
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest("hex");
}

/** Name and shape of every state-dict entry of a detector. */
function stateShapes(variant: string): Map<string, number[]> {
  const text = readFileSync(new URL(`../golden/models/keys/${variant}.txt`, import.meta.url), "utf8");
  const lines = text.trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const [name, shape] = line.split("\t");
      return [name, shape === "scalar" ? [] : shape.split("x").map(Number)];
    }),
  );
}

describe("philox4x32", () => {
  // Counter, key and result as Random123 publishes them in its kat_vectors ("philox4x32 10").
  const ones = 0xffffffff;
  const known: [number[], number[], number[]][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [ones, ones, ones, ones],
      [ones, ones],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  it.each(known)("gives the published answer for counter %j, key %j", (counter, key, result) => {
    expect([...philox4x32(counter, key)]).toEqual(result);
  });
});

describe("the streams", () => {
  it("hash names as FNV-1a does, beyond ASCII too", () => {
    for (const [text, value] of Object.entries(vectors.fnv1a32)) expect(fnv1a32(text)).toBe(value);
  });

  it.each(vectors.words)(
    "are Python's words: seed $seed, name '$name'",
    ({ seed, name, count, first, sha256 }) => {
      const words = randomWords(seed, name, count);
      expect(words.length).toBe(count);
      expect([...words.subarray(0, first.length)]).toEqual(first);
      expect(digest(words)).toBe(sha256);
    },
  );

  it("are Python's uniform numbers and bell sums", () => {
    const { uniform, bellSums: bell } = vectors;
    expect(digest(randomUniform(uniform.seed, uniform.name, uniform.count))).toBe(uniform.sha256);
    expect(digest(bellSums(bell.seed, bell.name, bell.count))).toBe(bell.sha256);
  });

  it("have the mean and spread they claim, within four standard errors of 100,000 draws", () => {
    const count = 100_000;
    let total = 0;
    let squares = 0;
    for (const value of bellSums(11, "moments", count)) {
      total += value / BELL_STD;
      squares += (value / BELL_STD) ** 2;
    }
    expect(Math.abs(total / count)).toBeLessThan(4 / Math.sqrt(count));
    // The variance of a squared near-normal is at most 2.
    expect(Math.abs(squares / count - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
  });

  it("refuse a seed that is no 32-bit unsigned integer", () => {
    for (const seed of [-1, 0.5, 2 ** 32, Number.NaN]) {
      expect(() => randomWords(seed, "x", 4)).toThrow(/a seed that is an integer in 0 \.\. 4294967295/);
    }
  });
});

describe("seeded tensors", () => {
  it.each(vectors.tensors)("are Python's, bit for bit: $name, seed $seed, gain $attnGain", (vector) => {
    const { name, shape, seed, attnGain, batchNorm, first, sha256 } = vector;
    const mean = `${name.slice(0, name.lastIndexOf("."))}.running_mean`;
    const tensor = seededTensor(name, shape, { has: (key) => batchNorm && key === mean, seed, attnGain });
    expect([...tensor.subarray(0, first.length)]).toEqual(first);
    expect(digest(tensor)).toBe(sha256);
  });

  it("give num_batches_tracked as Python does", () => {
    const { name, seed, value } = vectors.batchesTracked;
    expect(seededBatchesTracked(name, seed)).toBe(value);
    expect([...seededTensor(name, [], { has: () => true, seed })]).toEqual([value]);
  });

  it.each(vectors.states)(
    "make Python's whole state dict of $variant, bit for bit",
    (vector) => {
      const { variant, seed, attnGain, sha256 } = vector;
      const shapes = stateShapes(variant);
      const total = createHash("sha256");
      for (const [name, shape] of shapes) {
        const tensor = seededTensor(name, shape, { has: (key) => shapes.has(key), seed, attnGain });
        total.update(new Uint8Array(tensor.buffer));
      }
      expect(total.digest("hex")).toBe(sha256);
    },
    60_000,
  );

  it("have filters that sum to zero but for rounding", () => {
    const fanIn = 96 * 9;
    const tensor = seededTensor("model.12.m.0.conv1.conv.weight", [4, 96, 3, 3], { has: () => false });
    for (let filter = 0; filter < 4; filter++) {
      const sum = tensor.subarray(filter * fanIn, (filter + 1) * fanIn).reduce((total, w) => total + w, 0);
      // 864 weights below 0.2, each rounded to half a unit in the 24th place: at most 864 * 2^-27.
      expect(Math.abs(sum)).toBeLessThan(864 * 2 ** -27);
    }
  });

  it("refuse a name without a dot", () => {
    expect(() => seededTensor("weight", [3], { has: () => false })).toThrow(/a state-dict name/);
  });
});

describe("seeded images", () => {
  it.each(vectors.images)("are Python's, bit for bit: seed $seed, $height x $width", (vector) => {
    const image = seededImage(vector.seed, vector.height, vector.width);
    expect([...image.subarray(0, 3)]).toEqual(vector.first);
    expect(digest(image)).toBe(vector.sha256);
  });

  it("refuse an empty picture", () => {
    expect(() => seededImage(0, 0, 5)).toThrow(/a height and a width of at least 1, got 0 x 5/);
  });
});

describe("sample positions of the goldens", () => {
  it("are Python's", () => {
    const { path, numel, first } = vectors.samplePositions;
    expect([...samplePositions(path, numel, first.length)]).toEqual(first);
  });
});
