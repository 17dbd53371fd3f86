/** Dropout, as torch.nn.Dropout in evaluation: nothing is dropped. */
import { fail } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { pyBool, pyFloat } from "./python-repr.ts";

/** Gives back its input. */
export class Dropout extends Module {
  /** What training would drop; printed, and of no other use here. */
  readonly p: number;
  /** Printed as PyTorch does. */
  readonly inplace: boolean;

  constructor(p = 0.5, { inplace = false }: { readonly inplace?: boolean } = {}) {
    super();
    if (!(p >= 0 && p <= 1)) fail("argument", "Dropout", "p in [0, 1]", String(p));
    this.p = p;
    this.inplace = inplace;
  }

  forward(x: Tensor): Tensor {
    return x;
  }

  override extraRepr(): string {
    return `p=${pyFloat(this.p)}, inplace=${pyBool(this.inplace)}`;
  }
}
