/** Average pooling to a size that is given, as torch.nn.AdaptiveAvgPool2d. */
import { adaptiveAvgPool2d } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts } from "./arguments.ts";
import { Module } from "./module.ts";
import { pyInts } from "./python-repr.ts";

/** Height and width of the result; null keeps the input's. */
export type AdaptiveSize = number | null | readonly [number | null, number | null];

/** x [N, C, H, W] to [N, C, ...outputSize]: averages of windows that cover the input evenly. */
export class AdaptiveAvgPool2d extends Module {
  /** A number stands for both sides. */
  readonly outputSize: AdaptiveSize;

  constructor(outputSize: AdaptiveSize) {
    super();
    for (const size of sides(outputSize))
      checkInts("AdaptiveAvgPool2d", { outputSize: size ?? undefined }, 1);
    this.outputSize = outputSize;
  }

  forward(x: Tensor): Tensor {
    const [, , height, width] = x.dims4("AdaptiveAvgPool2d");
    const [rows, columns] = sides(this.outputSize);
    return adaptiveAvgPool2d(x, [rows ?? height, columns ?? width]);
  }

  override extraRepr(): string {
    return `output_size=${pyInts(this.outputSize)}`;
  }
}

function sides(size: AdaptiveSize): readonly [number | null, number | null] {
  return size === null || typeof size === "number" ? [size, size] : size;
}
