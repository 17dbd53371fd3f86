/**
 * The blocks of MobileNetV4 (arXiv 2404.10518): conv-BN-ReLU6, fused inverted bottleneck and universal inverted
 * bottleneck. Multi-query attention is in `attention.ts`.
 */
import { BatchNorm2d, Conv2d, Module, ReLU6, Sequential } from "../../nn/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** What {@link convBlock} leaves out or changes. */
export interface ConvBlockOptions {
  readonly stride?: number;
  readonly groups?: number;
  /** BatchNorm after the convolution; true unless said. */
  readonly norm?: boolean;
  /** ReLU6 at the end; true unless said. */
  readonly act?: boolean;
}

/** conv (no bias, padding (k-1)//2), then BatchNorm2d, then ReLU6: [N, cin, H, W] to [N, cout, ceil(H/s), ceil(W/s)]. */
export function convBlock(cin: number, cout: number, k: number, options: ConvBlockOptions = {}): Sequential {
  const { stride = 1, groups = 1, norm = true, act = true } = options;
  const padding = Math.floor((k - 1) / 2);
  return new Sequential({
    conv: new Conv2d(cin, cout, k, { stride, padding, groups, bias: false }),
    ...(norm ? { BatchNorm2d: new BatchNorm2d(cout) } : {}),
    ...(act ? { Activation: new ReLU6() } : {}),
  });
}

/** The multiple of 8 nearest to x (halves up, at least 8), moved up once more if that lost over a tenth. */
export function roundTo8(x: number): number {
  const n = Math.max(8, Math.floor((x + 4) / 8) * 8);
  return n < 0.9 * x ? n + 8 : n;
}

/** Fused inverted bottleneck. QUIRK: its `exp_1x1` is in truth a dense 3x3 that carries the stride. */
export class FusedIB extends Module {
  /** `exp_1x1`, a 3x3 of the stride to cin * expand channels, then `red_1x1` to cout; both with BatchNorm and ReLU6. */
  readonly block: Sequential;

  /** `expand` is the hidden width over `cin`. */
  constructor(cin: number, cout: number, stride: number, expand: number) {
    super();
    const hidden = cin * expand;
    this.block = new Sequential({
      exp_1x1: convBlock(cin, hidden, 3, { stride }),
      red_1x1: convBlock(hidden, cout, 1),
    });
  }

  forward(x: Tensor): Tensor {
    return this.block.call(x);
  }
}

/**
 * Universal inverted bottleneck: [depthwise k0], 1x1 expansion with ReLU6, [depthwise k1 with ReLU6, carries the
 * stride], 1x1 projection. QUIRK: there is no residual connection, whatever the shapes.
 */
export class UIB extends Module {
  /** Depthwise k0, stride 1, BatchNorm, no activation; absent where k0 is 0. */
  readonly _start_dw_?: Sequential;
  /** 1x1 to the hidden width, BatchNorm, ReLU6. */
  readonly _expand_conv: Sequential;
  /** Depthwise k1 of the block's stride, BatchNorm, ReLU6; absent where k1 is 0. */
  readonly _middle_dw?: Sequential;
  /** 1x1 to cout channels, BatchNorm, no activation. */
  readonly _proj_conv: Sequential;

  /** Hidden width: cin * expand, rounded to 8. Without a `k1` the stride is not taken. */
  constructor(cin: number, cout: number, k0: number, k1: number, stride: number, expand: number) {
    super();
    const hidden = roundTo8(cin * expand);
    if (k0) this._start_dw_ = convBlock(cin, cin, k0, { groups: cin, act: false });
    this._expand_conv = convBlock(cin, hidden, 1);
    if (k1) this._middle_dw = convBlock(hidden, hidden, k1, { stride, groups: hidden });
    this._proj_conv = convBlock(hidden, cout, 1, { act: false });
  }

  forward(x: Tensor): Tensor {
    let y = x;
    if (this._start_dw_) y = this._start_dw_.call(y);
    y = this._expand_conv.call(y);
    if (this._middle_dw) y = this._middle_dw.call(y);
    return this._proj_conv.call(y);
  }
}
