/** The small perceptron of RT-DETR's heads. */
import { Linear, Module, ModuleList } from "../../nn/index.ts";
import { relu } from "../../ops/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Linear layers with ReLU between them: [..., widths[0]] to [..., last width]. */
export class MLP extends Module {
  /** ReLU stands between them, not behind the last. */
  readonly layers: ModuleList<Linear>;

  /** Of the input, the hidden layers and the result. */
  constructor(...widths: number[]) {
    super();
    this.layers = new ModuleList(widths.slice(1).map((width, i) => new Linear(widths[i], width)));
  }

  forward(x: Tensor): Tensor {
    const last = this.layers.length - 1;
    let y = x;
    [...this.layers].forEach((layer, i) => {
      y = i < last ? relu(layer.call(y)) : layer.call(y);
    });
    return y;
  }
}
