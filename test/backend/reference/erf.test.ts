/** erf and erfc against values computed with 50 digits. */
import { describe, expect, it } from "vitest";
import { erf, erfc } from "../../../src/backend/reference/erf.ts";

const VALUES: readonly [x: number, erf: number, erfc: number][] = [
  [0.001, 0.0011283787909692365, 0.9988716212090307],
  [0.1, 0.1124629160182849, 0.887537083981715],
  [0.5, 0.5204998778130465, 0.4795001221869535],
  [1, 0.8427007929497149, 0.15729920705028513],
  [1.5, 0.9661051464753108, 0.033894853524689274],
  [2, 0.9953222650189527, 0.004677734981047266],
  [2.25, 0.9985372834133188, 0.0014627165866811518],
  [2.499999, 0.9995930458042653, 0.0004069541957346353],
  [2.5, 0.999593047982555, 0.0004069520174449589],
  [2.75, 0.9998993780778803, 0.00010062192211963684],
  [3, 0.9999779095030014, 2.209049699858544e-5],
  [4, 0.9999999845827421, 1.541725790028002e-8],
  [5.5, 0.9999999999999927, 7.357847917974398e-15],
  [7, 1.0, 4.183825607779414e-23],
  [10, 1.0, 2.088487583762545e-45],
  [20, 1.0, 5.395865611607901e-176],
  [26, 1.0, 5.663192408856143e-296],
];

describe("the error function", () => {
  it.each(VALUES)("erf(%f) within 1e-15, both signs", (x, expected) => {
    expect(Math.abs(erf(x) - expected)).toBeLessThan(1e-15);
    expect(erf(-x)).toBe(-erf(x));
  });

  it.each(VALUES)("erfc(%f) within 1e-12 of its size, and 2 - erfc on the left", (x, _, expected) => {
    expect(Math.abs(erfc(x) - expected)).toBeLessThan(1e-12 * expected);
    expect(Math.abs(erfc(-x) - (2 - expected))).toBeLessThan(1e-15);
  });

  it("ends at its limits, and NaN stays", () => {
    expect([erf(Infinity), erf(-Infinity), erfc(Infinity), erfc(-Infinity)]).toEqual([1, -1, 0, 2]);
    expect([erf(0), erf(NaN), erfc(NaN), erfc(40)]).toEqual([0, NaN, NaN, 0]);
  });
});
