/** Max pooling, as torch.nn.MaxPool2d; it does not return indices. */
import { maxPool2d } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts, type NumberOrPair } from "./arguments.ts";
import { Module } from "./module.ts";
import { pyBool, pyInts } from "./python-repr.ts";

/** Options of {@link MaxPool2d}, with PyTorch's defaults. */
export interface MaxPool2dOptions {
  /** The kernel size. */
  readonly stride?: NumberOrPair;
  /** 0; at most half the kernel. */
  readonly padding?: NumberOrPair;
  /** 1. */
  readonly dilation?: NumberOrPair;
  /** false: a window that does not fit is left out; true: it is cut. */
  readonly ceilMode?: boolean;
}

/** x [N, C, H, W] to [N, C, Ho, Wo]: the greatest of each window; padding never wins. */
export class MaxPool2d extends Module {
  readonly kernelSize: NumberOrPair;
  readonly stride: NumberOrPair;
  readonly padding: NumberOrPair;
  readonly dilation: NumberOrPair;
  /** true: a window that does not fit is cut, not left out. */
  readonly ceilMode: boolean;

  constructor(kernelSize: NumberOrPair, options: MaxPool2dOptions = {}) {
    super();
    const { stride = kernelSize, padding = 0, dilation = 1, ceilMode = false } = options;
    checkInts("MaxPool2d", { kernelSize, stride, dilation }, 1);
    checkInts("MaxPool2d", { padding }, 0);
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.ceilMode = ceilMode;
  }

  forward(x: Tensor): Tensor {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    return maxPool2d(x, kernelSize, { stride, padding, dilation, ceilMode });
  }

  override extraRepr(): string {
    const { kernelSize, stride, padding, dilation } = this;
    const [k, s, p, d] = [kernelSize, stride, padding, dilation].map((v) => pyInts(v));
    return `kernel_size=${k}, stride=${s}, padding=${p}, dilation=${d}, ceil_mode=${pyBool(this.ceilMode)}`;
  }
}
