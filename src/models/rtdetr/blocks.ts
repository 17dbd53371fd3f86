/** Convolutional parts of the neck, as in Ultralytics: Conv, RepConv, RepC3 (RepVGG, arXiv 2101.03697), Concat. */
import { BatchNorm2d, Conv2d, Identity, Module, Sequential, SiLU } from "../../nn/index.ts";
import { add, cat } from "../../ops/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Arguments of {@link Conv} after the channels. */
export interface ConvArguments {
  /** Kernel; 1. */
  readonly k?: number;
  /** Stride; 1. */
  readonly s?: number;
  /** "Same" padding for the kernel and dilation unless given. */
  readonly p?: number;
  /** Groups; 1. */
  readonly g?: number;
  /** Dilation; 1. */
  readonly d?: number;
  /** SiLU, or nothing. */
  readonly act?: boolean;
}

/** Convolution without bias, BatchNorm2d, SiLU: [N, c1, H, W] to [N, c2, ceil(H/s), ceil(W/s)]. */
export class Conv extends Module {
  conv: Conv2d;
  /** Absent once fused into `conv`. */
  bn?: BatchNorm2d;
  readonly act: SiLU | Identity;
  /** Zeros around the input, on each side. */
  readonly padding: number;

  /** Channels `c1` in, `c2` out. */
  constructor(c1: number, c2: number, { k = 1, s = 1, p, g = 1, d = 1, act = true }: ConvArguments = {}) {
    super();
    const padding = p ?? Math.floor((d * (k - 1) + 1) / 2);
    this.padding = padding;
    this.conv = new Conv2d(c1, c2, k, { stride: s, padding, groups: g, dilation: d, bias: false });
    this.bn = new BatchNorm2d(c2);
    this.act = act ? new SiLU() : new Identity();
  }

  forward(x: Tensor): Tensor {
    const y = this.conv.call(x);
    return this.act.call(this.bn?.call(y) ?? y);
  }
}

/** SiLU(BN(conv3x3 x) + BN(conv1x1 x)), channels and size kept; once fused, SiLU of one biased 3x3. */
export class RepConv extends Module {
  /** 3x3; absent once fused. */
  conv1?: Conv;
  /** 1x1; absent once fused. */
  conv2?: Conv;
  /** The one convolution that takes the place of both once they are fused. */
  conv?: Conv2d;
  readonly act = new SiLU();

  /** `channels` in and out. */
  constructor(channels: number) {
    super();
    this.conv1 = new Conv(channels, channels, { k: 3, act: false });
    this.conv2 = new Conv(channels, channels, { k: 1, act: false });
  }

  forward(x: Tensor): Tensor {
    if (this.conv) return this.act.call(this.conv.call(x));
    const { conv1, conv2 } = this;
    if (!conv1 || !conv2) throw new Error("RepConv: neither fused nor whole");
    return this.act.call(add(conv1.call(x), conv2.call(x)));
  }
}

/** cv3(m(cv1 x) + cv2 x) with `n` RepConvs in m, all at int(c2 * e) channels; no cv3 where that is c2 already. */
export class RepC3 extends Module {
  /** 1x1 into {@link m}. */
  readonly cv1: Conv;
  /** 1x1 beside it. */
  readonly cv2: Conv;
  /** `n` RepConvs. */
  readonly m: Sequential;
  /** 1x1 to c2 channels, where the hidden width is another. */
  readonly cv3: Conv | Identity;

  /** `e` is the hidden width over `c2`. */
  constructor(c1: number, c2: number, n = 3, e = 1.0) {
    super();
    const hidden = Math.trunc(c2 * e);
    this.cv1 = new Conv(c1, hidden);
    this.cv2 = new Conv(c1, hidden);
    this.m = new Sequential(Array.from({ length: n }, () => new RepConv(hidden)));
    this.cv3 = hidden === c2 ? new Identity() : new Conv(hidden, c2);
  }

  forward(x: Tensor): Tensor {
    return this.cv3.call(add(this.m.call(this.cv1.call(x)), this.cv2.call(x)));
  }
}

/** Tensors joined along an axis, the channels unless said. */
export class Concat extends Module<[readonly Tensor[]], Tensor> {
  /** The axis; negative: from the end. */
  readonly d: number;

  constructor(dimension = 1) {
    super();
    this.d = dimension;
  }

  forward(xs: readonly Tensor[]): Tensor {
    return cat(xs, this.d);
  }
}
