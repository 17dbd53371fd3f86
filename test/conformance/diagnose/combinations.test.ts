/** Mistakes planted by other code than the diagnosis's: single ones, two at once, faint ones, and those that look alike. */
import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/conformance/diagnose/index.ts";
import type { HostTensor } from "../../../src/conformance/host-tensor.ts";
import { f16ToF32, f32ToF16 } from "../../../src/weights/half.ts";
import {
  diagnosed,
  evidenceOf,
  f32,
  moduleScene,
  names,
  normal,
  operator,
  rightIn,
  type Scene,
  uniform,
} from "./support.ts";

/** A convolution in plain loops: `tap` says which input pixel and which weight an output pixel meets. */
function convolve(
  x: HostTensor,
  w: HostTensor,
  bias: HostTensor | undefined,
  { stride = 1, top = 1, left = 1, flip = false, transpose = false, edge = false } = {},
): HostTensor {
  const [, C, H, W] = x.shape;
  const [O, , kh, kw] = w.shape;
  const [oh, ow] = [Math.ceil(H / stride), Math.ceil(W / stride)];
  const out = new Float32Array(O * oh * ow);
  const [a, b] = [x.data as Float32Array, w.data as Float32Array];
  for (let o = 0; o < O; o++)
    for (let y = 0; y < oh; y++)
      for (let u = 0; u < ow; u++) {
        let sum = bias ? Number(bias.data[o]) : 0;
        for (let c = 0; c < C; c++)
          for (let i = 0; i < kh; i++)
            for (let j = 0; j < kw; j++) {
              let [iy, ix] = [y * stride + i - top, u * stride + j - left];
              if (edge) [iy, ix] = [Math.max(0, Math.min(H - 1, iy)), Math.max(0, Math.min(W - 1, ix))];
              if (iy < 0 || iy >= H || ix < 0 || ix >= W) continue;
              const [ki, kj] = flip ? [kh - 1 - i, kw - 1 - j] : transpose ? [j, i] : [i, j];
              sum += a[(c * H + iy) * W + ix] * b[((o * C + c) * kh + ki) * kw + kj];
            }
        out[(o * oh + y) * ow + u] = sum;
      }
  return f32([1, O, oh, ow], out);
}

const x = normal("x", [1, 5, 10, 12], 1, 0.4);
const w = normal("w", [7, 5, 3, 3], 0.3);
const b = normal("b", [7], 0.5);
const conv = (stride: number): Scene =>
  operator("conv2d", { stride, padding: 1 }, { input: x, weight: w, bias: b });

/** BatchNorm in plain numbers. */
function norm(scene: Scene, { eps = 1e-3, bias = true } = {}): HostTensor {
  const v = (name: string): Float32Array => scene.parameters.get(name)?.data as Float32Array;
  const input = scene.inputs.get("input") as HostTensor;
  const [, C, H, W] = input.shape;
  return f32(
    input.shape,
    Float32Array.from(input.data as Float32Array, (value, i) => {
      const c = Math.floor(i / (H * W)) % C;
      const scaled = ((value - v("running_mean")[c]) / Math.sqrt(v("running_var")[c] + eps)) * v("weight")[c];
      return scaled + (bias ? v("bias")[c] : 0);
    }),
  );
}

