/** What must not be explained: numbers that have nothing to do with the right ones, NaN, what is lost. */
import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/conformance/diagnose/index.ts";
import type { HostTensor } from "../../../src/conformance/host-tensor.ts";
import {
  evidenceOf,
  f32,
  hostOf,
  moduleScene,
  names,
  normal,
  operator,
  problemIn,
  rightIn,
  type Scene,
} from "./support.ts";

const conv = (
  shape: readonly number[],
  weight: readonly number[],
  more: { readonly [key: string]: number },
): Scene => operator("conv2d", more, { input: normal("x", shape, 1, 0.3), weight: normal("w", weight, 0.3) });
const SCENES: readonly [string, Scene, readonly number[]][] = [
  ["a stem", conv([1, 3, 32, 32], [16, 3, 3, 3], { stride: 2, padding: 1 }), [16, 3, 3, 3]],
  ["depthwise", conv([1, 16, 12, 12], [16, 1, 3, 3], { padding: 1, groups: 16 }), [16, 1, 3, 3]],
  ["groups", conv([1, 12, 12, 12], [8, 3, 3, 3], { padding: 1, groups: 4 }), [8, 3, 3, 3]],
];

describe("weights of another network", () => {
  it.each(SCENES)("%s: nothing that is known, and it says so", (_title, scene, shape) => {
    for (const seed of ["one", "two", "three"]) {
      const inputs = new Map(scene.inputs).set("weight", normal(seed, shape, 0.3));
      const wrong = hostOf(problemIn({ ...scene, inputs }).run([])!);
      expect(names(diagnose(evidenceOf(scene, wrong)))[0]).toBe("unknown");
    }
  });

  it("noise, large and small", () => {
    const [, scene] = SCENES[0];
    const right = rightIn(scene);
    for (const share of [0.3, 1]) {
      const noise = normal(`noise ${share}`, right.shape, share);
      expect(names(diagnose(evidenceOf(scene, noise)))[0]).toBe("unknown");
    }
  });
});

describe("what is not finite", () => {
  const gelu = operator(
    "sigmoid",
    {},
    { input: f32([2, 6], [Number.NaN, 1, -2, 3, -4, 5, 0, -1, 2, -3, 4, -5]) },
  );

  it("all NaN is not-a-number, not rows that repeat", () => {
    for (const [, scene] of SCENES) {
      const { shape, data } = rightIn(scene);
      const wrong: HostTensor = { dtype: "F32", shape, data: new Float32Array(data.length).fill(Number.NaN) };
      expect(names(diagnose(evidenceOf(scene, wrong)))[0]).toBe("not-a-number");
    }
  });

  it("a NaN that the run has lost is no mistake of the rest", () => {
    const { shape, data } = rightIn(gelu);
    const wrong = f32(
      shape,
      Float32Array.from(data as Float32Array, (v) => (Number.isNaN(v) ? 0 : v)),
    );
    const found = diagnose(evidenceOf(gelu, wrong));
    expect(names(found)[0]).toBe("unknown");
    expect(found.every(({ explains }) => explains < 0.5)).toBe(true);
  });

  it("all infinite is no end of half precision", () => {
    const [, scene] = SCENES[1];
    const { shape, data } = rightIn(scene);
    const wrong = f32(shape, new Float32Array(data.length).fill(Number.POSITIVE_INFINITY));
    expect(names(diagnose(evidenceOf(scene, wrong)))).not.toContain("fp16-overflow");
  });
});

describe("the unbiased variance of a LayerNorm", () => {
  it("is found where eps is a good part of it", () => {
    const scene = moduleScene(
      "LayerNorm",
      { normalized_shape: [16], eps: 1e-5 },
      { input: normal("x", [4, 16], 0.004) },
    );
    const [input] = scene.inputs.values();
    const values = input.data as Float32Array;
    const [w, b] = ["weight", "bias"].map((name) => scene.parameters.get(name)?.data as Float32Array);
    const out = Float32Array.from(values, (v, i) => {
      const row = values.subarray(16 * Math.floor(i / 16), 16 * Math.floor(i / 16) + 16);
      const mean = row.reduce((sum, x) => sum + x, 0) / 16;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 15;
      return ((v - mean) / Math.sqrt(variance + 1e-5)) * w[i % 16] + b[i % 16];
    });
    expect(names(diagnose(evidenceOf(scene, f32([4, 16], out))))[0]).toBe("layer-norm-parts");
  });
});
