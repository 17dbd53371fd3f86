/** Softmax along a dimension, as torch.nn.Softmax. */
import { softmax } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** exp(x) / sum(exp(x)) along `dim`; same shape. QUIRK: PyTorch's deprecated guess of a dimension is not offered. */
export class Softmax extends Module {
  /** Negative: from the end. */
  readonly dim: number;

  constructor(dim: number) {
    super();
    this.dim = dim;
  }

  forward(x: Tensor): Tensor {
    return softmax(x, this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}
