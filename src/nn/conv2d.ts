/** 2-d convolution, as torch.nn.Conv2d. */
import type { Pair } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { conv2d } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts, type NumberOrPair, toPair } from "./arguments.ts";
import { Module, Parameter } from "./module.ts";
import { pyInts } from "./python-repr.ts";

/** Options of {@link Conv2d}, with PyTorch's defaults. */
export interface Conv2dOptions {
  /** 1. */
  readonly stride?: NumberOrPair;
  /** 0; "valid" is 0, "same" keeps height and width (stride 1 only). */
  readonly padding?: NumberOrPair | "same" | "valid";
  /** 1. */
  readonly dilation?: NumberOrPair;
  /** 1; divides both channel counts. `groups = inChannels` is a depthwise convolution. */
  readonly groups?: number;
  /** true. */
  readonly bias?: boolean;
  /** Only "zeros". */
  readonly paddingMode?: string;
}

/**
 * x [N, Cin, H, W] to [N, Cout, Ho, Wo], Ho = floor((H + 2*padding - dilation*(kernel - 1) - 1) / stride) + 1.
 * weight [Cout, Cin/groups, kh, kw], bias [Cout].
 */
export class Conv2d extends Module {
  /** [Cout, Cin / groups, kh, kw]. */
  weight: Parameter;
  /** [Cout]. */
  bias?: Parameter;
  readonly inChannels: number;
  readonly outChannels: number;
  /** (height, width), as all pairs here. */
  readonly kernelSize: Pair;
  readonly stride: Pair;
  /** Zeros on each side. */
  readonly padding: Pair | "same" | "valid";
  readonly dilation: Pair;
  /** Runs of consecutive channels, each with its own filters. */
  readonly groups: number;

  /** Without numbers until loaded. Throws "argument" for sizes below 1 and for channels that the groups do not divide. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: NumberOrPair,
    options: Conv2dOptions = {},
  ) {
    super();
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, paddingMode = "zeros" } = options;
    checkInts("Conv2d", { inChannels, outChannels, kernelSize, stride, dilation, groups }, 1);
    if (padding !== "same" && padding !== "valid") checkInts("Conv2d", { padding }, 0);
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      fail(
        "argument",
        "Conv2d",
        `channel counts that ${groups} groups divide`,
        `${inChannels} and ${outChannels}`,
      );
    }
    if (paddingMode !== "zeros") {
      fail("argument", "Conv2d", 'paddingMode "zeros", the only one there is', JSON.stringify(paddingMode));
    }
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = toPair(kernelSize);
    this.stride = toPair(stride);
    this.padding = typeof padding === "string" ? padding : toPair(padding);
    this.dilation = toPair(dilation);
    this.groups = groups;
    if (padding === "same" && this.stride.some((s) => s !== 1)) {
      fail("argument", "Conv2d", 'stride 1 with padding "same"', `stride ${pyInts(this.stride)}`);
    }
    this.weight = Parameter.ofShape(outChannels, inChannels / groups, ...this.kernelSize);
    if (bias) this.bias = Parameter.ofShape(outChannels);
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, stride, padding, dilation, groups } = this;
    if (padding === "same") return this.#same(x);
    return conv2d(x, weight, bias, {
      stride,
      padding: padding === "valid" ? 0 : padding,
      dilation,
      groups,
    });
  }

  /** Where the padding is odd, PyTorch puts the greater half behind: pad both sides by it, drop the first row/column. */
  #same(x: Tensor): Tensor {
    const { weight, bias, stride, kernelSize, dilation, groups } = this;
    const [rows, columns] = [0, 1].map((i) => dilation[i] * (kernelSize[i] - 1));
    const padding: Pair = [Math.ceil(rows / 2), Math.ceil(columns / 2)];
    const y = conv2d(x, weight, bias, { stride, padding, dilation, groups });
    return y.slice(2, rows % 2).slice(3, columns % 2);
  }

  override extraRepr(): string {
    const { padding, dilation, groups } = this;
    const parts = [
      `${this.inChannels}, ${this.outChannels}, kernel_size=${pyInts(this.kernelSize)}`,
      `stride=${pyInts(this.stride)}`,
    ];
    if (typeof padding === "string") parts.push(`padding=${padding}`);
    else if (padding.some((p) => p !== 0)) parts.push(`padding=${pyInts(padding)}`);
    if (dilation.some((d) => d !== 1)) parts.push(`dilation=${pyInts(dilation)}`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (!this.bias) parts.push("bias=False");
    return parts.join(", ");
  }
}
