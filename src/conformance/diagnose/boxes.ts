/** Rows of boxes and scores [..., 4 + K]: columns in another meaning. */
import type { Symptom } from "./mistake.ts";
import { explainsElementwise, positionOf, sameShape, type View } from "./view.ts";

/** Rows of the right tensor, whole; undefined where it is no tensor of boxes or sampled. */
function columnsOf({ shape, positions, right }: View): number | undefined {
  const columns = shape[shape.length - 1];
  if (positions !== undefined || shape.length < 2 || columns < 4 || right.length % columns !== 0)
    return undefined;
  return columns;
}

/** A symptom of the first four columns: `f` makes the wrong box of a right one. */
function ofBoxes(
  name: string,
  mend: string,
  says: string,
  f: (box: readonly number[]) => readonly number[],
): Symptom {
  return {
    name,
    mend,
    *find(view) {
      const columns = columnsOf(view);
      if (columns === undefined || !sameShape(view) || !looksLikeBoxes(view, columns)) return;
      const { right } = view;
      const explains = explainsElementwise(view, (x, i) => {
        const p = positionOf(view, i);
        const c = p % columns;
        if (c > 3) return x;
        const at = p - c;
        return f([right[at], right[at + 1], right[at + 2], right[at + 3]])[c];
      });
      yield { explains, says };
    },
  };
}

/** Boxes in [0, 1], or four columns alone. */
function looksLikeBoxes({ right }: View, columns: number): boolean {
  for (let at = 0; at < right.length; at += columns) {
    for (let c = 0; c < 4; c++) if (!(right[at + c] >= 0 && right[at + c] <= 1)) return false;
  }
  return true;
}

const logit = (p: number): number => Math.log(p / (1 - p));

/** A symptom of the score columns: `f` makes a row's wrong scores of the right ones. */
function ofScores(
  name: string,
  mend: string,
  says: string,
  f: (scores: readonly number[]) => readonly number[],
): Symptom {
  return {
    name,
    mend,
    *find(view) {
      const columns = columnsOf(view);
      if (columns === undefined || columns < 5 || !sameShape(view) || !looksLikeBoxes(view, columns)) return;
      const wrong = new Float64Array(view.right.length);
      for (let at = 0; at < wrong.length; at += columns) {
        const scores = Array.from(view.right.subarray(at + 4, at + columns));
        wrong.set(view.right.subarray(at, at + 4), at);
        wrong.set(f(scores), at + 4);
      }
      yield { explains: explainsElementwise(view, (_x, i) => wrong[i]), says };
    },
  };
}

function softmaxOf(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / total);
}

/** All of them. */
export const BOXES: readonly Symptom[] = [
  ofBoxes(
    "boxes-xyxy",
    "The raw output's boxes are cx cy w h in [0, 1]; corners come after it.",
    "boxes are corners x1 y1 x2 y2, not cx cy w h",
    ([cx, cy, w, h]) => [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2],
  ),
  ofBoxes(
    "boxes-xywh",
    "The raw output's boxes have their centre first: cx cy w h.",
    "boxes are x1 y1 w h, the corner in place of the centre",
    ([cx, cy, w, h]) => [cx - w / 2, cy - h / 2, w, h],
  ),
  ofBoxes(
    "boxes-cxcywh",
    "These boxes are corners x1 y1 x2 y2: convert them.",
    "boxes are cx cy w h, not corners",
    ([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1],
  ),
  ofBoxes(
    "boxes-sigmoid-missing",
    "Apply the sigmoid to the refined boxes.",
    "boxes are logits: the sigmoid is missing",
    (box) => box.map(logit),
  ),
  ofBoxes(
    "boxes-axes",
    "Boxes are x before y, width before height.",
    "x and y are exchanged",
    ([x, y, w, h]) => [y, x, h, w],
  ),
  ofBoxes(
    "boxes-size-axes",
    "Boxes are cx cy w h: width before height.",
    "width and height are exchanged",
    ([x, y, w, h]) => [x, y, h, w],
  ),
  ofScores(
    "scores-sigmoid-missing",
    "Apply the sigmoid to the class logits.",
    "scores are logits: the sigmoid is missing",
    (scores) => scores.map(logit),
  ),
  ofScores(
    "softmax-for-sigmoid",
    "RT-DETR's classes are independent: apply a sigmoid to each logit.",
    "scores are a softmax over the classes, not sigmoids",
    (scores) => softmaxOf(scores.map(logit)),
  ),
  ofScores(
    "scores-order",
    "Scores are in the order of the classes.",
    "the classes are in reverse order",
    (scores) => [...scores].reverse(),
  ),
];
