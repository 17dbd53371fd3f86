/**
 * Average precision of the detections that a runtime gave, against a case's labels: the kit computes it itself, so that no runtime
 * has to (`src/metrics`). Which tolerance it has is in `tolerances.ts`.
 */
import { type CocoAnnotation, type CocoResult, evaluateBoxes } from "../metrics/index.ts";
import type { HostTensor, HostTensors } from "./host-tensor.ts";
import type { LoadedCase } from "./kit.ts";
import type { ExpectedTensor, Subject } from "./manifest.ts";
import { numbersOf } from "./numbers.ts";

/** Whether the kit computes an output itself: average precision of `detect` cases. A runtime is not asked for it. */
export function isComputed(subject: Subject, { rule }: Pick<ExpectedTensor, "rule">): boolean {
  return subject.kind === "detect" && rule.startsWith("average-precision");
}

/**
 * What a runtime gave, and `ap50` and `ap` of it, where the case has them; what the runtime itself says of them is not looked at.
 * They are left out where detections are missing or no [n, 6], which their own verdicts tell.
 */
export function withAveragePrecision(loaded: LoadedCase, got: HostTensors): HostTensors {
  const { subject, outputs } = loaded.manifest;
  const computed = outputs.filter((output) => isComputed(subject, output));
  if (subject.kind !== "detect" || computed.length === 0) return got;
  const all = new Map(got);
  const [{ shape }] = computed;
  const values = averagePrecision(loaded.inputs, got, { conf: subject.conf, classes: shape[0] });
  for (const { name } of computed) {
    const value = values && (name === "ap50" ? values.ap50 : values.ap);
    if (value) all.set(name, value);
    else all.delete(name);
  }
  return all;
}

/** Average precision [classes], F64; NaN for a class without labels. */
export interface AveragePrecision {
  /** At overlap 0.5. */
  readonly ap50: HostTensor;
  /** Over overlaps 0.5, 0.55, ... 0.95. */
  readonly ap: HostTensor;
}

/**
 * COCO's average precision of `detections.NAME` [n, 6] against the labels of `labels.NAME` [n, 5], all pictures together. Rows whose
 * score is not above `conf` count for nothing: a runtime that squared its scores would have lost them, and their order alone would
 * not tell. Nor do rows that hold what is not finite. Undefined where a picture's detections are missing or of another shape.
 */
export function averagePrecision(
  inputs: HostTensors,
  detections: HostTensors,
  { conf, classes }: { readonly conf: number; readonly classes: number },
): AveragePrecision | undefined {
  const annotations: CocoAnnotation[] = [];
  const results: CocoResult[] = [];
  const images: { id: number }[] = [];
  for (const [name, labels] of inputs) {
    if (!name.startsWith(LABELS)) continue;
    const found = detections.get(`detections.${name.slice(LABELS.length)}`);
    if (found === undefined || found.shape.length !== 2 || found.shape[1] !== 6) return undefined;
    if (found.data.length !== found.shape[0] * 6) return undefined;
    const image_id = images.length + 1;
    images.push({ id: image_id });
    for (const [x1, y1, x2, y2, label] of rowsOf(labels, 5)) {
      const bbox = [x1, y1, x2 - x1, y2 - y1] as const;
      const area = bbox[2] * bbox[3];
      const id = annotations.length + 1;
      annotations.push({ id, image_id, category_id: label, bbox, area, iscrowd: 0 });
    }
    for (const row of rowsOf(found, 6)) {
      const [x1, y1, x2, y2, score, category_id] = row;
      if (!row.every(Number.isFinite) || !(score > conf)) continue;
      results.push({ image_id, category_id, bbox: [x1, y1, x2 - x1, y2 - y1], score });
    }
  }
  const categories = Array.from({ length: classes }, (_, id) => ({ id, name: String(id) }));
  const lines = evaluateBoxes({ images, categories, annotations }, results).classes;
  const perClass = (pick: (line: (typeof lines)[number]) => number): HostTensor => ({
    dtype: "F64",
    shape: [classes],
    data: Float64Array.from(lines, (line) => (pick(line) < 0 ? Number.NaN : pick(line))),
  });
  return { ap50: perClass((line) => line.AP50), ap: perClass((line) => line.AP) };
}

const LABELS = "labels.";

function rowsOf(tensor: HostTensor, columns: number): number[][] {
  const numbers = numbersOf(tensor);
  return Array.from({ length: numbers.length / columns }, (_, i) =>
    Array.from({ length: columns }, (_, c) => numbers[i * columns + c]),
  );
}
