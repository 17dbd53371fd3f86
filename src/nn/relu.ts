/** The rectifier, as torch.nn.ReLU. */
import { relu } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** max(x, 0), element by element; any shape. */
export class ReLU extends Module {
  /** Printed as PyTorch does; nothing is computed in place. */
  readonly inplace: boolean;

  constructor({ inplace = false }: { readonly inplace?: boolean } = {}) {
    super();
    this.inplace = inplace;
  }

  forward(x: Tensor): Tensor {
    return relu(x);
  }

  override extraRepr(): string {
    return this.inplace ? "inplace=True" : "";
  }
}
