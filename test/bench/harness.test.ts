import { afterAll, expect, test } from "vitest";
import { CONVOLUTIONS } from "../../bench/kernels/convolutions.ts";
import { ELEMENTWISE } from "../../bench/kernels/elementwise.ts";
import { figures, type Row, time } from "../../bench/kernels/harness.ts";
import { MOVEMENT } from "../../bench/kernels/movement.ts";
import { PRODUCTS } from "../../bench/kernels/products.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";

const backend = createWasmBackend({ threads: 1 });
afterAll(() => backend.close());
const ROW: Row = {
  family: "f",
  name: "double",
  elements: 8,
  operands: [{ of: [8] }, { of: [8] }],
  plain: (b, [x, y]) => b.binary("add", x, x, y),
};

test("a row is timed, and bytes are what is read and written", () => {
  const timing = time(ROW, backend, 1);
  expect(timing.ms).toBeGreaterThan(0);
  expect(timing.bestMs).toBeLessThanOrEqual(timing.ms);
  expect(timing.bytes).toBe(64);
});

test("a row whose result is not the reference's is an error, and its memory is given back", () => {
  const wrong: Row = {
    ...ROW,
    prepare:
      (_, __, [x, y]) =>
      () =>
        backend.unary("neg", x, y),
  };
  const before = backend.engine.arena.allocate(64);
  backend.engine.arena.free(before);
  expect(() => time(wrong, backend, 1)).toThrow(/double: expected the reference's result/);
  const after = backend.engine.arena.allocate(64);
  backend.engine.arena.free(after);
  expect(after).toBe(before);
});

test("figures: operations against the peak of registers, bytes against a copy", () => {
  const peaks = { gflops: 50, copyGBs: () => 40 };
  const timing = { family: "", name: "", ms: 2, bestMs: 1, bytes: 20e6 };
  expect(figures({ ...timing, multiplyAdds: 25e6 }, peaks)).toBe("  25.0 GFLOP/s  50 % of the peak");
  expect(figures({ ...timing, elements: 1e6 }, peaks)).toMatch(
    /10\.0 GB\/s {5}25 % of a copy, 2\.00 ns an element/,
  );
});

test("every family of kernels has a row, and no two rows have one name", () => {
  const rows = [...CONVOLUTIONS, ...PRODUCTS, ...ELEMENTWISE, ...MOVEMENT];
  const families = [...new Set(rows.map(({ family }) => family))].join("\n");
  for (const family of [
    /1x1: GEMM/,
    /3x3 s2/,
    /direct/,
    /Winograd/,
    /Strassen/,
    /depthwise 3x3 s1/,
    /depthwise 3x3 s2/,
  ]) {
    expect(families).toMatch(family);
  }
  for (const family of [
    /depthwise 5x5 s1/,
    /depthwise 5x5 s2/,
    /depthwise: general/,
    /linear/,
    /attention/,
  ]) {
    expect(families).toMatch(family);
  }
  for (const family of [/deformable/, /activations/, /norms/, /copies/, /choosing/])
    expect(families).toMatch(family);
  expect(new Set(rows.map(({ family, name }) => family + name)).size).toBe(rows.length);
});
