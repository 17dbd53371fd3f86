/**
 * Batch normalisation of feature maps, as torch.nn.BatchNorm2d in evaluation: with the running statistics, or, where
 * none are kept, with those of the batch at hand.
 *
 * QUIRK: prints `bias=` as PyTorch 2.13 does; older releases had neither the option nor the word.
 */
import { batchNorm, mean, mul, sub } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts } from "./arguments.ts";
import { BufferTensor, Module, Parameter } from "./module.ts";
import { pyBool, pyFloat } from "./python-repr.ts";

/** Options of {@link BatchNorm2d}, with PyTorch's defaults. */
export interface BatchNorm2dOptions {
  /** 1e-5; added to the variance. */
  readonly eps?: number;
  /** 0.1; how fast training would move the statistics (null: a plain mean). Printed, and of no other use here. */
  readonly momentum?: number | null;
  /** true: has weight and bias. */
  readonly affine?: boolean;
  /** true: has running statistics. */
  readonly trackRunningStats?: boolean;
  /** true: has a bias, where it is affine. */
  readonly bias?: boolean;
}

/** x [N, C, H, W] to (x - mean) / sqrt(var + eps) * weight + bias per channel; everything else is [C]. */
export class BatchNorm2d extends Module {
  /** [C]; absent where not affine. */
  weight?: Parameter;
  /** [C]. */
  bias?: Parameter;
  /** [C]; absent where none are kept: then the batch at hand is measured. */
  running_mean?: BufferTensor;
  /** [C]; the unbiased variance. */
  running_var?: BufferTensor;
  /** i64, a scalar; not used at inference, but part of every checkpoint. */
  num_batches_tracked?: BufferTensor;
  readonly numFeatures: number;
  /** May be set later: networks change it after they are built. */
  eps: number;
  /** Printed, and of no other use here. */
  momentum: number | null;
  readonly affine: boolean;
  readonly trackRunningStats: boolean;

  constructor(numFeatures: number, options: BatchNorm2dOptions = {}) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, bias = true } = options;
    checkInts("BatchNorm2d", { numFeatures }, 1);
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.momentum = momentum;
    this.affine = affine;
    this.trackRunningStats = trackRunningStats;
    if (affine) this.weight = Parameter.ofShape(numFeatures);
    if (affine && bias) this.bias = Parameter.ofShape(numFeatures);
    if (trackRunningStats) {
      this.running_mean = BufferTensor.ofShape([numFeatures]);
      this.running_var = BufferTensor.ofShape([numFeatures]);
      this.num_batches_tracked = BufferTensor.ofShape([], "i64");
    }
  }

  forward(x: Tensor): Tensor {
    x.dims4("BatchNorm2d");
    const { running_mean, running_var, weight, bias, eps } = this;
    if (running_mean && running_var) return batchNorm(x, running_mean, running_var, weight, bias, eps);
    const { mean, variance } = batchStatistics(x);
    return batchNorm(x, mean, variance, weight, bias, eps);
  }

  override extraRepr(): string {
    const parts = [
      `${this.numFeatures}, eps=${pyFloat(this.eps)}`,
      `momentum=${this.momentum === null ? "None" : pyFloat(this.momentum)}`,
      `affine=${pyBool(this.affine)}`,
      `bias=${pyBool(this.bias !== undefined)}`,
      `track_running_stats=${pyBool(this.trackRunningStats)}`,
    ];
    return parts.join(", ");
  }
}

/** Mean and biased variance of each channel of x [N, C, H, W], both [C]. */
function batchStatistics(x: Tensor): { mean: Tensor; variance: Tensor } {
  const rows = x.permute(1, 0, 2, 3).reshape(x.shape[1], -1); // [C, N*H*W]
  const average = mean(rows, 1);
  const off = sub(rows, average.unsqueeze(1));
  return { mean: average, variance: mean(mul(off, off), 1) };
}
