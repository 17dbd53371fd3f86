/** A network with a bit of everything, the same as the classes of these names in test/golden/make/layers.py. */
import {
  BatchNorm2d,
  BufferTensor,
  Conv2d,
  Dropout,
  GELU,
  LayerNorm,
  Linear,
  Module,
  ModuleList,
  MultiheadAttention,
  Parameter,
  Sequential,
  SiLU,
} from "../../src/nn/index.ts";
import { add, mul } from "../../src/ops/index.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** x + conv(x) * gain. */
export class Block extends Module {
  readonly conv: Sequential;
  readonly gain: Parameter;

  constructor(channels: number) {
    super();
    this.conv = new Sequential({
      dw: new Conv2d(channels, channels, 3, { padding: 1, groups: channels, bias: false }),
      norm: new BatchNorm2d(channels, { eps: 1e-3 }),
      act: new SiLU({ inplace: true }),
    });
    this.gain = Parameter.ofShape(1, channels, 1, 1);
  }

  forward(x: Tensor): Tensor {
    return add(x, mul(this.conv.call(x), this.gain));
  }
}

/** [N, 3, 8, 8] to [N, 16, 5]. */
export class SmallNet extends Module {
  readonly table = BufferTensor.ofShape([16, 12]);
  readonly token = Parameter.ofShape(12);
  readonly stem = new Conv2d(3, 12, 3, { stride: 2, padding: 1 });
  readonly blocks = new ModuleList([new Block(12), new Block(12), new Block(12)]);
  readonly attn = new MultiheadAttention(12, 3, { batchFirst: true });
  readonly norm = new LayerNorm(12);
  readonly head = new Sequential([new Linear(12, 24), new GELU(), new Dropout(0.1), new Linear(24, 5)]);

  forward(x: Tensor): Tensor {
    let y = this.stem.call(x);
    for (const block of this.blocks) y = block.call(y);
    let tokens = add(y.flatten(2).permute(0, 2, 1), this.token);
    const q = add(tokens, this.table);
    tokens = this.norm.call(add(tokens, this.attn.call(q, q, tokens).output));
    return this.head.call(tokens);
  }
}
