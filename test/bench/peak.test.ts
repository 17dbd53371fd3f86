import { expect, test } from "vitest";
import { copyGBs, peakGflops, peakLoop } from "../../bench/peak.ts";
import {
  ADD,
  constant,
  get,
  I32,
  instantiate,
  LOOP,
  load,
  REPEAT_IF,
  set,
  store,
} from "../../bench/wasm-module.ts";

test("the loop multiplies and adds as often as is counted: 7 chains a turn", () => {
  expect(peakLoop(1, 1)).toBe(7 * 2 + 1);
  expect(peakLoop(100_000, 1)).toBe(7 * 100_001 + 1);
  // Factor 2: each chain's f is 4, 8, 16 and its sum 28.
  expect(peakLoop(3, 2)).toBe(7 * (28 + 16) + 2);
});

test("both peaks are rates, that of copying one for each power of two", () => {
  for (const peak of [peakGflops(), copyGBs(64 * 1024)]) {
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(1e5); // a loop that the engine has removed would take no time
  }
  expect(copyGBs(64 * 1024)).toBe(copyGBs(60 * 1024));
});

test("a module that is written here reads and writes where it is told", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const numbers = new Float32Array(memory.buffer);
  numbers.set([1, 2, 3, 4]);
  const run = instantiate({
    parameters: [I32],
    results: [],
    vectors: 1,
    code: [...get(0), ...get(0), ...load(0), ...get(0), ...load(0), ...ADD, ...store(16)],
    memory,
  });
  run(0);
  expect([...numbers.subarray(4, 8)]).toEqual([2, 4, 6, 8]);
});

test("constants keep their value", () => {
  for (const n of [0, 1, 63, 128, 1024]) {
    const code = [...constant(n)];
    expect(instantiate({ parameters: [I32], results: [I32], vectors: 0, code })(0), String(n)).toBe(n);
  }
  const down = [
    ...LOOP,
    ...get(0),
    ...constant(1),
    0x6b,
    ...set(0),
    ...get(0),
    ...REPEAT_IF,
    0x0b,
    ...get(0),
  ];
  expect(instantiate({ parameters: [I32], results: [I32], vectors: 0, code: down })(5)).toBe(0);
});
