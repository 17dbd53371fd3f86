/** The logistic function, as torch.nn.Sigmoid. */
import { sigmoid } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** 1 / (1 + exp(-x)), element by element; any shape. */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}
