/**
 * Every wrong way to compute that the diagnosis knows, planted into computations it applies to: each must be named first, and
 * nothing else beside it but what does the very same. These plants are the diagnosis's own; `operators.test.ts`, `blocks.test.ts`
 * and `pictures.test.ts` plant by other code.
 */
import { describe, expect, it } from "vitest";
import { MISTAKES } from "../../../src/conformance/diagnose/index.ts";
import {
  diagnosed,
  hostOf,
  moduleScene,
  normal,
  operator,
  problemIn,
  rightIn,
  type Scene,
  uniform,
} from "./support.ts";

const map = normal("map", [1, 8, 12, 12], 1.5, 0.3);
const maps = normal("maps", [2, 8, 9, 11], 1.5, 0.3);
const tokens = normal("tokens", [2, 20, 32]);
const boxes = uniform("boxes", [1, 10, 4], 0.2, 0.6);
const levels = [
  [8, 8],
  [4, 4],
  [2, 2],
];

const SCENES: Readonly<Record<string, Scene>> = {
  "conv2d stride 2": operator(
    "conv2d",
    { stride: 2, padding: 1 },
    { input: map, weight: normal("w", [8, 8, 3, 3], 0.2), bias: normal("b", [8]) },
  ),
  "conv2d 5x5 dilated": operator(
    "conv2d",
    { padding: 4, dilation: 2 },
    { input: map, weight: normal("w5", [4, 8, 5, 5], 0.1), bias: normal("b4", [4]) },
  ),
  "conv2d in two groups": operator(
    "conv2d",
    { padding: 1, groups: 2 },
    { input: map, weight: normal("wg", [8, 4, 3, 3], 0.2) },
  ),
  "conv2d of a picture": operator(
    "conv2d",
    { stride: 2, padding: 1 },
    { input: uniform("picture", [1, 3, 16, 16]), weight: normal("wp", [8, 3, 3, 3], 0.3) },
  ),
  BatchNorm2d: moduleScene("BatchNorm2d", { num_features: 8, eps: 1e-3 }, { input: maps }),
  LayerNorm: moduleScene(
    "LayerNorm",
    { normalized_shape: 32 },
    { input: normal("small", [2, 20, 32], 0.05, 0.02) },
  ),
  Linear: moduleScene("Linear", { in_features: 32, out_features: 32 }, { input: tokens }),
  relu6: operator("relu6", {}, { input: normal("wide", [2, 8, 6, 6], 5) }),
  relu: operator("relu", {}, { input: normal("wide", [2, 8, 6, 6], 5) }),
  silu: operator("silu", {}, { input: normal("wide", [2, 8, 6, 6], 3) }),
  gelu: operator("gelu", {}, { input: normal("wide", [2, 40, 16], 2) }),
  "gelu by tanh": operator("gelu", { approximate: "tanh" }, { input: normal("wide", [2, 40, 16], 2) }),
  sigmoid: operator("sigmoid", {}, { input: normal("wide", [2, 40, 10], 3) }),
  softmax: operator("softmax", { dim: -1 }, { input: normal("wide", [2, 4, 8, 9], 3) }),
  ConvBlock: moduleScene("ConvBlock", { cin: 8, cout: 16, k: 3, stride: 2, bn_eps: 1e-3 }, { input: map }),
  "Conv without activation": moduleScene("Conv", { c1: 8, c2: 8, act: false, bn_eps: 1e-3 }, { input: map }),
  Conv: moduleScene("Conv", { c1: 8, c2: 8, k: 3, bn_eps: 1e-3 }, { input: map }),
  UIB: moduleScene("UIB", { cin: 8, cout: 8, k0: 3, k1: 3, stride: 1, expand: 2 }, { input: map }),
  FusedIB: moduleScene("FusedIB", { cin: 8, cout: 8, stride: 1, expand: 2 }, { input: map }),
  RepConv: moduleScene("RepConv", { channels: 8, bn_eps: 1e-3 }, { input: map }),
  RepC3: moduleScene("RepC3", { c1: 8, c2: 16, n: 1, e: 0.5, bn_eps: 1e-3 }, { input: map }),
  Concat: moduleScene("Concat", { dimension: 1 }, { "x.0": map, "x.1": normal("other", [1, 8, 12, 12]) }),
  MultiQueryAttention: moduleScene(
    "MultiQueryAttention",
    { channels: 8, heads: 4, dim: 16, kv_stride: 2 },
    { input: normal("square", [1, 8, 8, 8], 1.5, 0.3) },
  ),
  AttentionBlock: moduleScene(
    "AttentionBlock",
    { channels: 8, heads: 4, dim: 16, kv_stride: 1 },
    { input: normal("square", [1, 8, 6, 6], 1.5, 0.3) },
  ),
  MultiheadAttention: moduleScene(
    "MultiheadAttention",
    { embed_dim: 32, num_heads: 4, batch_first: true },
    { query: tokens, key: normal("keys", [2, 20, 32]), value: normal("values", [2, 20, 32]) },
  ),
  scaled_dot_product_attention: operator(
    "scaled_dot_product_attention",
    {},
    { query: normal("q", [1, 4, 10, 8]), key: normal("k", [1, 4, 12, 8]), value: normal("v", [1, 4, 12, 8]) },
  ),
  AIFI: moduleScene("AIFI", { c1: 32, cm: 64, num_heads: 4 }, { input: normal("aifi", [1, 32, 4, 4]) }),
  MLP: moduleScene("MLP", { widths: [32, 32, 4] }, { input: tokens }),
  MSDeformAttn: moduleScene(
    "MSDeformAttn",
    { d_model: 32, n_levels: 3, n_heads: 4, n_points: 2, shapes: levels },
    { query: normal("queries", [1, 10, 32]), refer_bbox: boxes, value: normal("memory", [1, 84, 32]) },
  ),
  interpolate: operator(
    "interpolate",
    { scale_factor: 2, mode: "bilinear", align_corners: false },
    { input: map },
  ),
  "nearest interpolate": operator("interpolate", { scale_factor: 2, mode: "nearest" }, { input: map }),
  Upsample: moduleScene("Upsample", { scale_factor: 2, mode: "nearest" }, { input: map }),
  grid_sample: operator(
    "grid_sample",
    { mode: "bilinear", padding_mode: "zeros", align_corners: false },
    { input: map, grid: uniform("grid", [1, 9, 7, 2], -1.2, 1.2) },
  ),
  ms_deform_attn: operator(
    "ms_deform_attn",
    { value_spatial_shapes: levels },
    {
      value: normal("val", [1, 84, 4, 8]),
      sampling_locations: uniform("at", [1, 10, 4, 3, 2, 2], -0.1, 1.1),
      attention_weights: uniform("share", [1, 10, 4, 3, 2]),
    },
  ),
  RTDETRDecoder: moduleScene(
    "RTDETRDecoder",
    { nc: 5, ch: [8, 8], hd: 8, nq: 8, ndp: 2, nh: 2, ndl: 2, d_ffn: 16 },
    { "x.0": normal("p3", [1, 8, 52, 2]), "x.1": normal("p4", [1, 8, 3, 2]) },
  ),
};

