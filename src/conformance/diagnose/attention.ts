/** Attention read wrongly: multi-head (AIFI, decoder), multi-query (MobileNetV4) and the bare operator. */
import { AIFI, AttentionBlock, MultiQueryAttention, sincosPositions } from "../../models/index.ts";
import { MultiheadAttention } from "../../nn/index.ts";
import { add, cat, gelu, linear, matmul, mul, softmax } from "../../ops/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Guess, inEvery, type Mistake, setField, withForward } from "./mistake.ts";
import type { Change } from "./problem.ts";

/** How multi-head attention may be read. */
interface Reading {
  /** What scores are multiplied by. */
  readonly scale?: (headDim: number, heads: number) => number;
  /** Channel c belongs to head c % heads, not c / headDim. */
  readonly interleaved?: boolean;
  /** Which third of in_proj is query, key and value. */
  readonly order?: readonly [number, number, number];
  /** in_proj holds q, k, v of head 0, then of head 1, ... */
  readonly perHead?: boolean;
  readonly axis?: number;
  readonly noOutput?: boolean;
  readonly noInputBias?: boolean;
  /** The heads' results are put together in the wrong order of axes. */
  readonly unmixed?: boolean;
}

/** Plants a reading in every multi-head attention that is laid out as RT-DETR's: batch first, one in_proj. */
function multihead(reading: Reading): Change {
  return inEvery(MultiheadAttention, (mha) => {
    const { in_proj_weight: w, in_proj_bias: b, numHeads: heads, headDim } = mha;
    if (!w || !mha.batchFirst) return false;
    const thirds = (x: Tensor): Tensor[] => {
      if (!reading.perHead) return x.chunk(3);
      const rest = x.shape.slice(1);
      const turned = x
        .contiguous()
        .viewAs(heads, 3, headDim, ...rest)
        .transpose(0, 1);
      return turned.reshape(3 * heads * headDim, ...rest).chunk(3);
    };
    const weights = thirds(w);
    const biases = b && !reading.noInputBias ? thirds(b) : [];
    const order = reading.order ?? [0, 1, 2];
    const scale = reading.scale?.(headDim, heads) ?? 1 / Math.sqrt(headDim);
    const split = (x: Tensor): Tensor => {
      const [n, length] = x.shape;
      return reading.interleaved
        ? x.reshape(n, length, headDim, heads).permute(0, 3, 1, 2)
        : x.reshape(n, length, heads, headDim).transpose(1, 2);
    };
    withForward(mha, ((query: Tensor, key: Tensor, value: Tensor) => {
      const [q, k, v] = [query, key, value].map((x, i) =>
        split(linear(x, weights[order[i]], biases[order[i]])),
      );
      const shares = softmax(mul(matmul(q, k.transpose(-2, -1)), scale), reading.axis ?? -1);
      const mixed = matmul(shares, v); // [N, H, L, D]
      const [n, , length] = mixed.shape;
      const laid = reading.unmixed
        ? mixed.contiguous().reshape(n, length, heads * headDim)
        : reading.interleaved
          ? mixed.permute(0, 2, 3, 1).reshape(n, length, heads * headDim)
          : mixed.transpose(1, 2).flatten(2);
      return { output: reading.noOutput ? laid : mha.out_proj.call(laid) };
    }) as never);
    return true;
  });
}

const READINGS: readonly (readonly [string, string, Reading])[] = [
  ["attention-scale", "the scores are not scaled", { scale: () => 1 }],
  [
    "attention-scale",
    "the scores are divided by dim, not by its square root: scaled twice",
    { scale: (d) => 1 / d },
  ],
  [
    "attention-scale",
    "the scores are divided by the square root of the whole width",
    { scale: (d, h) => 1 / Math.sqrt(d * h) },
  ],
  ["attention-scale", "the scores are multiplied by the square root of dim", { scale: (d) => Math.sqrt(d) }],
  [
    "attention-heads",
    "heads take every n-th channel: the channels are read as (dim, heads), not (heads, dim)",
    { interleaved: true },
  ],
  [
    "attention-heads",
    "the heads' results are joined without moving the heads next to the channels",
    { unmixed: true },
  ],
  ["attention-order", "keys and values are exchanged in in_proj", { order: [0, 2, 1] }],
  ["attention-order", "queries and keys are exchanged in in_proj", { order: [1, 0, 2] }],
  ["attention-order", "queries and values are exchanged in in_proj", { order: [2, 1, 0] }],
  ["attention-order", "in_proj is read as q, k, v of each head in turn", { perHead: true }],
  ["attention-softmax-axis", "the softmax runs over the queries, not over the keys", { axis: -2 }],
  ["attention-projection", "out_proj is left out", { noOutput: true }],
  ["attention-projection", "in_proj_bias is not added", { noInputBias: true }],
];

