/** The detection head read wrongly: which tokens may be queries, how boxes are refined. */
import type { Pair } from "../../backend/backend.ts";
import { RTDETRDecoder } from "../../models/index.ts";
import { anchorLogits, logit } from "../../models/rtdetr/anchors.ts";
import { add, cat, clamp, gather, max, mul, sigmoid, topk } from "../../ops/index.ts";
import { tensor } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { inEvery, type Mistake, withForward } from "./mistake.ts";
import type { Change } from "./problem.ts";

/** How the head may be read; what is not named is right. */
interface Reading {
  readonly eps?: number;
  readonly allValid?: boolean;
  readonly maskMemory?: boolean;
  readonly noAnchors?: boolean;
  readonly byFirstClass?: boolean;
  readonly ascending?: boolean;
  readonly levelsReversed?: boolean;
  readonly scoreLayer?: number;
  readonly encoderBoxes?: boolean;
  readonly noRefinement?: boolean;
  readonly noScoreSigmoid?: boolean;
  readonly rawMemory?: boolean;
}

function head(reading: Reading): Change {
  return inEvery(RTDETRDecoder, (model) => {
    withForward(model, ((maps: readonly Tensor[]) => {
      const { memory: tokens, shapes } = model.encoderInput(maps);
      const [n, count, d] = tokens.dims3("RTDETRDecoder");
      const { anchors, valid } = anchorsBy(reading, shapes, tokens);
      const memory = reading.maskMemory ? mul(valid, tokens) : tokens;
      const features = model.enc_output.call(reading.allValid ? tokens : mul(valid, tokens));
      const logits = model.enc_score_head.call(features);
      const ranking = reading.byFirstClass ? logits.select(2, 0) : max(logits, -1);
      const q = model.num_queries;
      const index = topk(ranking, q, 1, { largest: !reading.ascending }).indices;
      const pick = (x: Tensor, width: number): Tensor =>
        gather(x, 1, index.unsqueeze(-1).expand(n, q, width));
      let embed = pick(reading.rawMemory ? tokens : features, d);
      const start = model.enc_bbox_head.call(pick(features, d));
      let box = sigmoid(reading.noAnchors ? start : add(start, pick(anchors.expand(n, count, 4), 4)));
      const first = box;
      const layers = [...model.decoder.layers];
      const boxHeads = [...model.dec_bbox_head];
      layers.forEach((layer, i) => {
        embed = layer.call(embed, model.query_pos_head.call(box), box, memory, shapes);
        const step = boxHeads[i].call(embed);
        box = sigmoid(reading.noRefinement ? step : add(step, logitBy(box, reading.eps)));
      });
      const heads = [...model.dec_score_head];
      const raw = heads[reading.scoreLayer ?? layers.length - 1].call(embed);
      const scores = reading.noScoreSigmoid ? raw : sigmoid(raw);
      const output0 = cat([reading.encoderBoxes ? first : box, scores], -1);
      return { output0, index, enc_bboxes: first, enc_scores: pick(logits, model.nc) };
    }) as never);
    return true;
  });
}

function logitBy(box: Tensor, eps: number | undefined): Tensor {
  return eps === 0 ? logit(clamp(box, { min: 1e-38, max: 1 }), 1e-38) : logit(box, eps);
}

function anchorsBy(
  reading: Reading,
  shapes: readonly Pair[],
  like: Tensor,
): { anchors: Tensor; valid: Tensor } {
  const made = anchorLogits(shapes, like.backend);
  if (!reading.levelsReversed && !reading.allValid) return made;
  if (reading.allValid) {
    const numbers = made.anchors.toFloat32Array().map((v) => (v === Number.POSITIVE_INFINITY ? 0 : v));
    return { anchors: tensor(numbers, made.anchors.shape, { backend: like.backend }), valid: made.valid };
  }
  const other = anchorLogits([...shapes].reverse(), like.backend);
  return other;
}

const mistake = (name: string, mend: string, readings: readonly (readonly [string, Reading])[]): Mistake => ({
  name,
  mend,
  *guesses(problem) {
    if (!problem.has((module) => module instanceof RTDETRDecoder)) return;
    for (const [says, reading] of readings) yield { change: head(reading), says };
  },
});

/** All of them. */
export const DECODER: readonly Mistake[] = [
  mistake(
    "inverse-sigmoid-eps",
    "logit(p) = log(max(p, 1e-5) / max(1 - p, 1e-5)), p clamped to 0..1 first.",
    [
      ["the inverse sigmoid clamps at 1e-3, not at 1e-5", { eps: 1e-3 }],
      ["the inverse sigmoid clamps at 1e-2, not at 1e-5", { eps: 1e-2 }],
      ["the inverse sigmoid clamps at 1e-6, not at 1e-5", { eps: 1e-6 }],
      ["the inverse sigmoid does not clamp", { eps: 0 }],
    ],
  ),
  mistake(
    "anchor-mask",
    "Tokens whose anchor is outside (0.01, 0.99) are zeroed for the selection only, their anchors +inf.",
    [
      ["all anchors are taken for valid", { allValid: true }],
      ["the zeroed tokens are what cross-attention sees too", { maskMemory: true }],
    ],
  ),
  mistake(
    "anchors",
    "The reference box is sigmoid(enc_bbox_head(token) + anchor), anchors from fine to coarse.",
    [
      ["the anchors are not added", { noAnchors: true }],
      ["the anchors are made from coarse to fine", { levelsReversed: true }],
    ],
  ),
  mistake("top-k", "Take the tokens with the greatest logit over all classes, best first.", [
    ["tokens are ranked by their first class alone", { byFirstClass: true }],
    ["the tokens with the least logits are taken", { ascending: true }],
  ]),
  mistake("box-refinement", "ref = sigmoid(bbox_head(t) + logit(ref)), layer after layer.", [
    ["the reference box is not added before the sigmoid", { noRefinement: true }],
    ["the encoder's boxes were given, not the refined ones", { encoderBoxes: true }],
  ]),
  mistake("score-head", "Scores are the sigmoid of the last decoder layer's head.", [
    ["the first layer's score head is used", { scoreLayer: 0 }],
    ["the scores' sigmoid is left out", { noScoreSigmoid: true }],
  ]),
  mistake("query-content", "Queries start as the chosen rows of enc_output(memory), not of the memory.", [
    ["queries start as rows of the memory itself", { rawMemory: true }],
  ]),
];
