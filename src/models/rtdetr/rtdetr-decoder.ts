/**
 * The detection head of RT-DETR (arXiv 2304.08069; Ultralytics' RTDETRDecoder): projects the maps, picks the best
 * tokens as queries and refines their boxes layer by layer.
 */
import type { Pair } from "../../backend/backend.ts";
import { fail } from "../../errors.ts";
import {
  BatchNorm2d,
  Conv2d,
  Embedding,
  LayerNorm,
  Linear,
  Module,
  ModuleList,
  observe,
  Sequential,
} from "../../nn/index.ts";
import { add, cat, gather, max, mul, sigmoid, topk } from "../../ops/index.ts";
import { formatShape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { anchorLogits, logit } from "./anchors.ts";
import { DeformableTransformerDecoder } from "./decoder.ts";
import { MLP } from "./mlp.ts";

/** The arguments of RTDETRDecoder in a YAML file, in their order, with Ultralytics' defaults. */
export interface RTDETRDecoderArguments {
  /** Classes. */
  readonly nc: number;
  /** Channels of each input map. */
  readonly ch: readonly number[];
  /** Width of a query; 256. */
  readonly hd?: number;
  /** Queries; 300. */
  readonly nq?: number;
  /** Sampling points per head and level; 4. */
  readonly ndp?: number;
  /** Attention heads; 8. */
  readonly nh?: number;
  /** Decoder layers; 6. */
  readonly ndl?: number;
  /** Hidden width of the feed-forward part; 1024. */
  readonly dFfn?: number;
}

/** What the detector gives. Q queries, K classes. */
export interface DetectorOutput {
  /** Shape [N, Q, 4 + K]; cx, cy, w, h in [0, 1], then the sigmoid class scores of the last layer. */
  readonly output0: Tensor;
  /** Shape [N, Q], i32; the chosen tokens, best first. */
  readonly index: Tensor;
  /** Shape [N, Q, 4]; the encoder's boxes of the chosen tokens. */
  readonly enc_bboxes: Tensor;
  /** Shape [N, Q, K]; the encoder's class logits of the chosen tokens. */
  readonly enc_scores: Tensor;
}

/** What a caller may impose on a run. */
export interface DecoderOptions {
  /** Shape [N, Q], i32; use these tokens as queries instead of the best ones; for comparison with another runtime. */
  readonly index?: Tensor;
}

/** Maps [N, ch[i], h_i, w_i] to {@link DetectorOutput}. */
export class RTDETRDecoder extends Module<[readonly Tensor[], DecoderOptions?], DetectorOutput> {
  /** For each map a 1x1 convolution to hd channels and BatchNorm. */
  readonly input_proj: ModuleList<Sequential>;
  readonly decoder: DeformableTransformerDecoder;
  /** QUIRK: used in training only; in the state dict, and never run. */
  readonly denoising_class_embed: Embedding;
  /** A box (cx, cy, w, h) to the position of its query. */
  readonly query_pos_head: MLP;
  /** Linear and LayerNorm over the tokens that may be queries. */
  readonly enc_output: Sequential;
  /** Class logits of tokens, by which queries are chosen. */
  readonly enc_score_head: Linear;
  /** What is added to a token's anchor, in logit space. */
  readonly enc_bbox_head: MLP;
  /** QUIRK: only the last one runs. */
  readonly dec_score_head: ModuleList<Linear>;
  /** One a layer: what is added to the logit of the box before it. */
  readonly dec_bbox_head: ModuleList<MLP>;
  /** Classes. */
  readonly nc: number;
  /** Q, at most as many as there are tokens. */
  readonly num_queries: number;

  /** Shapes alone until weights are loaded. */
  constructor(args: RTDETRDecoderArguments) {
    super();
    const { nc, ch, hd = 256, nq = 300, ndp = 4, nh = 8, ndl = 6, dFfn = 1024 } = args;
    const perLayer = <M>(make: () => M): M[] => Array.from({ length: ndl }, make);
    this.nc = nc;
    this.num_queries = nq;
    this.input_proj = new ModuleList(
      ch.map((c) => new Sequential([new Conv2d(c, hd, 1, { bias: false }), new BatchNorm2d(hd)])),
    );
    this.decoder = new DeformableTransformerDecoder(ndl, { hd, nh, dFfn, nLevels: ch.length, ndp });
    this.denoising_class_embed = new Embedding(nc, hd);
    this.query_pos_head = new MLP(4, 2 * hd, hd);
    this.enc_output = new Sequential([new Linear(hd, hd), new LayerNorm(hd)]);
    this.enc_score_head = new Linear(hd, nc);
    this.enc_bbox_head = new MLP(hd, hd, hd, 4);
    this.dec_score_head = new ModuleList(perLayer(() => new Linear(hd, nc)));
    this.dec_bbox_head = new ModuleList(perLayer(() => new MLP(hd, hd, hd, 4)));
  }

  forward(maps: readonly Tensor[], options: DecoderOptions = {}): DetectorOutput {
    const { memory, shapes } = this.encoderInput(maps);
    const selected = this.decoderInput(memory, shapes, options);
    let { embed, referBox } = selected;
    const layers = [...this.decoder.layers];
    const boxHeads = [...this.dec_bbox_head];
    observe("boxes.0", () => selected.referBox);
    layers.forEach((layer, i) => {
      embed = layer.call(embed, this.query_pos_head.call(referBox), referBox, memory, shapes);
      const refined = sigmoid(add(boxHeads[i].call(embed), logit(referBox)));
      observe(`boxes.${i + 1}`, () => refined);
      referBox = refined;
    });
    const scoreHead = [...this.dec_score_head][layers.length - 1];
    const output0 = cat([referBox, sigmoid(scoreHead.call(embed))], -1);
    return { output0, index: selected.index, enc_bboxes: selected.referBox, enc_scores: selected.scores };
  }

  /** The projected maps as one list of tokens [N, S, D], row-major, finest level first; and the levels' (h, w). */
  encoderInput(maps: readonly Tensor[]): { memory: Tensor; shapes: Pair[] } {
    const projections = [...this.input_proj];
    if (maps.length !== projections.length) {
      fail("argument", "RTDETRDecoder", `${projections.length} feature maps`, String(maps.length));
    }
    const projected = maps.map((x, i) => projections[i].call(x));
    const shapes = projected.map((x): Pair => [x.shape[2], x.shape[3]]);
    const memory = cat(
      projected.map((x) => x.flatten(2).permute(0, 2, 1)),
      1,
    );
    return { memory, shapes };
  }

  /** Query selection: the tokens with the greatest class logit, their boxes and all their logits. */
  decoderInput(
    memory: Tensor,
    shapes: readonly Pair[],
    options: DecoderOptions,
  ): { embed: Tensor; referBox: Tensor; scores: Tensor; index: Tensor } {
    const [n, tokens, d] = memory.dims3("RTDETRDecoder");
    const q = this.num_queries;
    if (tokens < q) {
      fail(
        "size",
        "RTDETRDecoder",
        `at least ${q} tokens to choose ${q} queries from`,
        `${tokens}`,
        "use a larger image",
      );
    }
    const { anchors, valid } = anchorLogits(shapes, memory.backend);
    const features = this.enc_output.call(mul(valid, memory));
    const scores = this.enc_score_head.call(features); // [N, S, K]
    const best = max(scores, -1); // [N, S]
    observe("token_scores", () => best);
    const index = options.index ?? topk(best, q, 1).indices; // [N, Q]
    if (index.ndim !== 2 || index.shape[0] !== n || index.shape[1] !== q) {
      fail("argument", "RTDETRDecoder", `indices of shape ${formatShape([n, q])}`, formatShape(index.shape));
    }
    const pick = (x: Tensor, width: number): Tensor => gather(x, 1, index.unsqueeze(-1).expand(n, q, width));
    const embed = pick(features, d);
    const referBox = sigmoid(add(this.enc_bbox_head.call(embed), pick(anchors.expand(n, tokens, 4), 4)));
    return { embed, referBox, scores: pick(scores, this.nc), index };
  }
}
