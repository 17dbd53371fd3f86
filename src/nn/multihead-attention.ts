/**
 * Multi-head attention (arXiv 1706.03762), as torch.nn.MultiheadAttention: projections of query, key and value, softmax
 * over the keys in each head, and an output projection.
 *
 * `out_proj` prints as NonDynamicallyQuantizableLinear. `add_bias_kv` and `add_zero_attn` are not offered.
 *
 * QUIRK: `out_proj` is called, so that hooks on it run and traces have its output; torch.nn.MultiheadAttention uses its
 * weights without calling it.
 */
import { fail } from "../errors.ts";
import { add, clamp, linear, log, matmul, mean, mul, softmax, sub } from "../ops/index.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkInts } from "./arguments.ts";
import { Linear } from "./linear.ts";
import { Module, Parameter } from "./module.ts";
import { observe } from "./observer.ts";

/** Options of {@link MultiheadAttention}, with PyTorch's defaults. */
export interface MultiheadAttentionOptions {
  /** 0; evaluation drops nothing. */
  readonly dropout?: number;
  /** true: the projections have biases. */
  readonly bias?: boolean;
  /** false: tensors are [L, N, E]; true: [N, L, E]. */
  readonly batchFirst?: boolean;
  /** Width of the keys; embedDim. */
  readonly kdim?: number;
  /** Width of the values; embedDim. */
  readonly vdim?: number;
}

/** Options of one call. Masks are u8 (1: not looked at) or f32 (added to the scores). */
export interface AttentionOptions {
  /** true: the attention weights are returned. */
  readonly needWeights?: boolean;
  /** true: averaged over the heads, [N, L, S]; false: each head's, [N, heads, L, S]. */
  readonly averageAttnWeights?: boolean;
  /** [L, S] or [N*heads, L, S]. */
  readonly attnMask?: Tensor;
  /** [N, S], or [S] where the input has no batch. */
  readonly keyPaddingMask?: Tensor;
}

/** What attention gives: `output` laid out as the query, `weights` (batch first) where they are asked for. */
export interface AttentionResult {
  /** [L, N, E], or [N, L, E] with `batchFirst`. */
  readonly output: Tensor;
  /** [N, L, S], the mean over the heads, or [N, heads, L, S]. */
  readonly weights?: Tensor;
}

type AttentionInputs = [query: Tensor, key: Tensor, value: Tensor, options?: AttentionOptions];

/** PyTorch's name for a Linear that its quantisation leaves alone. */
class NonDynamicallyQuantizableLinear extends Linear {
  override get kind(): string {
    return "NonDynamicallyQuantizableLinear"; // as text: minifiers rename classes
  }
}

/**
 * query [L, N, E], key [S, N, kdim], value [S, N, vdim] (batch in front with `batchFirst`, or no batch at all) to
 * output [L, N, E] and weights. in_proj_weight [3E, E], or q/k/v_proj_weight [E, E|kdim|vdim] where widths differ;
 * in_proj_bias [3E]; out_proj a Linear(E, E).
 */
export class MultiheadAttention extends Module<AttentionInputs, AttentionResult> {
  /** Shape [3E, E], the rows of query, key and value in turn; absent where widths differ. */
  in_proj_weight?: Parameter;
  /** [E, E]; with the next two in the place of `in_proj_weight` where widths differ. */
  q_proj_weight?: Parameter;
  /** [E, kdim]. */
  k_proj_weight?: Parameter;
  /** [E, vdim]. */
  v_proj_weight?: Parameter;
  /** [3E]. */
  in_proj_bias?: Parameter;
  /** E to E, over the joined heads. */
  out_proj: Linear;
  /** E, the width of queries and results. */
  readonly embedDim: number;
  readonly numHeads: number;
  /** E / heads; scores are divided by its square root. */
  readonly headDim: number;
  /** Width of the keys. */
  readonly kdim: number;
  /** Width of the values. */
  readonly vdim: number;
  /** true: [N, L, E]; false: [L, N, E]. */
  readonly batchFirst: boolean;
  /** What training would drop. */
  readonly dropout: number;

