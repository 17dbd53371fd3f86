/** What the operators refuse, and what they say. */
import { describe, expect, it } from "vitest";
import { MobileDetrError } from "../../src/errors.ts";
import * as F from "../../src/ops/index.ts";
import { full } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const t = (...shape: number[]): Tensor => full(shape, 1);
const i32 = (...shape: number[]): Tensor => full(shape, 1, { dtype: "i32" });
const image = t(2, 6, 8, 7);
const odd = (v: unknown): never => v as never;

describe("a wrong argument is refused with what was expected and what came", () => {
  it.each<[string, () => unknown, string]>([
    // conv2d
    [
      "conv2d",
      () => F.conv2d(t(6, 8, 7), t(4, 6, 3, 3)),
      "conv2d: expected x [N, C, H, W], got shape [6, 8, 7]",
    ],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 6, 3)),
      "conv2d: expected weight [O, C/groups, kh, kw], got shape [4, 6, 3]",
    ],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 5, 3, 3)),
      "conv2d: expected weight [4, 6, kh, kw] for 6 channels in 1 group(s), got [4, 5, 3, 3]",
    ],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 2, 3, 3), undefined, { groups: 4 }),
      "conv2d: expected groups that divide 6 input and 4 output channels, got 4",
    ],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 2, 3, 3), undefined, { groups: 3 }),
      "groups that divide 6 input and 4 output channels, got 3",
    ],
    ["conv2d", () => F.conv2d(image, t(4, 6, 1, 1), undefined, { groups: 0 }), "groups that divide"],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 6, 9, 3)),
      "conv2d: expected an input of at least 9 x 3 (the kernel's reach) after padding, got 8 x 7",
    ],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 6, 3, 3), undefined, { dilation: 4 }),
      "at least 9 x 9 (the kernel's reach) after padding, got 8 x 7",
    ],
    ["conv2d", () => F.conv2d(image, t(4, 6, 3, 3), t(3)), "conv2d: expected bias of shape [4], got [3]"],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 6, 3, 3), t(4, 1)),
      "conv2d: expected bias of shape [4], got [4, 1]",
    ],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 6, 3, 3), undefined, { stride: 0 }),
      "conv2d: expected stride: a whole number >= 1, or two for height and width, got 0",
    ],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 6, 3, 3), undefined, { padding: -1 }),
      "conv2d: expected padding: a whole number >= 0",
    ],
    [
      "conv2d",
      () => F.conv2d(image, t(4, 6, 3, 3), undefined, { dilation: odd([1, 2, 3]) }),
      "dilation: a whole number >= 1, or two for height and width, got [1,2,3]",
    ],
    ["conv2d", () => F.conv2d(image, t(4, 6, 3, 3), undefined, { stride: 1.5 }), "got 1.5"],
    [
      "conv2d",
      () => F.conv2d(image, t(0, 6, 3, 3)),
      "conv2d: expected weight without empty dimensions, got [0, 6, 3, 3]",
    ],
    [
      "conv2d",
      () => F.conv2d(t(1, 6, 0, 7), t(4, 6, 1, 1)),
      "conv2d: expected x without empty dimensions after the first, got [1, 6, 0, 7]",
    ],
    ["conv2d", () => F.conv2d(i32(1, 6, 3, 3), t(4, 6, 1, 1)), "conv2d: expected x of dtype f32, got i32"],
    ["conv2d", () => F.conv2d(image, i32(4, 6, 1, 1)), "conv2d: expected weight of dtype f32, got i32"],
    // products
    [
      "linear",
      () => F.linear(t(2, 5), t(3, 4)),
      "linear: expected x [..., 4] for weight [3, 4], got shape [2, 5]",
    ],
    ["linear", () => F.linear(t(2, 4), t(4)), "linear: expected weight [N, K], got shape [4]"],
    ["linear", () => F.linear(t(), t(3, 4)), "linear: expected x [..., 4]"],
    ["linear", () => F.linear(t(2, 4), t(3, 4), t(4)), "linear: expected bias of shape [3], got [4]"],
    [
      "matmul",
      () => F.matmul(t(2, 3), t(2, 3)),
      "matmul: expected as many columns in a as rows in b, got a [2, 3] and b [2, 3]",
    ],
    [
      "matmul",
      () => F.matmul(t(3), t(4)),
      "matmul: expected as many columns in a as rows in b, got a [3] and b [4]",
    ],
    [
      "matmul",
      () => F.matmul(t(), t(3)),
      "matmul: expected tensors of at least one dimension, got [] and [3]",
    ],
    [
      "matmul",
      () => F.matmul(t(2, 4, 5), t(3, 5, 6)),
      "matmul: expected shapes that broadcast (equal or 1 from the right), got [2] and [3]",
    ],
    // norms
    ["batchNorm", () => F.batchNorm(t(6), t(6), t(6)), "batchNorm: expected x [N, C, ...], got shape [6]"],
    [
      "batchNorm",
      () => F.batchNorm(image, t(5), t(6)),
      "batchNorm: expected runningMean of shape [6], got [5]",
    ],
    [
      "batchNorm",
      () => F.batchNorm(image, t(6), t(6, 1)),
      "batchNorm: expected runningVar of shape [6], got [6, 1]",
    ],
    [
      "batchNorm",
      () => F.batchNorm(image, t(6), t(6), t(7)),
      "batchNorm: expected weight of shape [6], got [7]",
    ],
    [
      "batchNorm",
      () => F.batchNorm(image, t(6), t(6), t(6), t(7)),
      "batchNorm: expected bias of shape [6], got [7]",
    ],
    [
      "batchNorm",
      () => F.batchNorm(image, t(6), t(6), t(6), t(6), -1),
      "batchNorm: expected eps >= 0, got -1",
    ],
    [
      "layerNorm",
      () => F.layerNorm(image, 8),
      "layerNorm: expected x whose last dimensions are [8], got [2, 6, 8, 7]",
    ],
    ["layerNorm", () => F.layerNorm(image, []), "layerNorm: expected x whose last dimensions are []"],
    [
      "layerNorm",
      () => F.layerNorm(t(7), [8, 7]),
      "layerNorm: expected x whose last dimensions are [8, 7], got [7]",
    ],
    [
      "layerNorm",
      () => F.layerNorm(image, [8, 7], t(56)),
      "layerNorm: expected weight of shape [8, 7], got [56]",
    ],
    [
      "layerNorm",
      () => F.layerNorm(image, 7, undefined, t(8)),
      "layerNorm: expected bias of shape [7], got [8]",
    ],
    [
      "layerNorm",
      () => F.layerNorm(image, 7, undefined, undefined, NaN),
      "layerNorm: expected eps >= 0, got NaN",
    ],
    // element-wise
    ["relu", () => F.relu(i32(2)), "relu: expected x of dtype f32, got i32"],
    [
      "gelu",
      () => F.gelu(t(2), { approximate: odd("erf") }),
      'gelu: expected approximate: "none" or "tanh", got erf',
    ],
    ["clamp", () => F.clamp(t(2), {}), "clamp: expected a number for min, max or both, got {}"],
    ["clamp", () => F.clamp(t(2), { min: NaN }), "clamp: expected a number for min, max or both"],
    ["softmax", () => F.softmax(image, 4), "softmax: expected an axis in [-4, 4), got 4"],
    ["add", () => F.add(1, 2), "add: expected at least one tensor, got two numbers"],
    [
      "add",
      () => F.add(t(2, 3), t(2)),
      "add: expected shapes that broadcast (equal or 1 from the right), got [2, 3] and [2]",
    ],
    ["mul", () => F.mul(t(2), i32(2)), "mul: expected b of dtype f32, got i32"],
    // joining and indexing
    ["cat", () => F.cat([], 0), "cat: expected at least one tensor, got none"],
    [
      "cat",
      () => F.cat([t(), t()], 0),
      "cat: expected tensors of at least one dimension, got scalars (use stack)",
    ],
    [
      "cat",
      () => F.cat([t(2, 3), t(3, 3)], 1),
      "cat: expected tensor 1 to agree with [2, 3] but for axis 1, got [3, 3]",
    ],
    [
      "cat",
      () => F.cat([t(2, 3), t(2)], 0),
      "cat: expected tensor 1 to agree with [2, 3] but for axis 0, got [2]",
    ],
    ["cat", () => F.cat([t(2), i32(2)], 0), "cat: expected tensor 1 of dtype f32, got i32"],
    ["cat", () => F.cat([t(2)], 1), "cat: expected an axis in [-1, 1), got 1"],
    ["stack", () => F.stack([]), "stack: expected at least one tensor, got none"],
    ["stack", () => F.stack([t(2), t(3)]), "stack: expected tensor 1 of shape [2], got [3]"],
    ["stack", () => F.stack([t(2)], 2), "stack: expected an axis in [-2, 2), got 2"],
    ["gather", () => F.gather(t(2, 3), 1, t(2, 3)), "gather: expected index of dtype i32 or i64, got f32"],
    ["gather", () => F.gather(t(2, 3), 2, i32(2, 3)), "gather: expected an axis in [-2, 2), got 2"],
    [
      "gather",
      () => F.gather(t(2, 3), 1, i32(3, 3)),
      "gather: expected index of rank 2 no larger than x [2, 3] but along axis 1, got [3, 3]",
    ],
    ["gather", () => F.gather(t(2, 3), 1, i32(2)), "gather: expected index of rank 2"],
    ["gather", () => F.gather(t(), 0, i32()), "gather: expected index of rank 1"],
    ["gather", () => F.gather(t(2, 1), 1, i32(2, 2)), "gather: expected indices in [0, 1), got 1"],
    [
      "gather",
      () => F.gather(t(2, 3), 1, F.argmax(t(2, 1, 1), 2).copyFrom(full([2, 1], -1))),
      "gather: expected indices in [0, 3), got -1",
    ],
    [
      "gather",
      () => F.gather(t(2, 1, 4), 1, i32(2, 1, 1).expand(2, 1, 4)),
      "gather: expected indices in [0, 1), got 1",
    ],
    ["embedding", () => F.embedding(i32(2), t(1, 4)), "embedding: expected indices in [0, 1), got 1"],
    [
      "embedding",
      () => F.embedding(full([1], 5, { dtype: "i64" }), t(3, 4)),
      "embedding: expected indices in [0, 3), got 5",
    ],
    [
      "embedding",
      () => F.embedding(t(2), t(3, 4)),
      "embedding: expected indices of dtype i32 or i64, got f32",
    ],
    ["embedding", () => F.embedding(i32(2), t(3)), "embedding: expected weight [V, D], got shape [3]"],
    ["topk", () => F.topk(t(2, 3), 4), "topk: expected k in [0, 3], the length of axis 1, got 4"],
    ["topk", () => F.topk(t(2, 3), 3, 0), "topk: expected k in [0, 2], the length of axis 0, got 3"],
    ["topk", () => F.topk(t(2, 3), -1), "topk: expected k in [0, 3]"],
    ["topk", () => F.topk(t(2, 3), 1.5), "got 1.5"],
    ["topk", () => F.topk(t(2, 3), 1, 2), "topk: expected an axis in [-2, 2), got 2"],
    // reductions
    ["sum", () => F.sum(t(2, 3), 2), "sum: expected an axis in [-2, 2), got 2"],
    ["mean", () => F.mean(t(2, 3), [0, -2]), "mean: expected each axis once, got [0, -2]"],
    ["max", () => F.max(t(2, 0), 1), "max: expected at least one element to choose from, got shape [2, 0]"],
    ["argmax", () => F.argmax(t(0)), "argmax: expected at least one element to choose from, got shape [0]"],
    ["min", () => F.min(i32(2)), "min: expected x of dtype f32, got i32"],
    // pooling
    [
      "maxPool2d",
      () => F.maxPool2d(t(6, 8, 7), 2),
      "maxPool2d: expected x [N, C, H, W], got shape [6, 8, 7]",
    ],
    [
      "maxPool2d",
      () => F.maxPool2d(image, 9),
      "maxPool2d: expected an input of at least 9 pixels (the window's reach) after padding, got 8 in dimension 2",
    ],
    [
      "maxPool2d",
      () => F.maxPool2d(image, 3, { padding: 2 }),
      "maxPool2d: expected padding of at most half the kernel's size, 1, got 2",
    ],
    ["maxPool2d", () => F.maxPool2d(image, 0), "maxPool2d: expected kernel: a whole number >= 1"],
    [
      "maxPool2d",
      () => F.maxPool2d(image, 3, { dilation: 4 }),
      "at least 9 pixels (the window's reach) after padding, got 8",
    ],
    [
      "avgPool2d",
      () => F.avgPool2d(image, [2, 8]),
      "avgPool2d: expected an input of at least 8 pixels (the window's reach) after padding, got 7 in dimension 3",
    ],
    [
      "avgPool2d",
      () => F.avgPool2d(image, 2, { divisorOverride: 0 }),
      "avgPool2d: expected a divisorOverride that is not 0, got 0",
    ],
    [
      "adaptiveAvgPool2d",
      () => F.adaptiveAvgPool2d(image, 0),
      "adaptiveAvgPool2d: expected size: a whole number >= 1",
    ],
    [
      "adaptiveAvgPool2d",
      () => F.adaptiveAvgPool2d(t(1, 2, 0, 3), 1),
      "adaptiveAvgPool2d: expected x without empty dimensions after the first, got [1, 2, 0, 3]",
    ],
    // sampling
    [
      "interpolate",
      () => F.interpolate(image, {}),
      "interpolate: expected either size or scaleFactor, got neither",
    ],
    [
      "interpolate",
      () => F.interpolate(image, { size: 2, scaleFactor: 2 }),
      "interpolate: expected either size or scaleFactor, got both",
    ],
    [
      "interpolate",
      () => F.interpolate(image, { size: 0 }),
      "interpolate: expected size: a whole number >= 1",
    ],
    [
      "interpolate",
      () => F.interpolate(image, { scaleFactor: 0.1 }),
      "interpolate: expected an output of at least 1 x 1, got 0 x 0",
    ],
    [
      "interpolate",
      () => F.interpolate(image, { scaleFactor: -2 }),
      "interpolate: expected scaleFactor: a number > 0, or two, got -2",
    ],
    [
      "interpolate",
      () => F.interpolate(image, { size: 4, mode: odd("cubic") }),
      'interpolate: expected mode "nearest" or "bilinear", got cubic',
    ],
    [
      "interpolate",
      () => F.interpolate(image, { size: 4, alignCorners: true }),
      "interpolate: expected alignCorners with bilinear only",
    ],
    [
      "gridSample",
      () => F.gridSample(image, t(1, 3, 3, 2)),
      "gridSample: expected grid [2, Ho, Wo, 2], got [1, 3, 3, 2]",
    ],
    [
      "gridSample",
      () => F.gridSample(image, t(2, 3, 3, 3)),
      "gridSample: expected grid [2, Ho, Wo, 2], got [2, 3, 3, 3]",
    ],
    [
      "gridSample",
      () => F.gridSample(image, t(2, 3, 2)),
      "gridSample: expected grid [N, Ho, Wo, 2], got shape [2, 3, 2]",
    ],
    [
      "gridSample",
      () => F.gridSample(image, t(2, 3, 3, 2), { mode: odd("bicubic") }),
      'gridSample: expected mode "bilinear" or "nearest", got bicubic',
    ],
    [
      "gridSample",
      () => F.gridSample(image, t(2, 3, 3, 2), { paddingMode: odd("reflection") }),
      'gridSample: expected paddingMode "zeros" or "border", got reflection',
    ],
    [
      "deformableAttention",
      () =>
        F.deformableAttention(
          t(1, 13, 3, 4),
          [
            [3, 4],
            [1, 2],
          ],
          t(1, 5, 3, 2, 2, 2),
          t(1, 5, 3, 2, 2),
        ),
      "deformableAttention: expected value of 14 tokens, the sum of the maps [[3,4],[1,2]], got 13",
    ],
    [
      "deformableAttention",
      () =>
        F.deformableAttention(
          t(1, 14, 3, 4),
          [
            [3, 4],
            [1, 2],
          ],
          t(1, 5, 3, 2, 2, 2),
          t(1, 5, 3, 3, 2),
        ),
      "deformableAttention: expected weights [1, Q, 3, 2, P], after value and shapes, got [1, 5, 3, 3, 2]",
    ],
    [
      "deformableAttention",
      () =>
        F.deformableAttention(
          t(1, 14, 3, 4),
          [
            [3, 4],
            [1, 2],
          ],
          t(1, 5, 3, 2, 3, 2),
          t(1, 5, 3, 2, 2),
        ),
      "deformableAttention: expected locations [1, 5, 3, 2, 2, 2], got [1, 5, 3, 2, 3, 2]",
    ],
    [
      "deformableAttention",
      () => F.deformableAttention(t(1, 12, 3, 4), [[3, 0]], t(1, 5, 3, 1, 2, 2), t(1, 5, 3, 1, 2)),
      "deformableAttention: expected shapes[0]: a whole number >= 1",
    ],
  ])("%s %#", (_name, act, message) => {
    expect(act).toThrow(MobileDetrError);
    expect(act).toThrow(message);
  });
});
