/** The rectifier that ends at 6, as torch.nn.ReLU6. */
import { relu6 } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** min(max(x, 0), 6), element by element; any shape. */
export class ReLU6 extends Module {
  /** Printed as PyTorch does; nothing is computed in place. */
  readonly inplace: boolean;

  constructor({ inplace = false }: { readonly inplace?: boolean } = {}) {
    super();
    this.inplace = inplace;
  }

  forward(x: Tensor): Tensor {
    return relu6(x);
  }

  override extraRepr(): string {
    return this.inplace ? "inplace=True" : "";
  }
}