const MENDS: Readonly<Record<string, string>> = {
  "attention-scale": "Divide q k^T by sqrt(dim of a head), once.",
  "attention-heads":
    "View [N, L, E] as [N, L, heads, dim] and transpose to [N, heads, L, dim]; the same way back.",
  "attention-order": "in_proj_weight holds the query's rows first, then the key's, then the value's.",
  "attention-softmax-axis": "Apply the softmax along the last axis of [N, heads, L, S].",
  "attention-projection": "Apply in_proj with its bias before, out_proj after.",
};

const MULTIHEAD: readonly Mistake[] = Object.keys(MENDS).map((name) => ({
  name,
  mend: MENDS[name],
  *guesses(problem) {
    if (!problem.has((module) => module instanceof MultiheadAttention)) return;
    for (const [kind, says, reading] of READINGS)
      if (kind === name) yield { change: multihead(reading), says };
  },
}));

/** The bare operator: softmax(q k^T / sqrt(d)) v. */
const operatorScale: Mistake = {
  name: "attention-scale",
  mend: MENDS["attention-scale"],
  *guesses(problem) {
    if (problem.kind !== "scaled_dot_product_attention") return;
    const d = problem.shapes.get("query")?.at(-1) ?? 1;
    const heads = problem.shapes.get("query")?.at(-3) ?? 1;
    const scales: readonly (readonly [string, number])[] = [
      ["the scores are not scaled", 1],
      ["the scores are divided by dim, not by its square root", 1 / d],
      ["the scores are divided by the square root of the whole width", 1 / Math.sqrt(d * heads)],
    ];
    for (const [says, scale] of scales) yield { change: { attributes: (a) => ({ ...a, scale }) }, says };
  },
};

/** How multi-query attention may be read. */
interface QueryReading {
  readonly queryByPixel?: boolean;
  readonly keyByView?: boolean;
  readonly valueByPixel?: boolean;
  readonly scaleDim?: (dim: number, heads: number) => number;
  readonly exchanged?: boolean;
  readonly headsLast?: boolean;
}

function multiQuery(reading: QueryReading): Change {
  return inEvery(MultiQueryAttention, (mqa) => {
    const { heads, dim } = mqa;
    const scale = reading.scaleDim?.(dim, heads) ?? mqa.scaleDim;
    withForward(mqa, ((x: Tensor) => {
      const [n, , height, width] = x.dims4("MultiQueryAttention");
      const [keys, values] = reading.exchanged
        ? [mqa._value_dw_conv?.call(x) ?? x, mqa._key_dw_conv?.call(x) ?? x]
        : [mqa._key_dw_conv?.call(x) ?? x, mqa._value_dw_conv?.call(x) ?? x];
      const q0 = mqa._query_proj.call(x).contiguous();
      const k0 = (reading.exchanged ? mqa._value_proj : mqa._key_proj).call(keys).contiguous();
      const v0 = (reading.exchanged ? mqa._key_proj : mqa._value_proj).call(values).contiguous();
      const q = reading.headsLast
        ? q0.viewAs(n, dim, heads, -1).permute(0, 2, 3, 1)
        : reading.queryByPixel
          ? q0.viewAs(n, heads, dim, -1).transpose(2, 3)
          : q0.viewAs(n, heads, -1, dim);
      const k = reading.keyByView ? k0.viewAs(n, 1, -1, dim).transpose(2, 3) : k0.viewAs(n, 1, dim, -1);
      const v = reading.valueByPixel ? v0.viewAs(n, 1, dim, -1).transpose(2, 3) : v0.viewAs(n, 1, -1, dim);
      const mixed = matmul(softmax(mul(matmul(q, k), 1 / Math.sqrt(scale)), -1), v);
      const laid = reading.headsLast
        ? mixed.permute(0, 3, 1, 2)
        : reading.queryByPixel
          ? mixed.transpose(2, 3)
          : mixed;
      return mqa._output_proj.call(laid.contiguous().reshape(n, heads * dim, height, width));
    }) as never);
    return true;
  });
}

