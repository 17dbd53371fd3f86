/**
 * Which detections of one picture and class meet a ground truth, at every threshold and for every range of areas: what
 * pycocotools' COCOeval.evaluateImg does.
 *
 * The best detection chooses first, and takes the free ground truth that it overlaps most, if by as much as the threshold. Ground
 * truths that are ignored (crowds, and those outside the range of areas) are taken only where no other is left, and then neither
 * counts. A crowd is always free.
 */
import { boxIou } from "./box-iou.ts";
import type { CocoAnnotation, CocoResult } from "./coco-dataset.ts";

/** T: overlaps from which on a detection is one of the object: 0.5, 0.55, ... 0.95, as NumPy's linspace rounds them. */
export const IOU_THRESHOLDS: readonly number[] = linspace(0.5, 0.95, 10);

/** A: ranges of areas in pixels, both ends included. */
export const AREAS = [
  { name: "all", least: 0, most: 1e5 ** 2 },
  { name: "small", least: 0, most: 32 ** 2 },
  { name: "medium", least: 32 ** 2, most: 96 ** 2 },
  { name: "large", least: 96 ** 2, most: 1e5 ** 2 },
] as const;

/** `count` numbers from `low` to `high`, both included, rounded as NumPy does: the last is `high` itself. */
export function linspace(low: number, high: number, count: number): number[] {
  const step = (high - low) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? high : i * step + low));
}

/** pycocotools' bound on thresholds: an overlap of 1 may round to a little less. */
const NEARLY_WHOLE = 1 - 1e-10;

/** What became of detections: for each range of areas, for each of them, a bit a threshold. */
export interface Matches {
  /** Bit t: it met a ground truth at threshold t. */
  readonly matched: readonly Uint16Array[];
  /** Bit t: it counts neither as right nor as wrong there. */
  readonly ignored: readonly Uint16Array[];
}

/** Room for the matches of `count` detections. */
export function emptyMatches(count: number): Matches {
  const bits = (): Uint16Array[] => AREAS.map(() => new Uint16Array(count));
  return { matched: bits(), ignored: bits() };
}

/**
 * Matches one picture's detections, best first, to its ground truths, and writes into `out` from `at` on. Returns how many ground
 * truths count, for each range of areas.
 */
export function matchBoxes(
  detections: readonly CocoResult[],
  truths: readonly CocoAnnotation[],
  out: Matches,
  at: number,
): number[] {
  const count = truths.length;
  const ious = new Float64Array(detections.length * count);
  for (const [d, { bbox }] of detections.entries()) {
    for (const [g, truth] of truths.entries()) {
      ious[d * count + g] = boxIou(bbox, truth.bbox, truth.iscrowd === 1);
    }
  }
  return AREAS.map((area, a) => {
    const outside = (size: number): boolean => size < area.least || size > area.most;
    const ignored = truths.map((truth) => truth.iscrowd === 1 || outside(truth.area));
    const order = [...truths.keys()].sort((p, q) => Number(ignored[p]) - Number(ignored[q]));
    const tooSmallOrLarge = detections.map(({ bbox: [, , width, height] }) => outside(width * height));
    const free = new Uint8Array(count);

    /** The free ground truth that a detection overlaps most, those that count before the others; -1: none by so much. */
    const bestFor = (d: number, threshold: number): number => {
      let most = Math.min(threshold, NEARLY_WHOLE);
      let best = -1;
      for (const g of order) {
        if (!free[g]) continue;
        if (best >= 0 && !ignored[best] && ignored[g]) break;
        const iou = ious[d * count + g];
        if (iou < most) continue; // of equal overlaps the last one is taken
        most = iou;
        best = g;
      }
      return best;
    };

    for (const [t, threshold] of IOU_THRESHOLDS.entries()) {
      free.fill(1);
      for (let d = 0; d < detections.length; d++) {
        const best = bestFor(d, threshold);
        // QUIRK: pycocotools keeps the ground truth's id as the sign of a match, so that a match with id 0 is none.
        const matched = best >= 0 && truths[best].id !== 0;
        if (best >= 0 && truths[best].iscrowd === 0) free[best] = 0;
        if (matched) out.matched[a][at + d] |= 1 << t;
        if ((best >= 0 && ignored[best]) || (!matched && tooSmallOrLarge[d])) {
          out.ignored[a][at + d] |= 1 << t;
        }
      }
    }
    return ignored.filter((is) => !is).length;
  });
}
