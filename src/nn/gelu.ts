/** The Gaussian error linear unit (arXiv 1606.08415), as torch.nn.GELU. */
import { fail } from "../errors.ts";
import { gelu } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** x * Phi(x), Phi the normal distribution function: exact, or by its tanh approximation; any shape. */
export class GELU extends Module {
  /** "none": x/2 (1 + erf(x / sqrt 2)); "tanh": its approximation, off by up to 5e-4. */
  readonly approximate: "none" | "tanh";

  constructor({ approximate = "none" }: { readonly approximate?: "none" | "tanh" } = {}) {
    super();
    if (approximate !== "none" && approximate !== "tanh") {
      fail("argument", "GELU", 'approximate "none" or "tanh"', JSON.stringify(approximate));
    }
    this.approximate = approximate;
  }

  forward(x: Tensor): Tensor {
    return gelu(x, { approximate: this.approximate });
  }

  override extraRepr(): string {
    return `approximate='${this.approximate}'`;
  }
}
