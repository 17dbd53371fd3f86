/** Several dimensions as one, as torch.nn.Flatten. */
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** x [A, B, C, D] to [A, B*C*D] unless said: dimensions [startDim, endDim], both included, become one. */
export class Flatten extends Module {
  /** Negative: from the end. */
  readonly startDim: number;
  /** Included; negative: from the end. */
  readonly endDim: number;

  constructor(startDim = 1, endDim = -1) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }

  forward(x: Tensor): Tensor {
    return x.flatten(this.startDim, this.endDim);
  }

  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }
}
