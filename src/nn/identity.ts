/** Nothing at all, as torch.nn.Identity: stands where a layer is left out. */
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** Gives back its input. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}
