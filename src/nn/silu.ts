/** The sigmoid-weighted linear unit, also called swish, as torch.nn.SiLU. */
import { silu } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** x * sigmoid(x), element by element; any shape. */
export class SiLU extends Module {
  /** Printed as PyTorch does; nothing is computed in place. */
  readonly inplace: boolean;

  constructor({ inplace = false }: { readonly inplace?: boolean } = {}) {
    super();
    this.inplace = inplace;
  }

  forward(x: Tensor): Tensor {
    return silu(x);
  }

  override extraRepr(): string {
    return this.inplace ? "inplace=True" : "";
  }
}
