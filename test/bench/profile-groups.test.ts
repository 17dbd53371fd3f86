import { expect, test } from "vitest";
import { byKernel, rate, slowest } from "../../bench/profile-groups.ts";
import type { StepProfile } from "../../src/compile/plan.ts";

const step = (kernel: string, milliseconds: number, multiplyAdds: number): StepProfile => ({
  kernel,
  path: "",
  node: "",
  milliseconds,
  multiplyAdds,
  gflops: 0,
});
const STEPS = [step("copy", 1, 0), step("gemm", 2, 40e6), step("gemm", 4, 80e6), step("winograd", 1, 60e6)];

test("kernels are summed, the one with most time first, with their share of the time and of the peak", () => {
  const groups = byKernel(STEPS, 50);
  expect(groups.map(({ kernel, steps }) => [kernel, steps])).toEqual([
    ["gemm", 2],
    ["copy", 1],
    ["winograd", 1],
  ]);
  expect(groups[0]).toMatchObject({
    milliseconds: 6,
    multiplyAdds: 120e6,
    share: 0.75,
    gflops: 40,
    ofPeak: 0.8,
  });
  expect(groups[1].gflops).toBe(0);
  expect(groups[2].ofPeak).toBeCloseTo(2.4, 12);
});

test("the slowest steps come first, and the list that is given stays as it is", () => {
  expect(slowest(STEPS, 2).map(({ milliseconds }) => milliseconds)).toEqual([4, 2]);
  expect(slowest(STEPS, 99).length).toBe(4);
  expect(STEPS[0].kernel).toBe("copy");
});

test("no steps and no time are no division by zero", () => {
  expect(byKernel([], 50)).toEqual([]);
  expect(byKernel([step("a", 0, 5)], 50)[0]).toMatchObject({ share: 0, gflops: 0 });
  expect(rate(1e6, 2)).toBe(1);
});
