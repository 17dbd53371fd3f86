import { describe, expect, test } from "vitest";
import { MobileDetrError } from "../../src/errors.ts";
import { checkImage, type RawImage, toRgb } from "../../src/image/image.ts";

const good = { data: new Uint8Array(24), width: 4, height: 2, channels: 3 };

describe("checkImage", () => {
  test("returns a good picture over the same memory", () => {
    const image = checkImage(good);
    expect(image.data).toBe(good.data);
    expect([image.width, image.height, image.channels]).toEqual([4, 2, 3]);
  });
  test("takes a Uint8ClampedArray and a Buffer without copying, offsets included", () => {
    const memory = new Uint8Array(40);
    const image = checkImage({ ...good, data: new Uint8ClampedArray(memory.buffer, 8, 24) });
    image.data[0] = 77;
    expect(memory[8]).toBe(77);
    expect(checkImage({ ...good, data: Buffer.from(memory.buffer, 16, 24) }).data.length).toBe(24);
  });
  test("tells the channels from the length where they are not given, as in a canvas's ImageData", () => {
    for (const channels of [1, 3, 4]) {
      const image = { data: new Uint8ClampedArray(8 * channels), width: 4, height: 2 };
      expect(checkImage(image).channels).toBe(channels);
    }
  });
  const bad: [string, unknown, RegExp][] = [
    ["null", null, /pic: expected an object \{data, width, height, channels\}, got null/],
    ["a string", "x.jpg", /got a string/],
    [
      "a plain array",
      { ...good, data: [1, 2] },
      /pic\.data: expected a Uint8Array .* got an object of class Array/,
    ],
    ["floats", { ...good, data: new Float32Array(24) }, /class Float32Array/],
    [
      "no width",
      { ...good, width: undefined },
      /pic\.width: expected an integer in 1\.\.1048576, got undefined/,
    ],
    ["half a pixel", { ...good, width: 4.5 }, /got 4\.5/],
    ["height 0", { ...good, height: 0 }, /pic\.height: .* got 0/],
    ["NaN", { ...good, height: Number.NaN }, /got NaN/],
    ["a text", { ...good, height: "2" }, /got a string/],
    ["an absurd width", { ...good, width: 1e9 }, /got 1000000000/],
    [
      "two channels",
      { ...good, channels: 2 },
      /pic\.channels: expected 1 \(grey\), 3 \(RGB\) or 4 \(RGBA\), got 2/,
    ],
    ["a short array", { ...good, channels: 4 }, /expected 32 bytes \(4 x 2 x 4\), got 24 bytes/],
    [
      "a length of no whole channels",
      { ...good, channels: undefined, width: 5 },
      /got 24 bytes, 2\.4 a pixel/,
    ],
  ];
  for (const [name, image, text] of bad) {
    test(`refuses ${name}`, () => {
      expect(() => checkImage(image as RawImage, "pic")).toThrow(text);
      expect(() => checkImage(image as RawImage, "pic")).toThrow(MobileDetrError);
    });
  }
});

describe("toRgb", () => {
  test("repeats grey", () => {
    const image = { data: Uint8Array.of(7, 9), width: 2, height: 1, channels: 1 } as const;
    expect(toRgb(image)).toEqual({ data: Uint8Array.of(7, 7, 7, 9, 9, 9), width: 2, height: 1, channels: 3 });
  });
  test("drops alpha without blending", () => {
    const image = {
      data: Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 128),
      width: 1,
      height: 2,
      channels: 4,
    } as const;
    expect(toRgb(image).data).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6));
  });
  test("returns RGB itself", () => {
    const image = checkImage(good);
    expect(toRgb(image)).toBe(image);
  });
});
