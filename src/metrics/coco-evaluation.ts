/**
 * Average precision and recall of boxes: pycocotools' COCOeval with iouType "bbox" and its default parameters, operation by
 * operation in double precision, so that every number has the same bits. Matching is in `match-boxes.ts`, the twelve figures and
 * the table of classes in `coco-summary.ts`.
 *
 * As there: detections of classes that the dataset lacks count for nothing, nor do ground truths of pictures that it lacks; a
 * member `ignore` of a ground truth says nothing. Unlike there, no detections at all are no error.
 */
import type { CocoAnnotation, CocoCategory, CocoDataset, CocoResult } from "./coco-dataset.ts";
import { checkIds } from "./coco-dataset.ts";
import { type ClassFigures, type CocoSummary, classFigures, summaryOf } from "./coco-summary.ts";
import { Complaints } from "./complaints.ts";
import { AREAS, emptyMatches, IOU_THRESHOLDS, linspace, type Matches, matchBoxes } from "./match-boxes.ts";

/** R: recalls at which precision is read off: 0, 0.01, ... 1. */
export const RECALLS: readonly number[] = linspace(0, 1, 101);

/** M: so many detections a picture and class, the best ones. */
export const MAX_DETS = [1, 10, 100] as const;

const MOST = MAX_DETS[MAX_DETS.length - 1];

/** Options of {@link evaluateBoxes}. */
export interface EvaluateOptions {
  /** Whether a detection must be of the ground truth's class; true unless said. Else all classes are one. */
  readonly useCats?: boolean;
}

/** What {@link evaluateBoxes} finds. */
export interface BoxEvaluation {
  /** K, by id. Without `useCats` there is one, of id -1. */
  readonly categories: readonly CocoCategory[];
  /** [T, R, K, A, M], in [0, 1]; -1 where no ground truth counts. */
  readonly precision: Float64Array;
  /** [T, K, A, M], the same. */
  readonly recall: Float64Array;
  readonly summary: CocoSummary;
  /** A line for each of `categories`. */
  readonly classes: readonly ClassFigures[];
  /** What was left out, and what is odd, in words; empty where there is nothing. */
  readonly notes: readonly string[];
}

/**
 * Evaluates detections against ground truths. Detections of equal score count in their order, pictures by id. Throws `argument`
 * with every mistake up to 20: ids that stand twice, numbers that are not finite, detections of pictures that the dataset lacks.
 */
export function evaluateBoxes(
  dataset: CocoDataset,
  detections: readonly CocoResult[],
  options: EvaluateOptions = {},
): BoxEvaluation {
  check(dataset, detections);
  const { useCats = true } = options;
  const known = dataset.categories.toSorted((a, b) => a.id - b.id);
  const categories = useCats ? known : [{ id: -1, name: "all" }];
  const truths = new Grouped(dataset.annotations, dataset, known, useCats);
  const found = new Grouped(detections, dataset, known, useCats);
  const [T, R, K, A, M] = [IOU_THRESHOLDS, RECALLS, categories, AREAS, MAX_DETS].map((axis) => axis.length);
  const precision = new Float64Array(T * R * K * A * M).fill(-1);
  const recall = new Float64Array(T * K * A * M).fill(-1);
  for (let k = 0; k < K; k++) {
    const matched = matchClass(found, truths, k);
    accumulate(matched, (t, a, m) => ({
      setRecall: (value) => {
        recall[((t * K + k) * A + a) * M + m] = value;
      },
      setPrecision: (r, value) => {
        precision[(((t * R + r) * K + k) * A + a) * M + m] = value;
      },
    }));
  }
  const tables = { categories, precision, recall };
  const counts = categories.map((_, k) => {
    const mine = truths.ofClass(k);
    const crowds = mine.filter(({ iscrowd }) => iscrowd === 1).length;
    return { ground_truths: mine.length - crowds, crowds, detections: found.ofClass(k).length };
  });
  return {
    ...tables,
    summary: summaryOf(tables),
    classes: classFigures(tables, counts),
    notes: notesOf(dataset, truths, found),
  };
}

function check(dataset: CocoDataset, detections: readonly CocoResult[]): void {
  const complaints = new Complaints();
  checkIds(dataset, "dataset", complaints);
  const finite = (entry: CocoAnnotation | CocoResult, where: string): void => {
    if (!entry.bbox.every(Number.isFinite)) complaints.add(`${where}.bbox`, "finite numbers", entry.bbox);
  };
  for (const [i, entry] of dataset.annotations.entries()) {
    finite(entry, `annotations[${i}]`);
    if (!Number.isFinite(entry.area)) complaints.add(`annotations[${i}].area`, "a finite number", entry.area);
  }
  const images = new Set(dataset.images.map(({ id }) => id));
  for (const [i, entry] of detections.entries()) {
    const { image_id, score } = entry;
    finite(entry, `detections[${i}]`);
    if (!Number.isFinite(score)) complaints.add(`detections[${i}].score`, "a finite number", score);
    if (!images.has(image_id)) {
      const mend = "are these the detections of this dataset?";
      complaints.add(`detections[${i}].image_id`, "the id of a picture of the dataset", image_id, mend);
    }
  }
  complaints.throwAny("argument");
}

/** Entries by class, picture, and their own order; those of unknown classes or pictures are left out. */
class Grouped<T extends CocoAnnotation | CocoResult> {
  /** Entries of classes that the dataset lacks. */
  readonly strangers: readonly T[];
  /** Entries of pictures that the dataset lacks, of known classes. */
  readonly astray: number;
  readonly #classes: T[][];

