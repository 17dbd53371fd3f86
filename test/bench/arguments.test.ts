import { expect, test } from "vitest";
import { list, some, whole, wholes } from "../../bench/arguments.ts";

test("lists drop empty parts and spaces", () => {
  expect(list("a, b,,c,")).toEqual(["a", "b", "c"]);
  expect(list("")).toEqual([]);
});

test.each(["", " ", "x", "1.5", "0", "-3", "1e400", "Infinity"])("%j is no whole number >= 1", (text) => {
  expect(() => whole("--rounds", text, 1)).toThrow(/^--rounds: expected a whole number >= 1/);
});

test("whole numbers are read, one or several, and at least one", () => {
  expect(whole("--warmup", "0", 0)).toBe(0);
  expect(wholes("--threads", "1,2", 1)).toEqual([1, 2]);
  expect(() => wholes("--threads", ",", 1)).toThrow(/got none/);
});

test("names must be known", () => {
  expect(some("--peers", "b,a", ["a", "b"])).toEqual(["b", "a"]);
  expect(some("--peers", "", ["a"])).toEqual([]);
  expect(() => some("--peers", "a,c", ["a", "b"])).toThrow(/--peers: expected some of a, b, got c/);
});
