/**
 * Mobile multi-query attention (arXiv 2404.10518, section 4.2) as the original code computes it: several query heads
 * share one head of keys and values.
 *
 * QUIRK: feature maps are re-viewed, not transposed. Query token t of head h is the run of `dim` consecutive numbers at
 * (h*N + t)*dim of the image's channel-major buffer, and values are read the same way; only keys are laid out by pixel.
 * The result is put back by the same kind of view, which needs a square map.
 * QUIRK: the scale is 1/sqrt(dim // heads), not 1/sqrt(dim).
 */
import { fail } from "../../errors.ts";
import { BatchNorm2d, Module, observe, type Sequential } from "../../nn/index.ts";
import { add, div, matmul, mul, softmax } from "../../ops/index.ts";
import { formatShape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { convBlock } from "./blocks.ts";
import type { AttentionSpec } from "./variants.ts";

/** QUIRK: the layer scale (CaiT, arXiv 2103.17239) is a constant here, not a parameter. */
export const LAYER_SCALE = 1e-5;

/** Multi-query attention over the pixels of x [N, C, S, S]; the result has x's shape. */
export class MultiQueryAttention extends Module {
  /** 1x1, C to heads * dim channels. */
  readonly _query_proj: Sequential;
  /** Depthwise 3x3 of stride `kvStride`, with BatchNorm; absent where that is 1. */
  readonly _key_dw_conv?: Sequential;
  /** As {@link _key_dw_conv}, for the values. */
  readonly _value_dw_conv?: Sequential;
  /** 1x1, C to dim channels: one head of keys for all of the query's. */
  readonly _key_proj: Sequential;
  /** 1x1, C to dim channels. */
  readonly _value_proj: Sequential;
  /** 1x1, heads * dim to C channels. */
  readonly _output_proj: Sequential;
  readonly heads: number;
  /** Width of a head. */
  readonly dim: number;

  /** `channels` of the input and of the result. */
  constructor(channels: number, { heads, dim, kvStride }: AttentionSpec) {
    super();
    const bare = { norm: false, act: false };
    const down = (): Sequential =>
      convBlock(channels, channels, 3, { stride: kvStride, groups: channels, act: false });
    this.heads = heads;
    this.dim = dim;
    this._query_proj = convBlock(channels, heads * dim, 1, bare);
    if (kvStride > 1) {
      this._key_dw_conv = down();
      this._value_dw_conv = down();
    }
    this._key_proj = convBlock(channels, dim, 1, bare);
    this._value_proj = convBlock(channels, dim, 1, bare);
    this._output_proj = convBlock(heads * dim, channels, 1, bare);
  }

  forward(x: Tensor): Tensor {
    const [n, , height, width] = x.dims4("MultiQueryAttention");
    if (height !== width) {
      fail(
        "size",
        "MultiQueryAttention",
        "a square feature map (its re-view of pixels as tokens has no other meaning)",
        formatShape(x.shape),
        "Hybrid backbones take square inputs",
      );
    }
    const { heads, dim } = this;
    const forKey = this._key_dw_conv?.call(x) ?? x;
    const forValue = this._value_dw_conv?.call(x) ?? x;
    const q = this._query_proj.call(x).contiguous().viewAs(n, heads, -1, dim); // [n, h, N, d], a real NCHW buffer
    const k = this._key_proj.call(forKey).reshape(n, 1, dim, -1); // [n, 1, d, S]
    const v = this._value_proj.call(forValue).contiguous().viewAs(n, 1, -1, dim); // [n, 1, S, d]
    const score = div(matmul(q, k), Math.sqrt(this.scaleDim)); // [n, h, N, S]
    const weights = softmax(score, -1);
    observe("attention", () => weights);
    const mixed = matmul(weights, v); // [n, h, N, d]
    return this._output_proj.call(mixed.contiguous().viewAs(n, heads * dim, height, width));
  }

  /** What the scores are divided by the square root of. */
  get scaleDim(): number {
    return Math.floor(this.dim / this.heads);
  }
}

/** x + 1e-5 * attention(BN(x)), for x [N, C, S, S]. */
export class AttentionBlock extends Module {
  /** Before the attention; what is added to the result is the input as it was. */
  readonly _input_norm: BatchNorm2d;
  readonly multi_query_attention: MultiQueryAttention;

  constructor(channels: number, spec: AttentionSpec) {
    super();
    this._input_norm = new BatchNorm2d(channels);
    this.multi_query_attention = new MultiQueryAttention(channels, spec);
  }

  forward(x: Tensor): Tensor {
    const y = this.multi_query_attention.call(this._input_norm.call(x));
    return add(mul(y, LAYER_SCALE), x);
  }
}
