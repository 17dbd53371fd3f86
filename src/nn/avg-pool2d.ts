/** Average pooling, as torch.nn.AvgPool2d. */
import { avgPool2d } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts, type NumberOrPair } from "./arguments.ts";
import { Module } from "./module.ts";
import { pyInts } from "./python-repr.ts";

/** Options of {@link AvgPool2d}, with PyTorch's defaults. */
export interface AvgPool2dOptions {
  /** The kernel size. */
  readonly stride?: NumberOrPair;
  /** 0; at most half the kernel. */
  readonly padding?: NumberOrPair;
  /** false: a window that does not fit is left out; true: it is cut. */
  readonly ceilMode?: boolean;
  /** true: padding counts in the average. */
  readonly countIncludePad?: boolean;
  /** Divides by this instead of the number of elements. */
  readonly divisorOverride?: number;
}

/** x [N, C, H, W] to [N, C, Ho, Wo]: averages of windows. */
export class AvgPool2d extends Module {
  readonly kernelSize: NumberOrPair;
  readonly stride: NumberOrPair;
  readonly padding: NumberOrPair;
  /** true: a window that does not fit is cut, not left out. */
  readonly ceilMode: boolean;
  /** Whether padding counts in the average. */
  readonly countIncludePad: boolean;
  /** Divides in the place of the number of elements. */
  readonly divisorOverride?: number;

  constructor(kernelSize: NumberOrPair, options: AvgPool2dOptions = {}) {
    super();
    const { stride = kernelSize, padding = 0, ceilMode = false } = options;
    checkInts("AvgPool2d", { kernelSize, stride }, 1);
    checkInts("AvgPool2d", { padding }, 0);
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
    this.ceilMode = ceilMode;
    this.countIncludePad = options.countIncludePad ?? true;
    this.divisorOverride = options.divisorOverride;
  }

  forward(x: Tensor): Tensor {
    const { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    return avgPool2d(x, kernelSize, { stride, padding, ceilMode, countIncludePad, divisorOverride });
  }

  override extraRepr(): string {
    const [kernel, stride, padding] = [this.kernelSize, this.stride, this.padding].map((v) => pyInts(v));
    return `kernel_size=${kernel}, stride=${stride}, padding=${padding}`;
  }
}