  /** Throws "argument" where the heads do not divide `embedDim`. */
  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    const { dropout = 0, bias = true, batchFirst = false, kdim = embedDim, vdim = embedDim } = options;
    checkInts("MultiheadAttention", { embedDim, numHeads, kdim, vdim }, 1);
    if (embedDim % numHeads !== 0) {
      fail("argument", "MultiheadAttention", `embedDim that ${numHeads} heads divide`, String(embedDim));
    }
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.headDim = embedDim / numHeads;
    this.kdim = kdim;
    this.vdim = vdim;
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    if (kdim === embedDim && vdim === embedDim) {
      this.in_proj_weight = Parameter.ofShape(3 * embedDim, embedDim);
    } else {
      this.q_proj_weight = Parameter.ofShape(embedDim, embedDim);
      this.k_proj_weight = Parameter.ofShape(embedDim, kdim);
      this.v_proj_weight = Parameter.ofShape(embedDim, vdim);
    }
    if (bias) this.in_proj_bias = Parameter.ofShape(3 * embedDim);
    this.out_proj = new NonDynamicallyQuantizableLinear(embedDim, embedDim, { bias });
  }

  forward(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions = {}): AttentionResult {
    const { needWeights = true, averageAttnWeights = true } = options;
    this.#check(query, key, value);
    const [wq, wk, wv] = this.#projections();
    const [bq, bk, bv] = this.in_proj_bias?.chunk(3) ?? [];
    const q = this.#heads(linear(this.#batchFirst(query), wq, bq)); // [N, H, L, D]
    const k = this.#heads(linear(this.#batchFirst(key), wk, bk)); // [N, H, S, D]
    const v = this.#heads(linear(this.#batchFirst(value), wv, bv)); // [N, H, S, D]
    const scores = matmul(mul(q, Math.sqrt(1 / this.headDim)), k.transpose(-2, -1)); // [N, H, L, S]
    const mask = this.#mask(scores.shape, query.ndim, options);
    const weights = softmax(mask ? add(scores, mask) : scores, -1);
    observe("attention", () => weights);
    const mixed = matmul(weights, v).transpose(1, 2).flatten(2); // [N, L, E]
    const output = this.#asQuery(this.out_proj.call(mixed), query.ndim);
    if (!needWeights) return { output };
    const shown = averageAttnWeights ? mean(weights, 1) : weights;
    return { output, weights: query.ndim === 2 ? shown.squeeze(0) : shown };
  }

  /** Weights of the three input projections. */
  #projections(): readonly Tensor[] {
    const { in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight } = this;
    if (in_proj_weight) return in_proj_weight.chunk(3);
    if (q_proj_weight && k_proj_weight && v_proj_weight) return [q_proj_weight, k_proj_weight, v_proj_weight];
    return fail("state", "MultiheadAttention", "in_proj_weight or q, k and v_proj_weight", "neither");
  }

  /** [N, L, E] from however the caller lays tensors out. */
  #batchFirst(x: Tensor): Tensor {
    if (x.ndim === 2) return x.unsqueeze(0);
    return this.batchFirst ? x : x.transpose(0, 1);
  }

  /** The way back from {@link #batchFirst}. */
  #asQuery(x: Tensor, ndim: number): Tensor {
    if (ndim === 2) return x.squeeze(0);
    return this.batchFirst ? x : x.transpose(0, 1);
  }

  /** [N, L, E] as [N, H, L, D]. */
  #heads(x: Tensor): Tensor {
    const [n, length] = x.shape;
    return x.reshape(n, length, this.numHeads, this.headDim).transpose(1, 2);
  }

  /** What is added to the scores [N, H, L, S], or nothing. */
  #mask(scores: readonly number[], ndim: number, options: AttentionOptions): Tensor | undefined {
    const { attnMask, keyPaddingMask } = options;
    const [n, heads, length, keys] = scores;
    let mask: Tensor | undefined;
    if (attnMask) {
      const flat = attnMask.ndim === 2;
      checkMask("attnMask", attnMask, flat ? [length, keys] : [n * heads, length, keys]);
      mask = flat ? additive(attnMask) : additive(attnMask).reshape(n, heads, length, keys);
    }
    if (keyPaddingMask) {
      checkMask("keyPaddingMask", keyPaddingMask, ndim === 2 ? [keys] : [n, keys]);
      const padding = additive(keyPaddingMask).reshape(n, 1, 1, keys);
      mask = mask ? add(mask, padding) : padding;
    }
    return mask;
  }

  #check(query: Tensor, key: Tensor, value: Tensor): void {
    const shapes = [query, key, value].map((x) => x.shape);
    const ndim = query.ndim;
    const batchAxis = this.batchFirst ? 0 : 1;
    const widths = [this.embedDim, this.kdim, this.vdim];
    const legal =
      (ndim === 2 || ndim === 3) &&
      shapes.every((shape, i) => shape.length === ndim && shape[ndim - 1] === widths[i]) &&
      sameShape(shapes[1].slice(0, -1), shapes[2].slice(0, -1)) &&
      (ndim === 2 || shapes[0][batchAxis] === shapes[1][batchAxis]);
    if (legal) return;
    const [q, k, v] = widths.map((e) => (this.batchFirst ? `[N, L, ${e}]` : `[L, N, ${e}]`));
    fail(
      "argument",
      "MultiheadAttention",
      `query ${q}, key ${k.replace("L", "S")}, value ${v.replace("L", "S")}, or all without N`,
      shapes.map(formatShape).join(", "),
    );
  }
}

function checkMask(name: string, mask: Tensor, shape: readonly number[]): void {
  if (sameShape(mask.shape, shape) && (mask.dtype === "u8" || mask.dtype === "f32")) return;
  const got = `${mask.dtype} ${formatShape(mask.shape)}`;
  fail("argument", `MultiheadAttention: ${name}`, `u8 or f32 ${formatShape(shape)}`, got);
}

/** A mask as numbers to add: 0 and -inf for 0 and 1 of a u8 mask. */
function additive(mask: Tensor): Tensor {
  if (mask.dtype === "f32") return mask;
  const hidden = mask.newEmpty(mask.shape).copyFrom(mask);
  return log(sub(1, clamp(hidden, { min: 0, max: 1 })));
}
