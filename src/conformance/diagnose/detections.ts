/** The way from the raw output to detections, done wrongly. */
import { matchingRows } from "../sets.ts";
import type { Mistake } from "./mistake.ts";
import type { Whole } from "./problem.ts";

/** Another way; what is not named is done rightly. */
export interface DetectionReading {
  readonly conf?: number;
  readonly boxes?: (
    cx: number,
    cy: number,
    w: number,
    h: number,
  ) => readonly [number, number, number, number];
  /** What boxes are multiplied by, along x and y. */
  readonly size?: (width: number, height: number) => readonly [number, number];
  readonly clip?: boolean;
  readonly round?: boolean;
  /** Overlap above which the weaker of two boxes goes; per class or over all. */
  readonly nms?: { readonly overlap: number; readonly perClass: boolean };
  readonly classOffset?: number;
  /** From a row's scores to those that are used. */
  readonly scores?: (scores: ArrayLike<number>) => ArrayLike<number>;
  /** Every class above the threshold is a detection. */
  readonly everyClass?: boolean;
  readonly most?: number;
}

const corners = (cx: number, cy: number, w: number, h: number): readonly [number, number, number, number] => [
  cx - w / 2,
  cy - h / 2,
  cx + w / 2,
  cy + h / 2,
];

/** Detections [n, 6] by a reading of raw output rows of `columns` numbers. */
export function detectionsBy(
  raw: Float32Array,
  columns: number,
  [height, width]: readonly [height: number, width: number],
  reading: DetectionReading & { readonly conf: number },
): Whole {
  const [sx, sy] = reading.size?.(width, height) ?? [width, height];
  const rows: number[][] = [];
  for (let at = 0; at + columns <= raw.length; at += columns) {
    const own = raw.subarray(at + 4, at + columns);
    const scores = reading.scores?.(own) ?? own;
    const box = (reading.boxes ?? corners)(raw[at], raw[at + 1], raw[at + 2], raw[at + 3]);
    let scaled = [box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy];
    if (reading.clip) scaled = scaled.map((v, i) => Math.max(0, Math.min(i % 2 === 0 ? width : height, v)));
    if (reading.round) scaled = scaled.map(Math.round);
    let best = 0;
    for (let k = 1; k < scores.length; k++) if (scores[k] > scores[best]) best = k;
    for (let k = 0; k < scores.length; k++) {
      if (!(reading.everyClass || k === best) || !(scores[k] > Math.fround(reading.conf))) continue;
      rows.push([...scaled, scores[k], k + (reading.classOffset ?? 0)]);
    }
  }
  const kept = reading.nms ? suppressed(rows, reading.nms) : rows;
  const few =
    reading.most === undefined ? kept : [...kept].sort((a, b) => b[4] - a[4]).slice(0, reading.most);
  return { shape: [few.length, 6], data: Float32Array.from(few.flat()) };
}

function suppressed(rows: readonly number[][], nms: { overlap: number; perClass: boolean }): number[][] {
  const kept: number[][] = [];
  for (const row of [...rows].sort((a, b) => b[4] - a[4])) {
    if (!kept.some((other) => (!nms.perClass || other[5] === row[5]) && overlap(other, row) > nms.overlap))
      kept.push(row);
  }
  return kept;
}

function overlap(a: readonly number[], b: readonly number[]): number {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (w <= 0 || h <= 0) return 0;
  const area = (r: readonly number[]): number => (r[2] - r[0]) * (r[3] - r[1]);
  return (w * h) / (area(a) + area(b) - w * h);
}

/** 0..1: how much of the rows that differ a prediction accounts for. */
export function explainsRows(right: Whole, got: Whole, predicted: Whole): number {
  const agree = (a: Whole, b: Whole): number => {
    const total = a.shape[0] + b.shape[0];
    return total === 0 ? 1 : (2 * matchingRows(a.data, b.data)) / total;
  };
  const now = agree(right, got);
  const then = agree(predicted, got);
  return now >= 1 ? 0 : Math.max(0, (then - now) / (1 - now));
}

