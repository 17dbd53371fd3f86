/** Resizing of feature maps, as torch.nn.Upsample. */
import { fail } from "../errors.ts";
import { interpolate } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts, type NumberOrPair } from "./arguments.ts";
import { Module } from "./module.ts";
import { pyFloat, pyInts, pyTuple } from "./python-repr.ts";

/** Options of {@link Upsample}: either `size` or `scaleFactor`. */
export interface UpsampleOptions {
  /** (height, width) of the result. */
  readonly size?: NumberOrPair;
  /** Result per input, (height, width). */
  readonly scaleFactor?: NumberOrPair;
  /** "nearest" unless said. */
  readonly mode?: "nearest" | "bilinear";
  /** Bilinear only: corner pixels' centres coincide; false unless said. */
  readonly alignCorners?: boolean;
}

/** x [N, C, H, W] to [N, C, ...size] or [N, C, floor(H * scale), floor(W * scale)]. */
export class Upsample extends Module {
  /** (height, width) of the result; absent where a factor is given. */
  readonly size?: NumberOrPair;
  /** Result per input, (height, width). */
  readonly scaleFactor?: NumberOrPair;
  readonly mode: "nearest" | "bilinear";
  /** Bilinear only; undefined is false. */
  readonly alignCorners?: boolean;

  /** Throws "argument" unless just one of `size` and `scaleFactor` is given. */
  constructor({ size, scaleFactor, mode = "nearest", alignCorners }: UpsampleOptions) {
    super();
    if ((size === undefined) === (scaleFactor === undefined)) {
      const got = size === undefined ? "neither" : "both";
      fail("argument", "Upsample", "either size or scaleFactor", got);
    }
    if (mode !== "nearest" && mode !== "bilinear") {
      fail("argument", "Upsample", 'mode "nearest" or "bilinear"', JSON.stringify(mode));
    }
    if (mode === "nearest" && alignCorners !== undefined) {
      fail("argument", "Upsample", "alignCorners with bilinear mode only", `mode ${mode}`);
    }
    checkInts("Upsample", { size }, 1);
    this.size = size;
    this.scaleFactor = scaleFactor;
    this.mode = mode;
    this.alignCorners = alignCorners;
  }

  forward(x: Tensor): Tensor {
    const { size, scaleFactor, mode, alignCorners } = this;
    return interpolate(x, { size, scaleFactor, mode, alignCorners });
  }

  override extraRepr(): string {
    const { size, scaleFactor, mode } = this;
    const factor = typeof scaleFactor === "number" ? pyFloat(scaleFactor) : scaleFactor?.map(pyFloat);
    const shown = typeof factor === "string" ? factor : factor && pyTuple(factor);
    return `${shown ? `scale_factor=${shown}` : `size=${pyInts(size ?? null)}`}, mode='${mode}'`;
  }
}