const QUERY_READINGS: readonly (readonly [string, string, QueryReading])[] = [
  ["mqa-views", "query tokens are pixels: the map is transposed, not re-viewed", { queryByPixel: true }],
  ["mqa-views", "value tokens are pixels: the map is transposed, not re-viewed", { valueByPixel: true }],
  [
    "mqa-views",
    "query and value tokens are pixels: the maps are transposed, not re-viewed",
    { queryByPixel: true, valueByPixel: true },
  ],
  ["mqa-views", "keys are re-viewed as (S, D) like the values, not taken by pixel", { keyByView: true }],
  ["mqa-views", "query channels are read as (dim, heads), tokens as pixels", { headsLast: true }],
  ["mqa-scale", "the scores are divided by sqrt(dim), not by sqrt(dim // heads)", { scaleDim: (d) => d }],
  [
    "mqa-scale",
    "the scores are divided by sqrt(dim * heads), not by sqrt(dim // heads)",
    { scaleDim: (d, h) => d * h },
  ],
  ["mqa-scale", "the scores are not scaled", { scaleDim: () => 1 }],
  ["mqa-key-value", "keys and values are exchanged", { exchanged: true }],
];

const QUERY_MENDS: Readonly<Record<string, string>> = {
  "mqa-views":
    "Read the query map (H D, h, w) as (H, N, D) and the value map as (S, D) from their flat channel-major buffers; only keys (D, S) go by pixel; re-view the result as (H D, px, px).",
  "mqa-scale": "Divide the scores by sqrt(key_dim // heads).",
  "mqa-key-value": "Keys come from _key_dw_conv and _key_proj, values from _value_dw_conv and _value_proj.",
};

const MULTI_QUERY: readonly Mistake[] = Object.keys(QUERY_MENDS).map((name) => ({
  name,
  mend: QUERY_MENDS[name],
  *guesses(problem) {
    if (!problem.has((module) => module instanceof MultiQueryAttention)) return;
    for (const [kind, says, reading] of QUERY_READINGS)
      if (kind === name) yield { change: multiQuery(reading), says };
  },
}));

/** AIFI's forward with other positions. */
function aifi(positions: (h: number, w: number, c: number) => Tensor | undefined, where = "qk"): Change {
  return inEvery(AIFI, (block) => {
    if (where === "qk") {
      setField(block, "positions", (h: number, w: number, c: number) => {
        const table = positions(h, w, c);
        return table ?? mul(sincosPositions(w, h, c), 0);
      });
      return true;
    }
    block.ma.registerForwardPreHook((_module, inputs) => {
      const [q, k, v, ...rest] = inputs as Tensor[];
      return where === "v" ? [q, k, q, ...rest] : [q, v, v, ...rest];
    });
    return true;
  });
}

const POSITIONS: readonly (readonly [string, Change])[] = [
  [
    "the position table follows the tokens' own order (h, w), not the swapped one",
    aifi((h, w, c) =>
      sincosPositions(w, h, c)
        .reshape(w, h, c)
        .transpose(0, 1)
        .reshape(w * h, c),
    ),
  ],
  ["the position table is built (h, w)-major with y first", aifi((h, w, c) => sincosPositions(h, w, c))],
  ["no positions are added", aifi(() => undefined)],
  ["positions are added to the values too", aifi(() => undefined, "v")],
  ["positions are added to the queries alone, not to the keys", aifi(() => undefined, "q")],
  [
    "sines and cosines of the position table are interleaved channel by channel",
    aifi((h, w, c) => {
      const parts = sincosPositions(w, h, c)
        .chunk(4, 1)
        .map((x) => x.unsqueeze(2)); // sin, cos, sin, cos
      return cat(
        [cat(parts.slice(0, 2), 2).reshape(w * h, c / 2), cat(parts.slice(2), 2).reshape(w * h, c / 2)],
        1,
      );
    }),
  ],
  ["the position table has temperature 100, not 10000", aifi((h, w, c) => sincosPositions(w, h, c, 100))],
];