/** Pairs of names that do the very same in a scene: either may be first. */
const ALIKE: readonly (readonly [string, string])[] = [
  // Where the input's sides are even, TensorFlow's SAME is the window that begins at pixel 1.
  ["stride-offset", "padding-sides"],
  // An attention block has one BatchNorm, its input norm.
  ["layer-scale", "batch-norm-missing"],
  // RepConv's branches are convolutions without an activation of their own.
  ["rep-conv", "activation-added"],
  // On a square map a grid with x and y exchanged reads what the map's transpose has.
  ["layout", "sampling-axes"],
];

for (const [title, scene] of Object.entries(SCENES)) {
  describe(title, () => {
    const problem = problemIn(scene);
    const right = rightIn(scene);
    for (const mistake of MISTAKES) {
      for (const { change, says } of mistake.guesses(problem)) {
        const wrong = problem.run([change]);
        // A negative variance makes all NaN: nothing can be told of that.
        if (!wrong?.data.some(Number.isFinite)) continue;
        const differs =
          wrong.shape.join() !== right.shape.join() ||
          wrong.data.some(
            (v, i) => !(Math.abs(v - Number(right.data[i])) <= 2e-4 + 1e-4 * Math.abs(Number(right.data[i]))),
          );
        if (!differs) continue;
        it(`${mistake.name}: ${says}`, () => {
          const found = diagnosed(scene, hostOf(wrong));
          const alike = ALIKE.filter((pair) => pair.includes(mistake.name)).flat();
          const context = JSON.stringify(
            found.map(({ mistake: m, because }) => [m, because]),
            null,
            1,
          );
          expect([mistake.name, ...alike], context).toContain(found[0]?.mistake);
          expect(found[0].explains, context).toBeGreaterThan(0.99);
        });
      }
    }
  });
}

describe("nothing is said", () => {
  it.each(Object.keys(SCENES))("of rounding in %s", (title) => {
    expect(diagnosed(SCENES[title], rightIn(SCENES[title]))).toEqual([]);
  });
});
