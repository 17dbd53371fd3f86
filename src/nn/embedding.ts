/** A table that is read by index, as torch.nn.Embedding. */
import { fail } from "../errors.ts";
import { embedding } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts } from "./arguments.ts";
import { Module, Parameter } from "./module.ts";

/** indices [...], i32 or i64 in [0, numEmbeddings), to the rows [..., embeddingDim] of weight. */
export class Embedding extends Module {
  /** [numEmbeddings, embeddingDim]. */
  weight: Parameter;
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  /** The row that training keeps as it is; printed, and of no other use here. */
  readonly paddingIdx?: number;

  /** A negative `paddingIdx` counts from the end. */
  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    { paddingIdx }: { readonly paddingIdx?: number } = {},
  ) {
    super();
    checkInts("Embedding", { numEmbeddings, embeddingDim }, 1);
    if (paddingIdx !== undefined) {
      const legal =
        Number.isInteger(paddingIdx) && paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings;
      if (!legal) {
        fail(
          "argument",
          "Embedding",
          `paddingIdx in [${-numEmbeddings}, ${numEmbeddings})`,
          String(paddingIdx),
        );
      }
      this.paddingIdx = paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    }
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.weight = Parameter.ofShape(numEmbeddings, embeddingDim);
  }

  forward(indices: Tensor): Tensor {
    return embedding(indices, this.weight);
  }

  override extraRepr(): string {
    const padding = this.paddingIdx === undefined ? "" : `, padding_idx=${this.paddingIdx}`;
    return `${this.numEmbeddings}, ${this.embeddingDim}${padding}`;
  }
}