const mistake = (
  name: string,
  mend: string,
  readings: readonly (readonly [string, DetectionReading])[],
): Mistake => ({
  name,
  mend,
  *guesses(problem) {
    if (problem.form !== "detections") return;
    for (const [says, detections] of readings) yield { change: { detections }, says };
  },
});

const softmax = (scores: ArrayLike<number>): number[] => {
  const powers = Array.from(scores, (p) => p / (1 - p)); // exp of the logit
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / total);
};

const exponents = (scores: ArrayLike<number>): number[] => {
  const powers = Array.from(scores, Math.exp);
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / total);
};

/** All of them. */
export const DETECTIONS: readonly Mistake[] = [
  mistake("boxes-cxcywh", "Convert cx cy w h to x1 y1 x2 y2.", [
    ["boxes are cx cy w h, not corners", { boxes: (cx, cy, w, h) => [cx, cy, w, h] }],
    ["boxes are x1 y1 w h", { boxes: (cx, cy, w, h) => [cx - w / 2, cy - h / 2, w, h] }],
    [
      "boxes reach a whole width and height from the centre",
      { boxes: (cx, cy, w, h) => [cx - w, cy - h, cx + w, cy + h] },
    ],
  ]),
  mistake("box-scale", "Multiply x by the picture's original width and y by its original height.", [
    ["boxes are left in 0..1", { size: () => [1, 1] }],
    ["width and height of the picture are exchanged", { size: (w, h) => [h, w] }],
    ["boxes are in pixels of a 640 x 640 input", { size: () => [640, 640] }],
    [
      "both axes are scaled by the longer side, as after a letterbox",
      { size: (w, h) => [Math.max(w, h), Math.max(w, h)] },
    ],
  ]),
  mistake("box-clipping", "Do not clip boxes to the picture.", [
    ["boxes are clipped to the picture", { clip: true }],
  ]),
  mistake("box-rounding", "Keep the fractions of pixels.", [
    ["boxes are rounded to whole pixels", { round: true }],
  ]),
  mistake("non-maximum-suppression", "RT-DETR needs none: keep every query above the threshold.", [
    ["overlapping boxes of a class are suppressed at 0.7", { nms: { overlap: 0.7, perClass: true } }],
    ["overlapping boxes of a class are suppressed at 0.45", { nms: { overlap: 0.45, perClass: true } }],
    ["overlapping boxes of all classes are suppressed at 0.7", { nms: { overlap: 0.7, perClass: false } }],
    ["overlapping boxes of all classes are suppressed at 0.45", { nms: { overlap: 0.45, perClass: false } }],
  ]),
  mistake("class-offset", "Classes count from 0, in the order of the score columns.", [
    ["classes are one too high", { classOffset: 1 }],
    ["classes are one too low", { classOffset: -1 }],
  ]),
  mistake(
    "confidence-threshold",
    "Keep a query if its best score is greater than the threshold that is asked for.",
    [
      ["the threshold is 0.5", { conf: 0.5 }],
      ["the threshold is 0.25", { conf: 0.25 }],
      ["the threshold is 0.3", { conf: 0.3 }],
      ["the threshold is 0.001", { conf: 0.001 }],
      ["there is no threshold", { conf: -1 }],
    ],
  ),
  mistake("scores", "Scores are the sigmoids as they come; the best class of a query is its detection.", [
    ["every class above the threshold is a detection, not the best alone", { everyClass: true }],
    ["a softmax over the classes was taken for the sigmoids", { scores: softmax }],
    ["a softmax over the classes was applied to the sigmoids", { scores: exponents }],
    ["the sigmoid is applied once more", { scores: (s) => Array.from(s, (x) => 1 / (1 + Math.exp(-x))) }],
    [
      "scores are multiplied by the first column, as if it were objectness",
      {
        scores: (s) =>
          Array.from(s)
            .slice(1)
            .map((x) => x * s[0]),
      },
    ],
  ]),
  mistake("most-detections", "Keep all queries above the threshold, up to 300.", [
    ["only the best 100 are kept", { most: 100 }],
    ["only the best is kept", { most: 1 }],
  ]),
];
