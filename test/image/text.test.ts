import { describe, expect, test } from "vitest";
import { glyphOf } from "../../src/image/font.ts";
import type { ImageData8 } from "../../src/image/image.ts";
import { TextPen } from "../../src/image/text.ts";

function blank(width: number, height: number, value = 128): ImageData8 {
  return { data: new Uint8Array(width * height * 3).fill(value), width, height, channels: 3 };
}

function pixel(image: ImageData8, x: number, y: number): number[] {
  return Array.from(image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3));
}

describe("text", () => {
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
  test("has a glyph of its own for every printable ASCII character, and a box for others", () => {
    const shapes = new Set(printable.map((c) => glyphOf(c).segments.join()));
    expect(shapes.size).toBe(95);
    expect(glyphOf("é")).toBe(glyphOf("\n"));
    expect(shapes.has(glyphOf("é").segments.join())).toBe(false);
    expect(glyphOf("constructor")).toBe(glyphOf("é"));
  });
  test("keeps glyphs between base lines: within the ascent and descent and about their advance", () => {
    for (const c of printable) {
      const { advance, segments } = glyphOf(c);
      expect(advance).toBeGreaterThan(200);
      segments.forEach((v, i) => {
        if (i % 2 === 1) expect(v >= -205 && v <= 800).toBe(true);
        else expect(v >= -60 && v <= advance + 10).toBe(true);
      });
    }
  });
  test("stays inside the rectangle that its measure and size promise", () => {
    for (const size of [8, 12, 17, 40]) {
      const pen = new TextPen(size);
      const image = blank(Math.ceil(pen.measure("Agjqy@|")) + 40, 3 * size, 255);
      let outside = 0;
      pen.write(image, "Agjqy@|", 20, 2 * size, [0, 0, 0]);
      for (let y = 0; y < image.height; y++) {
        for (let x = 0; x < image.width; x++) {
          const inside = x >= 18 && x < image.width - 18 && y >= size && y < 2 * size + 0.3 * size + 1;
          if (!inside && pixel(image, x, y)[1] !== 255) outside++;
        }
      }
      expect(outside).toBe(0);
    }
  });
  test("has capitals whose tops and feet end on pixel rows at small sizes", () => {
    for (const size of [12, 16, 20]) {
      const pen = new TextPen(size);
      const image = blank(60, 60, 255);
      pen.write(image, "E", 10, 40, [0, 0, 0]);
      const darkest = (y: number): number =>
        Math.min(...Array.from({ length: 60 }, (_, x) => pixel(image, x, y)[0]));
      expect(darkest(40)).toBe(255); // below the base line
      expect(darkest(39)).toBe(0); // the lower bar, full
      expect(darkest(40 - pen.capHeight)).toBe(0); // the upper bar, full
      expect(darkest(39 - pen.capHeight)).toBe(255);
    }
  });
});
