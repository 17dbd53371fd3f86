/** A fully connected layer, as torch.nn.Linear. */
import { linear } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts } from "./arguments.ts";
import { Module, Parameter } from "./module.ts";
import { pyBool } from "./python-repr.ts";

/** x [..., in] times weight [out, in] transposed, plus bias [out]: [..., out]. */
export class Linear extends Module {
  /** [out, in]. */
  weight: Parameter;
  /** [out]. */
  bias?: Parameter;
  readonly inFeatures: number;
  readonly outFeatures: number;

  constructor(inFeatures: number, outFeatures: number, { bias = true }: { readonly bias?: boolean } = {}) {
    super();
    checkInts("Linear", { inFeatures, outFeatures }, 1);
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = Parameter.ofShape(outFeatures, inFeatures);
    if (bias) this.bias = Parameter.ofShape(outFeatures);
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  override extraRepr(): string {
    const bias = pyBool(this.bias !== undefined);
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${bias}`;
  }
}
