/** Portable functions against the engine's own, which are good to a unit or so, over their whole range. */
import { describe, expect, it } from "vitest";
import { cos, exp, log, pow, sin, tanh } from "../src/portable-math.ts";
import { randomUniform, randomWords } from "../src/weights/generator.ts";

const COUNT = 200_000;
const uniform = randomUniform(1, "arguments", COUNT);

/** Units in the last place between two doubles. */
function ulps(a: number, b: number): number {
  if (Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  const bits = new BigInt64Array(new Float64Array([a, b]).buffer);
  const [p, q] = Array.from(bits, (n) => (n < 0n ? -(n & 0x7fffffffffffffffn) : n));
  return Number(p > q ? p - q : q - p);
}

/** The largest difference over arguments, and how many results round to another f32. */
function compare(
  f: (x: number) => number,
  g: (x: number) => number,
  of: (u: number) => number,
): [number, number] {
  let worst = 0;
  let others = 0;
  for (const u of uniform) {
    const x = of(u);
    const [a, b] = [f(x), g(x)];
    worst = Math.max(worst, ulps(a, b));
    if (!Object.is(Math.fround(a), Math.fround(b))) others++;
  }
  return [worst, others];
}

describe.each([
  ["exp in [-1, 1]", exp, Math.exp, (u: number) => 2 * u - 1, 1],
  ["exp in [-745, 710]", exp, Math.exp, (u: number) => u * 1455 - 745, 2],
  ["log in (0, 4]", log, Math.log, (u: number) => 4 * u + 1e-9, 2],
  ["log over the whole range", log, Math.log, (u: number) => Math.exp(u * 1450 - 744), 2],
  ["tanh in [-1, 1]", tanh, Math.tanh, (u: number) => 2 * u - 1, 4],
  ["tanh in [-25, 25]", tanh, Math.tanh, (u: number) => 50 * u - 25, 4],
  ["sin in [-10, 10]", sin, Math.sin, (u: number) => 20 * u - 10, 2],
  ["cos in [-10, 10]", cos, Math.cos, (u: number) => 20 * u - 10, 2],
  ["sin in [-1e6, 1e6]", sin, Math.sin, (u: number) => 2e6 * u - 1e6, 2],
  ["cos in [0, 1e9]", cos, Math.cos, (u: number) => 1e9 * u, 2],
] as const)("%s", (_title, f, g, of, bound) => {
  it(`is within ${bound} units in the last place of the engine's, and the same f32 but for one in 10^5`, () => {
    const [worst, others] = compare(f, g, of);
    expect(worst).toBeLessThanOrEqual(bound);
    expect(others).toBeLessThanOrEqual(2);
  });
});

it("sin and cos of any double, the largest included", () => {
  for (const word of randomWords(2, "exponents", 2000)) {
    const x = (1 + (word & 0xffff) / 65536) * 2 ** (20 + ((word >>> 16) % 1003));
    expect(ulps(sin(x), Math.sin(x))).toBeLessThanOrEqual(2);
    expect(ulps(cos(-x), Math.cos(-x))).toBeLessThanOrEqual(2);
  }
});

it("sines near multiples of pi keep their digits", () => {
  for (let k = 1; k < 3000; k++) {
    for (const x of [k * Math.PI, (k * Math.PI) / 2]) {
      expect(ulps(sin(x), Math.sin(x))).toBeLessThanOrEqual(2);
      expect(ulps(cos(x), Math.cos(x))).toBeLessThanOrEqual(2);
    }
  }
});

it("ends are as ECMA-262 has them", () => {
  const ends = [
    0,
    -0,
    Infinity,
    -Infinity,
    NaN,
    5e-324,
    -5e-324,
    Number.MAX_VALUE,
    -Number.MAX_VALUE,
    1,
    -1,
    710,
    -746,
  ];
  for (const x of ends) {
    for (const [f, g] of [
      [exp, Math.exp],
      [log, Math.log],
      [tanh, Math.tanh],
      [sin, Math.sin],
      [cos, Math.cos],
    ]) {
      expect([x, ulps(f(x), g(x)) <= 2, Object.is(Math.sign(f(x)), Math.sign(g(x)))]).toEqual([
        x,
        true,
        true,
      ]);
    }
  }
});

it("pow is the same f32 as the engine's, for what position tables need", () => {
  for (let k = 0; k < 4096; k++) {
    const y = Math.fround(k / 4096);
    expect(Math.fround(pow(10000, y))).toBe(Math.fround(10000 ** y));
  }
});
