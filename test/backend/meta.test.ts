/** Shapes without memory, and the count of multiply-adds. */
import { beforeEach, describe, expect, it } from "vitest";
import { createMetaBackend, type MetaBackend, metaBackend } from "../../src/backend/meta.ts";
import * as F from "../../src/ops/index.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

let meta: MetaBackend;
beforeEach(() => {
  meta = createMetaBackend();
});
const t = (...shape: number[]): Tensor => Tensor.empty(meta, shape);

describe("multiply-adds", () => {
  it("of a convolution: output elements times (C/groups) * kh * kw", () => {
    F.conv2d(t(2, 6, 9, 7), t(4, 3, 3, 5), t(4), { groups: 2, padding: [1, 2], stride: 2 });
    expect(meta.multiplyAdds).toBe(2 * 4 * 5 * 4 * 3 * 3 * 5);
    expect([...meta.byOp]).toEqual([["conv2d", meta.multiplyAdds]]);
  });

  it("of linear and matmul: output elements times inner length", () => {
    F.linear(t(2, 5, 7), t(3, 7), t(3));
    expect(meta.byOp.get("linear")).toBe(2 * 5 * 3 * 7);
    F.matmul(t(2, 1, 4, 5), t(3, 5, 6));
    expect(meta.byOp.get("matmul")).toBe(2 * 3 * 4 * 6 * 5);
    F.matmul(t(9), t(9));
    expect(meta.byOp.get("matmul")).toBe(2 * 3 * 4 * 6 * 5 + 9);
    expect(meta.multiplyAdds).toBe(210 + 729);
  });

  it("of sampling: 4 per element of a bilinear grid, 5 per query, head, level, point and channel", () => {
    F.gridSample(t(2, 3, 5, 5), t(2, 4, 6, 2));
    expect(meta.multiplyAdds).toBe(2 * 3 * 4 * 6 * 4);
    F.gridSample(t(2, 3, 5, 5), t(2, 4, 6, 2), { mode: "nearest" });
    expect(meta.multiplyAdds).toBe(576);
    F.deformableAttention(
      t(1, 14, 3, 4),
      [
        [3, 4],
        [1, 2],
      ],
      t(1, 5, 3, 2, 2, 2),
      t(1, 5, 3, 2, 2),
    );
    expect(meta.byOp.get("deformableAttention")).toBe(5 * 3 * 2 * 2 * 4 * 5);
  });

  it("of everything else is nothing, and shapes come out as with numbers", () => {
    const x = t(2, 6, 8, 8);
    const outs = [
      F.relu(x),
      F.add(x, 1),
      F.mul(x, t(6, 1, 1)),
      F.clamp(x, { min: 0 }),
      F.softmax(x, 1),
      F.batchNorm(x, t(6), t(6), t(6), t(6)),
      F.layerNorm(x, 8, t(8), t(8)),
      F.cat([x, x], 1),
      F.stack([x, x]),
      F.sum(x),
      F.max(x, [1, 2], { keepdim: true }),
      F.argmax(x, 1),
      F.topk(x, 3).indices,
      F.maxPool2d(x, 2),
      F.avgPool2d(x, 3, { stride: 2, padding: 1 }),
      F.adaptiveAvgPool2d(x, 1),
      F.interpolate(x, { scaleFactor: 2 }),
      F.gather(x, 1, Tensor.empty(meta, [2, 1, 8, 8], "i32")),
      F.embedding(Tensor.empty(meta, [3], "i64"), t(9, 4)),
      x.permute(0, 2, 3, 1).reshape(-1),
      x.contiguous("channels_last"),
    ];
    expect(meta.multiplyAdds).toBe(0);
    expect(outs.map((o) => o.shape.join("x"))).toEqual([
      "2x6x8x8",
      "2x6x8x8",
      "2x6x8x8",
      "2x6x8x8",
      "2x6x8x8",
      "2x6x8x8",
      "2x6x8x8",
      "2x12x8x8",
      "2x2x6x8x8",
      "",
      "2x1x1x8",
      "2x8x8",
      "2x6x8x3",
      "2x6x4x4",
      "2x6x4x4",
      "2x6x1x1",
      "2x6x16x16",
      "2x1x8x8",
      "3x4",
      "768",
      "2x6x8x8",
    ]);
    for (const o of outs) expect(o.backend).toBe(meta);
  });
});

describe("a meta tensor", () => {
  it("has no numbers, and says what to do", () => {
    expect(() => t(2, 3).toArray()).toThrow(
      "meta tensor: expected numbers, got 6 elements of f32 that have a shape and no numbers (load weights first)",
    );
    expect(() => t(1).item()).toThrow(/load weights first/);
  });

  it("of the shared backend goes with one of a counting backend, which gets the result and the count", () => {
    const weight = Tensor.empty(metaBackend, [4, 6]);
    const before = metaBackend.multiplyAdds;
    expect(F.linear(t(2, 6), weight).backend).toBe(meta);
    expect(F.add(weight, t(4, 6)).backend).toBe(meta);
    expect(meta.multiplyAdds).toBe(48);
    expect(metaBackend.multiplyAdds).toBe(before);
  });
});