const batchNorm = moduleScene(
  "BatchNorm2d",
  { num_features: 5, eps: 1e-3 },
  { input: normal("bn", [2, 5, 8, 8]) },
);
const gelu = operator("gelu", {}, { input: normal("gelu", [3, 200], 1.5) });
const geluData = gelu.inputs.get("input")?.data as Float32Array;
const tanhGelu = f32(
  [3, 200],
  Float32Array.from(
    geluData,
    (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  ),
);

describe("one mistake, planted in plain loops", () => {
  it("none: the loops agree with the golden", () => {
    expect(diagnosed(conv(1), convolve(x, w, b))).toEqual([]);
    expect(diagnosed(conv(2), convolve(x, w, b, { stride: 2 }))).toEqual([]);
    expect(diagnosed(batchNorm, norm(batchNorm))).toEqual([]);
  });

  it.each([
    ["bias-missing", conv(1), convolve(x, w, undefined)],
    ["kernel-flipped", conv(1), convolve(x, w, b, { flip: true })],
    ["kernel-transposed", conv(1), convolve(x, w, b, { transpose: true })],
    ["padding-sides", conv(2), convolve(x, w, b, { stride: 2, top: 0, left: 0 })],
    ["padding-mode", conv(1), convolve(x, w, b, { edge: true })],
    ["batch-norm-eps", batchNorm, norm(batchNorm, { eps: 1e-5 })],
    ["batch-norm-parts", batchNorm, norm(batchNorm, { bias: false })],
    ["gelu-tanh", gelu, tanhGelu],
  ] as const)("%s", (mistake, scene, wrong) => {
    const found = diagnosed(scene, wrong);
    expect(found[0]?.mistake, JSON.stringify(found)).toBe(mistake);
    expect(found[0].explains).toBeGreaterThan(0.999);
  });
});

describe("two mistakes at once", () => {
  it.each([
    ["kernel-flipped", "bias-missing", conv(1), convolve(x, w, undefined, { flip: true })],
    ["padding-mode", "kernel-transposed", conv(1), convolve(x, w, b, { edge: true, transpose: true })],
    ["padding-sides", "bias-missing", conv(2), convolve(x, w, undefined, { stride: 2, top: 0, left: 0 })],
    ["batch-norm-eps", "batch-norm-parts", batchNorm, norm(batchNorm, { eps: 0, bias: false })],
  ] as const)("%s and %s", (one, other, scene, wrong) => {
    const found = diagnosed(scene, wrong);
    expect(names(found).slice(0, 2).sort(), JSON.stringify(found)).toEqual([one, other].sort());
    expect(found[0].explains).toBeGreaterThan(0.99);
    expect(found[0].because).toContain("together with this: ");
  });

  it("one in the computation and one in the result: no bias, stored channels-last", () => {
    const wrong = convolve(x, w, undefined);
    const data = wrong.data as Float32Array;
    const turned: number[] = [];
    for (let p = 0; p < 120; p++) for (let c = 0; c < 7; c++) turned.push(data[c * 120 + p]);
    const found = diagnosed(conv(1), f32(wrong.shape, turned));
    expect(names(found).slice(0, 2).sort(), JSON.stringify(found)).toEqual(["bias-missing", "layout"]);
  });
});

describe("faint mistakes", () => {
  it("tanh for erf, seen through a tolerance of a quarter of it", () => {
    const found = diagnosed(gelu, tanhGelu, { bound: { abs: 1e-4, rel: 0 } });
    expect(names(found)[0]).toBe("gelu-tanh");
  });

  it("eps 1e-5 for 1e-3 where variances are near 1: a thousandth", () => {
    const found = diagnosed(batchNorm, norm(batchNorm, { eps: 1e-5 }), { bound: { abs: 5e-4, rel: 0 } });
    expect(names(found)[0]).toBe("batch-norm-eps");
  });

  it("fp16 in a convolution: the grid, not the convolution, is named", () => {
    const right = rightIn(conv(1));
    const halves = f32(right.shape, f16ToF32(f32ToF16(right.data as Float32Array)));
    const found = diagnose(evidenceOf(conv(1), halves)); // no rounding on top: it would leave the grid
    expect(names(found)[0]).toBe("fp16");
  });

  it("nothing, where the mistake is within tolerance", () => {
    expect(diagnosed(batchNorm, norm(batchNorm, { eps: 1e-5 }), { bound: { abs: 0.1, rel: 0 } })).toEqual([]);
  });
});

describe("a mistake and its undoing", () => {
  it("explain nothing: an element-wise operator that is a little off has no wrong layout", () => {
    const map = operator("gelu", {}, { input: normal("map", [1, 6, 7, 9], 1.5) });
    const right = rightIn(map);
    const off = normal("off", right.shape, 1e-6).data;
    const wrong = f32(
      right.shape,
      Float32Array.from(right.data as Float32Array, (v, i) => v + Number(off[i])),
    );
    const found = diagnosed(map, wrong, { bound: { abs: 3e-7, rel: 0 } });
    expect(names(found), JSON.stringify(found)).not.toContain("layout");
    expect(found[0].mistake).toBe("unknown");
  });
});

describe("a mistake that is not in the list", () => {
  it("is unknown, and its place is told: every second column of a convolution", () => {
    const right = rightIn(conv(1));
    const noise = uniform("n", right.shape, -1, 1).data as Float32Array;
    const wrong = f32(
      right.shape,
      Float32Array.from(right.data as Float32Array, (v, i) => (i % 12 === 11 ? v + noise[i] : v)),
    );
    const found = diagnosed(conv(1), wrong);
    expect(found[0].mistake, JSON.stringify(found)).toBe("unknown");
    expect(found[0].because).toContain("only columns 11 of 12");
  });
});

describe("an infinite golden", () => {
  it("is missed by any number: a tolerance relative to infinity allows nothing", () => {
    const right = f32([4], [1, Number.POSITIVE_INFINITY, 2, 3]);
    const scene: Scene = { ...conv(1), parameters: new Map(), inputs: new Map() };
    const more = { expected: right, shape: [4] };
    expect(diagnosed(scene, right, more)).toEqual([]);
    expect(names(diagnosed(scene, f32([4], [1, 0, 2, 3]), more))).toContain("unknown");
  });
});

describe("an unusual golden computation", () => {
  it("that cannot be done again leaves the symptoms", () => {
    const scene: Scene = { ...conv(1), parameters: new Map(), inputs: new Map() };
    const right = rightIn(conv(1));
    const found = diagnosed(
      scene,
      f32(
        right.shape,
        Float32Array.from(right.data as Float32Array, (v) => 2 * v),
      ),
      { expected: right },
    );
    expect(names(found)).toEqual(["constant-factor"]);
  });

  it("whose golden is not what the inputs give is not trusted", () => {
    const right = rightIn(conv(1));
    const scene = operator(
      "conv2d",
      { stride: 1, padding: 1 },
      { input: normal("elsewhere", x.shape), weight: w, bias: b },
    );
    const found = diagnosed(
      scene,
      f32(
        right.shape,
        Float32Array.from(right.data as Float32Array, (v) => -v),
      ),
      { expected: right },
    );
    expect(names(found)[0]).toBe("sign");
  });
});
