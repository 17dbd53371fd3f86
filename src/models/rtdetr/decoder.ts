/** RT-DETR's transformer decoder (arXiv 2304.08069): one layer, and the stack that holds them. */
import type { Pair } from "../../backend/backend.ts";
import { LayerNorm, Linear, Module, ModuleList, MultiheadAttention } from "../../nn/index.ts";
import { add, relu } from "../../ops/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { MSDeformAttn } from "./deformable.ts";

/** Sizes of the decoder, by Ultralytics' names. */
export interface DecoderSizes {
  /** Width of a query. */
  readonly hd: number;
  /** Attention heads. */
  readonly nh: number;
  /** Hidden width of the feed-forward part. */
  readonly dFfn: number;
  /** Feature levels. */
  readonly nLevels: number;
  /** Sampling points per head and level. */
  readonly ndp: number;
}

/** Self-attention between queries, deformable attention into the memory, feed-forward; each with a post-norm. */
export class DeformableTransformerDecoderLayer extends Module<
  [Tensor, Tensor, Tensor, Tensor, readonly Pair[]],
  Tensor
> {
  /** Between queries; positions are added to queries and keys, not to values. */
  readonly self_attn: MultiheadAttention;
  /** Behind the self-attention and its residual. */
  readonly norm1: LayerNorm;
  /** From queries with positions into the memory. */
  readonly cross_attn: MSDeformAttn;
  /** Behind the deformable attention and its residual. */
  readonly norm2: LayerNorm;
  /** hd to dFfn; ReLU behind it. */
  readonly linear1: Linear;
  /** dFfn to hd. */
  readonly linear2: Linear;
  /** Behind the feed-forward part and its residual. */
  readonly norm3: LayerNorm;

  constructor({ hd, nh, dFfn, nLevels, ndp }: DecoderSizes) {
    super();
    this.self_attn = new MultiheadAttention(hd, nh, { batchFirst: true });
    this.norm1 = new LayerNorm(hd);
    this.cross_attn = new MSDeformAttn(hd, nLevels, nh, ndp);
    this.norm2 = new LayerNorm(hd);
    this.linear1 = new Linear(hd, dFfn);
    this.linear2 = new Linear(dFfn, hd);
    this.norm3 = new LayerNorm(hd);
  }

  /** embed and queryPos [N, Q, D], referBox [N, Q, 4], memory [N, S, D], the levels' shapes; gives [N, Q, D]. */
  forward(
    embed: Tensor,
    queryPos: Tensor,
    referBox: Tensor,
    memory: Tensor,
    shapes: readonly Pair[],
  ): Tensor {
    const q = add(embed, queryPos);
    let t = this.norm1.call(add(embed, this.self_attn.call(q, q, embed, { needWeights: false }).output));
    t = this.norm2.call(add(t, this.cross_attn.call(add(t, queryPos), referBox, memory, shapes)));
    return this.norm3.call(add(t, this.linear2.call(relu(this.linear1.call(t)))));
  }
}

/** Holds the layers under the name they have in checkpoints, `decoder.layers.N`; `RTDETRDecoder` runs them. */
export class DeformableTransformerDecoder extends Module<never[], never> {
  readonly layers: ModuleList<DeformableTransformerDecoderLayer>;

  constructor(count: number, sizes: DecoderSizes) {
    super();
    this.layers = new ModuleList(
      Array.from({ length: count }, () => new DeformableTransformerDecoderLayer(sizes)),
    );
  }

  forward(): never {
    throw new Error("DeformableTransformerDecoder holds layers and does not run by itself");
  }
}