  constructor(
    entries: readonly T[],
    { images }: CocoDataset,
    categories: readonly CocoCategory[],
    useCats: boolean,
  ) {
    const places = new Set(images.map(({ id }) => id));
    const rank = new Map(categories.map(({ id }, k) => [id, k]));
    const classes: T[][] = categories.map(() => []);
    const strangers: T[] = [];
    let astray = 0;
    for (const entry of entries) {
      const k = rank.get(entry.category_id);
      if (k === undefined) strangers.push(entry);
      else if (places.has(entry.image_id)) classes[k].push(entry);
      else astray++;
    }
    // Without classes a picture's entries still stand class by class, which decides between equal scores. Sorting is stable.
    this.#classes = useCats ? classes : [classes.flat()];
    for (const entriesOf of this.#classes) entriesOf.sort((a, b) => a.image_id - b.image_id);
    this.strangers = strangers;
    this.astray = astray;
  }

  /** Of a class, by picture. */
  ofClass(k: number): readonly T[] {
    return this.#classes[k];
  }
}

/** A class's detections, picture after picture, the best of each first. */
interface MatchedClass {
  readonly scores: Float64Array;
  /** Place within its picture, from 0. */
  readonly ranks: Uint8Array;
  readonly matches: Matches;
  /** Ground truths that count, for each range of areas. */
  readonly truths: readonly number[];
}

function matchClass(found: Grouped<CocoResult>, truths: Grouped<CocoAnnotation>, k: number): MatchedClass {
  const [mine, theirs] = [found.ofClass(k), truths.ofClass(k)];
  const scores = new Float64Array(mine.length);
  const ranks = new Uint8Array(mine.length);
  const matches = emptyMatches(mine.length);
  const counts = AREAS.map(() => 0);
  let [d, g, count] = [0, 0, 0];
  while (d < mine.length || g < theirs.length) {
    const image = Math.min(
      d < mine.length ? mine[d].image_id : Number.POSITIVE_INFINITY,
      g < theirs.length ? theirs[g].image_id : Number.POSITIVE_INFINITY,
    );
    const [firstD, firstG] = [d, g];
    while (d < mine.length && mine[d].image_id === image) d++;
    while (g < theirs.length && theirs[g].image_id === image) g++;
    const best = mine
      .slice(firstD, d)
      .sort((a, b) => b.score - a.score)
      .slice(0, MOST);
    const counted = matchBoxes(best, theirs.slice(firstG, g), matches, count);
    for (const [a, n] of counted.entries()) counts[a] += n;
    for (const [rank, { score }] of best.entries()) {
      scores[count] = score;
      ranks[count++] = rank;
    }
  }
  return { scores: scores.subarray(0, count), ranks, matches, truths: counts };
}

/** Where the curve of a threshold, a range of areas and a most is written. */
interface Cell {
  setRecall(value: number): void;
  setPrecision(r: number, value: number): void;
}

/** NumPy's spacing(1): keeps 0 / 0 from being asked for, and 1 / 1 from being quite 1. */
const SPACING = 2 ** -52;

/** The curves of a class: precision is the greatest that is met at a recall or beyond it, 0 where the recall is never met. */
function accumulate(
  { scores, ranks, matches, truths }: MatchedClass,
  cell: (t: number, a: number, m: number) => Cell,
): void {
  const order = Uint32Array.from(scores.keys()).sort((p, q) => scores[q] - scores[p] || p - q);
  const recalls = new Float64Array(order.length);
  const precisions = new Float64Array(order.length);
  for (const [m, most] of MAX_DETS.entries()) {
    const chosen = order.filter((i) => ranks[i] < most);
    const count = chosen.length;
    for (const [a, total] of truths.entries()) {
      if (total === 0) continue;
      const [matched, ignored] = [matches.matched[a], matches.ignored[a]];
      for (let t = 0; t < IOU_THRESHOLDS.length; t++) {
        const bit = 1 << t;
        let [right, wrong] = [0, 0];
        for (let n = 0; n < count; n++) {
          const i = chosen[n];
          if ((ignored[i] & bit) === 0) {
            if ((matched[i] & bit) !== 0) right++;
            else wrong++;
          }
          recalls[n] = right / total;
          precisions[n] = right / (wrong + right + SPACING);
        }
        for (let n = count - 1; n > 0; n--) {
          if (precisions[n] > precisions[n - 1]) precisions[n - 1] = precisions[n];
        }
        const { setRecall, setPrecision } = cell(t, a, m);
        setRecall(count === 0 ? 0 : recalls[count - 1]);
        let n = 0;
        for (const [r, recall] of RECALLS.entries()) {
          while (n < count && recalls[n] < recall) n++;
          setPrecision(r, n < count ? precisions[n] : 0);
        }
      }
    }
  }
}

function notesOf(
  { annotations }: CocoDataset,
  truths: Grouped<CocoAnnotation>,
  found: Grouped<CocoResult>,
): string[] {
  const notes: string[] = [];
  const strange = (entries: readonly (CocoAnnotation | CocoResult)[], what: string): void => {
    if (entries.length === 0) return;
    const ids = [...new Set(entries.map(({ category_id }) => category_id))].sort((a, b) => a - b);
    const some = ids.length > 5 ? `${ids.slice(0, 5).join(", ")}, ...` : ids.join(", ");
    notes.push(`${entries.length} ${what} are of classes that the dataset lacks (ids ${some}): left out`);
  };
  strange(found.strangers, "detections");
  strange(truths.strangers, "ground truths");
  if (truths.astray > 0)
    notes.push(`${truths.astray} ground truths are of pictures that the dataset lacks: left out`);
  if (annotations.some(({ id }) => id === 0)) {
    notes.push(
      "a ground truth has id 0: pycocotools takes a match with it for none, and so do we; count ids from 1",
    );
  }
  return notes;
}
