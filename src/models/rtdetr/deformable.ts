/**
 * Multi-scale deformable attention (arXiv 2010.04159), as RT-DETR's decoder uses it: each query reads a few bilinear
 * samples per head and level around its reference box and mixes them.
 */
import type { Pair } from "../../backend/backend.ts";
import { Linear, Module, observe } from "../../nn/index.ts";
import { add, deformableAttention, div, mul, softmax } from "../../ops/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/**
 * query [N, Q, D], referBox [N, Q, 4] (cx, cy, w, h in [0, 1]), memory [N, S, D] (the tokens of all levels), shapes the
 * levels' (h, w); the result is [N, Q, D].
 */
export class MSDeformAttn extends Module<[Tensor, Tensor, Tensor, readonly Pair[]], Tensor> {
  /** D to [heads, levels, points, 2], (x, y) in units of half the reference box over `n_points`. */
  readonly sampling_offsets: Linear;
  /** D to [heads, levels, points]; the softmax goes over levels and points together. */
  readonly attention_weights: Linear;
  /** D to D, over the memory; heads are runs of D / heads channels. */
  readonly value_proj: Linear;
  /** D to D, over the joined heads. */
  readonly output_proj: Linear;
  readonly n_heads: number;
  /** Levels of the memory, the finest first. */
  readonly n_levels: number;
  /** Samples per head and level. */
  readonly n_points: number;

  /** `dModel` is D, a multiple of the heads. */
  constructor(dModel: number, nLevels: number, nHeads: number, nPoints: number) {
    super();
    this.n_heads = nHeads;
    this.n_levels = nLevels;
    this.n_points = nPoints;
    this.sampling_offsets = new Linear(dModel, nHeads * nLevels * nPoints * 2);
    this.attention_weights = new Linear(dModel, nHeads * nLevels * nPoints);
    this.value_proj = new Linear(dModel, dModel);
    this.output_proj = new Linear(dModel, dModel);
  }

  forward(query: Tensor, referBox: Tensor, memory: Tensor, shapes: readonly Pair[]): Tensor {
    const [n, q, d] = query.dims3("MSDeformAttn");
    const { n_heads: h, n_levels: l, n_points: p } = this;
    const value = this.value_proj.call(memory).viewAs(n, -1, h, d / h);
    const offsets = this.sampling_offsets.call(query).viewAs(n, q, h, l, p, 2);
    const logits = this.attention_weights.call(query).viewAs(n, q, h, l * p);
    const weights = softmax(logits, -1).viewAs(n, q, h, l, p);
    const box = referBox.reshape(n, q, 1, 1, 1, 4);
    const [centre, size] = box.split(2, -1); // [N, Q, 1, 1, 1, 2] each
    // centre + offset / points * size / 2: the samples of a fresh network spread over the box
    const locations = add(centre, mul(mul(div(offsets, p), size), 0.5));
    observe("sampling_locations", () => locations);
    observe("sampling_weights", () => weights);
    return this.output_proj.call(deformableAttention(value, shapes, locations, weights));
  }
}
