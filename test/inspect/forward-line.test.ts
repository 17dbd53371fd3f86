/** The PyTorch line of a module: with its own arguments, as Python writes them. */
import { describe, expect, it } from "vitest";
import { forwardLine } from "../../src/inspect/index.ts";
import {
  AdaptiveAvgPool2d,
  type AnyModule,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  Embedding,
  Identity,
  LayerNorm,
  Linear,
  MaxPool2d,
  Module,
  MultiheadAttention,
  Sequential,
  Upsample,
} from "../../src/nn/index.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const line = (module: unknown): string => forwardLine(module as AnyModule);

describe("forwardLine", () => {
  it("has what the module was made with", () => {
    const conv = new Conv2d(4, 6, [3, 5], {
      stride: 2,
      padding: [1, 2],
      dilation: [1, 3],
      groups: 2,
      bias: false,
    });
    expect(line(conv)).toBe(
      "F.conv2d(input, weight, None, stride=(2, 2), padding=(1, 2), dilation=(1, 3), groups=2)",
    );
    expect(line(new Conv2d(1, 1, 3, { padding: "same" }))).toBe(
      'F.conv2d(input, weight, bias, stride=(1, 1), padding="same", dilation=(1, 1), groups=1)',
    );
    expect(line(new Linear(2, 3))).toBe("F.linear(input, weight, bias)");
    expect(line(new Linear(2, 3, { bias: false }))).toBe("F.linear(input, weight)");
    expect(line(new BatchNorm2d(4, { eps: 1e-3 }))).toBe(
      "F.batch_norm(input, running_mean, running_var, weight, bias, eps=0.001)",
    );
    expect(line(new LayerNorm(8))).toBe("F.layer_norm(input, (8,), weight, bias, eps=1e-05)");
    expect(line(new LayerNorm([2, 8]))).toBe("F.layer_norm(input, (2, 8), weight, bias, eps=1e-05)");
    expect(line(new MultiheadAttention(24, 3))).toMatch(/ {2}# 3 heads of 8$/);
    expect(line(new Upsample({ scaleFactor: 2 }))).toBe(
      'F.interpolate(input, scale_factor=2.0, mode="nearest")',
    );
    expect(line(new AvgPool2d(2))).toBe("F.avg_pool2d(input, kernel_size=2, stride=2, padding=0)");
    expect(line(new MaxPool2d(3, { stride: 1 }))).toMatch(/^F\.max_pool2d\(input, kernel_size=3, stride=1, /);
    expect(line(new AdaptiveAvgPool2d(1))).toBe("F.adaptive_avg_pool2d(input, output_size=1)");
  });

  it("of containers and tables as they compute; of others what they print", () => {
    class Other extends Module {
      override forward(x: Tensor): Tensor {
        return x;
      }

      override extraRepr(): string {
        return "width=3";
      }
    }
    expect(line(new Sequential([]))).toBe("for module in self: input = module(input)");
    expect(line(new Embedding(3, 4))).toBe("F.embedding(input, weight)");
    expect(line(new Identity())).toBe("input");
    expect(line(new Other())).toBe("Other(width=3)");
  });
});