const positionTable: Mistake = {
  name: "position-table",
  mend: "Build the table (w, h)-major though tokens are (h, w)-major, as the original does; add it to queries and keys, not to values.",
  *guesses(problem) {
    if (!problem.has((module) => module instanceof AIFI)) return;
    for (const [says, change] of POSITIONS) yield { change, says };
  },
};

/** Layer norm before the branches, not after. */
const preNorm: Mistake = {
  name: "pre-norm",
  mend: "Norms come after the residual sum: x = norm1(x + attention(x)); x = norm2(x + mlp(x)).",
  *guesses(problem) {
    if (!problem.has((module) => module instanceof AIFI)) return;
    const guess = (says: string, forward: (block: AIFI, src: Tensor, pos: Tensor) => Tensor): Guess => ({
      says,
      change: inEvery(AIFI, (block) => {
        withForward(block, ((x: Tensor) => {
          const [n, c, h, w] = x.dims4("AIFI");
          const src = x.flatten(2).permute(0, 2, 1);
          const y = forward(block, src, block.positions(h, w, c).to(x.backend));
          return y.permute(0, 2, 1).reshape(n, c, h, w);
        }) as never);
        return true;
      }),
    });
    const mix = (block: AIFI, x: Tensor, pos: Tensor): Tensor =>
      block.ma.call(add(x, pos), add(x, pos), x, { needWeights: false }).output;
    const feed = (block: AIFI, x: Tensor): Tensor => block.fc2.call(gelu(block.fc1.call(x)));
    yield guess("norms come before the branches (pre-norm)", (block, x, pos) => {
      const y = add(x, mix(block, block.norm1.call(x), pos));
      return add(y, feed(block, block.norm2.call(y)));
    });
    yield guess("the residual connections are missing", (block, x, pos) =>
      block.norm2.call(feed(block, block.norm1.call(mix(block, x, pos)))),
    );
  },
};

/** x + 1e-5 attention(BN(x)). */
const layerScale: Mistake = {
  name: "layer-scale",
  mend: "x + 1e-5 * attention(BN(x)): the constant is no parameter, and x is added as it was before the norm.",
  *guesses(problem) {
    if (!problem.has((module) => module instanceof AttentionBlock)) return;
    const guess = (says: string, forward: (block: AttentionBlock, x: Tensor) => Tensor): Guess => ({
      says,
      change: inEvery(
        AttentionBlock,
        (block) => void withForward(block, ((x: Tensor) => forward(block, x)) as never),
      ),
    });
    const branch = (block: AttentionBlock, x: Tensor): Tensor =>
      block.multi_query_attention.call(block._input_norm.call(x));
    yield guess("the attention branch is not scaled by 1e-5", (block, x) => add(branch(block, x), x));
    yield guess("the attention branch is left out", (_block, x) => x);
    yield guess("the residual is left out", (block, x) => mul(branch(block, x), 1e-5));
    yield guess("the attention branch is scaled by 1e-6", (block, x) => add(mul(branch(block, x), 1e-6), x));
    yield guess("the attention branch is scaled by 1e-4", (block, x) => add(mul(branch(block, x), 1e-4), x));
    yield guess("the input is not normalised before the attention", (block, x) =>
      add(mul(block.multi_query_attention.call(x), 1e-5), x),
    );
    yield guess("the normalised input is added, not the input itself", (block, x) => {
      const y = block._input_norm.call(x);
      return add(mul(block.multi_query_attention.call(y), 1e-5), y);
    });
  },
};

/** All of them. */
export const ATTENTION: readonly Mistake[] = [
  ...MULTIHEAD,
  operatorScale,
  ...MULTI_QUERY,
  positionTable,
  preNorm,
  layerScale,
];
