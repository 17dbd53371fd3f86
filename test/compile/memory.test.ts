/** Static memory: nothing overlaps that lives at the same time, and little is wasted. */
import { describe, expect, it } from "vitest";
import { type Lifetime, layOut, leastBytes } from "../../src/compile/memory.ts";
import { randomWords } from "../../src/weights/generator.ts";

function chaos(seed: number, count: number): Lifetime[] {
  const words = randomWords(seed, "blocks", count * 3);
  return Array.from({ length: count }, (_, i) => {
    const first = words[3 * i] % 100;
    return { bytes: words[3 * i + 1] % 5000, first, last: first + (words[3 * i + 2] % 12) };
  });
}

describe("layOut", () => {
  it.each([1, 2, 3, 4, 5])("blocks that live together do not overlap, on 64-byte lines (seed %i)", (seed) => {
    const blocks = chaos(seed, 120);
    const { offsets, bytes } = layOut(blocks);
    blocks.forEach((a, i) => {
      expect(offsets[i] % 64).toBe(0);
      expect(offsets[i] + a.bytes).toBeLessThanOrEqual(bytes);
      blocks.slice(0, i).forEach((b, j) => {
        if (a.first > b.last || b.first > a.last) return;
        const apart = offsets[i] >= offsets[j] + b.bytes || offsets[j] >= offsets[i] + a.bytes;
        expect(apart, `blocks ${i} and ${j}`).toBe(true);
      });
    });
    expect(bytes).toBeLessThanOrEqual(leastBytes(blocks) * 1.4);
  });

  it("a chain of equal blocks takes two places", () => {
    const chain = Array.from({ length: 50 }, (_, i) => ({ bytes: 1000, first: i, last: i + 1 }));
    expect(layOut(chain).bytes).toBe(2 * 1024);
  });

  it("no blocks take no bytes, an empty one a line", () => {
    expect(layOut([]).bytes).toBe(0);
    expect(layOut([{ bytes: 0, first: 0, last: 0 }]).bytes).toBe(64);
  });
});
