/**
 * AIFI, attention-based intra-scale feature interaction (RT-DETR, arXiv 2304.08069): one post-norm transformer encoder
 * layer over the pixels of the coarsest map.
 */
import { LayerNorm, Linear, Module, MultiheadAttention } from "../../nn/index.ts";
import { add, gelu } from "../../ops/index.ts";
import { cos, pow, sin } from "../../portable-math.ts";
import { tensor } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/**
 * Sine-cosine positions, [first*second, width]: row i*second + j holds sin(i w), cos(i w), sin(j w), cos(j w) for the
 * width/4 frequencies w_k = temperature ** (-k / (width/4)). Single precision step by step, as PyTorch computes it.
 */
export function sincosPositions(first: number, second: number, width: number, temperature = 10000): Tensor {
  const quarter = Math.floor(width / 4);
  const omega = Float32Array.from({ length: quarter }, (_, k) => {
    return 1 / Math.fround(pow(temperature, Math.fround(k / quarter)));
  });
  // Of one position: sines, then cosines. Rows and columns share them.
  const waves = Array.from({ length: Math.max(first, second) }, (_, i) => {
    const angles = omega.map((w) => i * w);
    return Float32Array.of(...angles.map(sin), ...angles.map(cos));
  });
  const table = new Float32Array(first * second * width);
  for (let i = 0; i < first; i++) {
    for (let j = 0; j < second; j++) {
      const row = (i * second + j) * width;
      table.set(waves[i], row);
      table.set(waves[j], row + 2 * quarter);
    }
  }
  return tensor(table, [first * second, width]);
}

/** x [N, C, H, W] to the same shape: x = norm1(x + ma(x + pos, x + pos, x)); x = norm2(x + fc2(gelu(fc1 x))). */
export class AIFI extends Module {
  /** Over the pixels as tokens [N, H * W, C]; positions are added to queries and keys, not to values. */
  readonly ma: MultiheadAttention;
  /** c1 to cm; GELU (by erf) behind it. */
  readonly fc1: Linear;
  /** cm to c1. */
  readonly fc2: Linear;
  /** Behind the attention and its residual. */
  readonly norm1: LayerNorm;
  /** Behind the feed-forward part and its residual. */
  readonly norm2: LayerNorm;

  /** `c1` channels, a multiple of 4 and of the heads; `cm` is the hidden width. */
  constructor(c1: number, cm = 2048, numHeads = 8) {
    super();
    this.ma = new MultiheadAttention(c1, numHeads, { batchFirst: true });
    this.fc1 = new Linear(c1, cm);
    this.fc2 = new Linear(cm, c1);
    this.norm1 = new LayerNorm(c1);
    this.norm2 = new LayerNorm(c1);
  }

  forward(x: Tensor): Tensor {
    const [n, c, h, w] = x.dims4("AIFI");
    let src = x.flatten(2).permute(0, 2, 1); // [N, H*W, C], pixels in row-major order
    const q = add(src, this.positions(h, w, c).to(x.backend));
    src = this.norm1.call(add(src, this.ma.call(q, q, src, { needWeights: false }).output));
    src = this.norm2.call(add(src, this.fc2.call(gelu(this.fc1.call(src)))));
    return src.permute(0, 2, 1).viewAs(n, c, h, w);
  }

  /**
   * QUIRK: the table is built (w, h)-major while the tokens are (h, w)-major. On a square map channels 0 .. C/2-1 then
   * follow y and the others x; on any other map the rows are scrambled. Kept.
   */
  positions(h: number, w: number, c: number): Tensor {
    return sincosPositions(w, h, c);
  }
}
