/**
 * Normalisation over the last dimensions, as torch.nn.LayerNorm.
 *
 * QUIRK: prints `bias=` as PyTorch 2.13 does; older releases did not.
 */
import { layerNorm } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts } from "./arguments.ts";
import { Module, Parameter } from "./module.ts";
import { pyBool, pyFloat, pyInts } from "./python-repr.ts";

/** Options of {@link LayerNorm}, with PyTorch's defaults. */
export interface LayerNormOptions {
  /** 1e-5; added to the variance. */
  readonly eps?: number;
  /** true: has weight and bias. */
  readonly elementwiseAffine?: boolean;
  /** true: has a bias, where it is affine. */
  readonly bias?: boolean;
}

/** x [..., *normalizedShape] to (x - mean) / sqrt(var + eps) * weight + bias, biased variance; weight, bias of that shape. */
export class LayerNorm extends Module {
  /** Of shape `normalizedShape`; absent where not affine. */
  weight?: Parameter;
  /** Of shape `normalizedShape`. */
  bias?: Parameter;
  /** Sizes of the last dimensions, over which mean and variance are taken. */
  readonly normalizedShape: readonly number[];
  /** Added to the variance. */
  eps: number;
  readonly elementwiseAffine: boolean;

  /** A number stands for the last dimension alone. */
  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    super();
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options;
    const shape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    for (const size of shape) checkInts("LayerNorm", { normalizedShape: size }, 1);
    this.normalizedShape = shape;
    this.eps = eps;
    this.elementwiseAffine = elementwiseAffine;
    if (elementwiseAffine) this.weight = Parameter.ofShape(...shape);
    if (elementwiseAffine && bias) this.bias = Parameter.ofShape(...shape);
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.normalizedShape, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    const shape = pyInts(this.normalizedShape);
    const affine = pyBool(this.elementwiseAffine);
    const bias = pyBool(this.bias !== undefined);
    return `${shape}, eps=${pyFloat(this.eps)}, elementwise_affine=${affine}, bias=${bias}`;
  }
}
