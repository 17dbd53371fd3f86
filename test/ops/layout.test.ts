/** How results lie in memory: what convolutions, element-wise functions and joins promise beyond their values. */
import { describe, expect, it } from "vitest";
import * as F from "../../src/ops/index.ts";
import { arange, full } from "../../src/tensor/create.ts";

const image = arange(2 * 6 * 4 * 5).reshape(2, 6, 4, 5);
const last = image.contiguous("channels_last");

describe("layout of results", () => {
  it("images come out channels_last whatever came in", () => {
    for (const x of [image, last]) {
      for (const y of [
        F.conv2d(x, full([3, 6, 3, 3], 1)),
        F.maxPool2d(x, 2),
        F.interpolate(x, { size: 3 }),
      ]) {
        expect(y.isContiguous("channels_last")).toBe(true);
      }
    }
  });

  it("element-wise results keep the axis order and lose the gaps", () => {
    expect(F.relu(last).strides).toEqual(last.strides);
    expect(F.relu(arange(24).reshape(4, 6).slice(1, 0, 6, 2).transpose(0, 1)).strides).toEqual([1, 3]);
    expect(F.softmax(last, 1).isDense()).toBe(true);
    expect(F.batchNorm(last, full([6], 0), full([6], 1)).strides).toEqual(last.strides);
  });

  it("a binary result follows the first operand of the full shape", () => {
    const vector = full([6, 1, 1], 1);
    expect(F.add(vector, last).strides).toEqual(last.strides);
    expect(F.add(image, last).strides).toEqual(image.strides);
    expect(F.add(last, image).strides).toEqual(last.strides);
    expect(F.mul(full([3, 1], 1), full([1, 4], 1)).strides).toEqual([4, 1]);
    expect(F.sub(2, last).strides).toEqual(last.strides);
  });

  it("cat is channels_last only where all inputs are", () => {
    expect(F.cat([last, last], 1).isContiguous("channels_last")).toBe(true);
    expect(F.cat([last, image], 1).isContiguous()).toBe(true);
    expect(F.cat([image, image], 1).isContiguous()).toBe(true);
  });

  it("matrix products, norms over the last dimension, indexing and reductions are row-major", () => {
    const tokens = last.flatten(2).permute(0, 2, 1);
    expect(F.linear(tokens, full([3, 6], 1)).isContiguous()).toBe(true);
    expect(F.layerNorm(tokens, 6).isContiguous()).toBe(true);
    expect(F.matmul(tokens.transpose(1, 2), tokens).isContiguous()).toBe(true);
    expect(F.topk(tokens, 2, 1).values.isContiguous()).toBe(true);
    expect(F.sum(last, 1).isContiguous()).toBe(true);
  });

  it("inputs are never changed", () => {
    const before = last.clone();
    F.relu(last);
    F.add(last, 1);
    F.batchNorm(last, full([6], 0), full([6], 1));
    F.softmax(last, 1);
    expect(last.toArray()).toEqual(before.toArray());
  });
});
