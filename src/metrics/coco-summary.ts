/** The twelve figures of COCO, and a table of classes: means over the curves of `coco-evaluation.ts`, -1 where there are none. */
import type { CocoCategory } from "./coco-dataset.ts";
import { AREAS, IOU_THRESHOLDS } from "./match-boxes.ts";
import { pairwiseMean } from "./pairwise-mean.ts";

/** pycocotools' `stats`, in its order; each in [0, 1], or -1 where no ground truth counts. */
export interface CocoSummary {
  /** Average precision over thresholds 0.5 .. 0.95, classes and recalls. */
  readonly AP: number;
  /** At threshold 0.5, and at 0.75. */
  readonly AP50: number;
  readonly AP75: number;
  /** Of small (up to 32 x 32 pixels), medium (up to 96 x 96) and large objects. */
  readonly APs: number;
  readonly APm: number;
  readonly APl: number;
  /** Average recall over thresholds and classes with the best 1, 10, 100 detections a picture and class. */
  readonly AR1: number;
  readonly AR10: number;
  readonly AR100: number;
  /** With 100, of small, medium and large objects. */
  readonly ARs: number;
  readonly ARm: number;
  readonly ARl: number;
}

/** One class. */
export interface ClassFigures {
  readonly id: number;
  readonly name: string;
  /** -1 where no ground truth counts, as the others. */
  readonly AP: number;
  readonly AP50: number;
  readonly AR100: number;
  /** Those that are no crowds. */
  readonly ground_truths: number;
  readonly crowds: number;
  /** All that were given, also beyond the best 100 of a picture. */
  readonly detections: number;
}

/** The curves. */
export interface Curves {
  /** K. */
  readonly categories: readonly CocoCategory[];
  /** [T, R, K, A, M]. */
  readonly precision: Float64Array;
  /** [T, K, A, M]. */
  readonly recall: Float64Array;
}

/** Which curves a mean is of: all thresholds and classes unless said, areas "all", 100 detections. */
interface Part {
  readonly t?: number;
  readonly k?: number;
  readonly a?: number;
  readonly m?: number;
}

const M = 3;

/** Index of 0.75 among the thresholds. */
const T75 = 5;

/** The twelve figures. */
export function summaryOf(curves: Curves): CocoSummary {
  const ap = (part: Part = {}): number => meanOf(curves, "precision", part);
  const ar = (part: Part = {}): number => meanOf(curves, "recall", part);
  return {
    AP: ap(),
    AP50: ap({ t: 0 }),
    AP75: ap({ t: T75 }),
    APs: ap({ a: 1 }),
    APm: ap({ a: 2 }),
    APl: ap({ a: 3 }),
    AR1: ar({ m: 0 }),
    AR10: ar({ m: 1 }),
    AR100: ar(),
    ARs: ar({ a: 1 }),
    ARm: ar({ a: 2 }),
    ARl: ar({ a: 3 }),
  };
}

/** The table of classes; `counts` has a line for each. */
export function classFigures(
  curves: Curves,
  counts: readonly Pick<ClassFigures, "ground_truths" | "crowds" | "detections">[],
): ClassFigures[] {
  return curves.categories.map(({ id, name }, k) => ({
    id,
    name,
    AP: meanOf(curves, "precision", { k }),
    AP50: meanOf(curves, "precision", { k, t: 0 }),
    AR100: meanOf(curves, "recall", { k }),
    ...counts[k],
  }));
}

/** Mean of the entries that are not -1, thresholds first, then recalls, then classes; -1 where there is none. */
function meanOf(
  { categories, precision, recall }: Curves,
  which: "precision" | "recall",
  { t, k, a = 0, m = M - 1 }: Part,
): number {
  const [T, K, A] = [IOU_THRESHOLDS.length, categories.length, AREAS.length];
  const data = which === "precision" ? precision : recall;
  const R = K === 0 ? 0 : data.length / (T * K * A * M);
  const values: number[] = [];
  for (let i = t ?? 0; i < (t === undefined ? T : t + 1); i++) {
    for (let r = 0; r < R; r++) {
      for (let j = k ?? 0; j < (k === undefined ? K : k + 1); j++) {
        const value = data[(((i * R + r) * K + j) * A + a) * M + m];
        if (value > -1) values.push(value);
      }
    }
  }
  return values.length === 0 ? -1 : pairwiseMean(Float64Array.from(values));
}
