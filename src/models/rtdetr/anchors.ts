/** Anchor boxes, one per token of the memory, and the logit that turns boxes into what the heads add to. */
import type { Backend, Pair } from "../../backend/backend.ts";
import { clamp, div, log, sub } from "../../ops/index.ts";
import { log as portableLog } from "../../portable-math.ts";
import { tensor } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Anchors with a side outside (ANCHOR_EPS, 1 - ANCHOR_EPS) are not used. */
const ANCHOR_EPS = 0.01;

/** Side of an anchor on the finest level; it doubles from level to level. */
const ANCHOR_SIZE = 0.05;

/**
 * anchors [1, S, 4]: the logit of (cx, cy, s, s), one box per pixel of every level; valid [1, S, 1]: 1 or 0.
 * QUIRK: an anchor with any of its four values outside (0.01, 0.99) is +inf throughout, and its token is zeroed for the
 * selection (not for cross-attention). All those tokens share one score: ties. Single precision, as in PyTorch.
 */
export function anchorLogits(shapes: readonly Pair[], backend: Backend): { anchors: Tensor; valid: Tensor } {
  const total = shapes.reduce((sum, [h, w]) => sum + h * w, 0);
  const anchors = new Float32Array(total * 4);
  const valid = new Float32Array(total);
  const [low, high] = [Math.fround(ANCHOR_EPS), Math.fround(1 - ANCHOR_EPS)];
  let token = 0;
  shapes.forEach(([h, w], level) => {
    const side = Math.fround(ANCHOR_SIZE * 2 ** level);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const box = [Math.fround((x + 0.5) / w), Math.fround((y + 0.5) / h), side, side];
        const inside = box.every((v) => v > low && v < high);
        valid[token] = inside ? 1 : 0;
        box.forEach((v, i) => {
          const odds = Math.fround(v / Math.fround(1 - v));
          anchors[token * 4 + i] = inside ? portableLog(odds) : Number.POSITIVE_INFINITY;
        });
        token++;
      }
    }
  });
  return {
    anchors: tensor(anchors, [1, total, 4], { backend }),
    valid: tensor(valid, [1, total, 1], { backend }),
  };
}

/** log(p / (1 - p)) with both clamped from below at 1e-5. */
export function logit(p: Tensor, eps = 1e-5): Tensor {
  const x = clamp(p, { min: 0, max: 1 });
  return log(div(clamp(x, { min: eps }), clamp(sub(1, x), { min: eps })));
}
