/**
 * From the network's output to detections, as RT-DETR's predictor does it: no non-maximum suppression, no clipping unless
 * the picture was letterboxed, no sorting unless asked for. Single precision, as in PyTorch.
 */
import type { Pair } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { unletterbox } from "../image/network-input.ts";

/** One object. */
export interface Detection {
  /** x1, y1, x2, y2 in pixels of the original picture; may reach a little past its edges. */
  readonly box: readonly [number, number, number, number];
  /** Probability of the class, in (conf, 1]. */
  readonly score: number;
  /** Class number. */
  readonly class: number;
  /** Class name. */
  readonly name: string;
}

/** What is kept of the queries. */
export interface SelectOptions {
  /** Scores must be greater than this (strictly). */
  readonly conf: number;
  /** Class numbers wanted; all unless said. */
  readonly classes?: readonly number[];
  /** At most so many, the best ones by score; all unless said. */
  readonly max_det?: number;
  /** Best score first, instead of query order. */
  readonly sort?: boolean;
  /** Height and width of the network's input, if the picture was letterboxed into it; else it was stretched. */
  readonly letterboxed?: Pair;
}

/**
 * output [Q, 4 + K] of one image (cx, cy, w, h in [0, 1], then class scores), row-major; names [K]; the picture's width
 * and height in pixels.
 */
export function selectDetections(
  output: Float32Array,
  names: readonly string[],
  width: number,
  height: number,
  options: SelectOptions,
): Detection[] {
  const { conf, classes, max_det, sort, letterboxed } = options;
  const wanted = classes && new Set(classes);
  const f = Math.fround;
  const [outHeight, outWidth] = letterboxed ?? [height, width];
  const row = 4 + names.length;
  const found: Detection[] = [];
  for (let at = 0; at + row <= output.length; at += row) {
    let best = 0;
    for (let k = 1; k < names.length; k++) if (output[at + 4 + k] > output[at + 4 + best]) best = k;
    const score = output[at + 4 + best];
    if (!(score > f(conf)) || (wanted && !wanted.has(best))) continue;
    const [cx, cy, halfW, halfH] = [output[at], output[at + 1], f(output[at + 2] / 2), f(output[at + 3] / 2)];
    const box = [
      f(f(cx - halfW) * outWidth),
      f(f(cy - halfH) * outHeight),
      f(f(cx + halfW) * outWidth),
      f(f(cy + halfH) * outHeight),
    ];
    const own = letterboxed ? unletterbox(box, { height, width }, letterboxed) : box;
    found.push({ box: own as unknown as Detection["box"], score, class: best, name: names[best] });
  }
  return bestOf(found, max_det, sort);
}

/** The best `max_det` by score, earlier ones first where scores are equal; in their order, or best first where `sort`. */
export function bestOf(
  found: readonly Detection[],
  max_det = Number.POSITIVE_INFINITY,
  sort = false,
): Detection[] {
  const byScore = found.map((_, i) => i).sort((a, b) => found[b].score - found[a].score || a - b);
  const kept = byScore.slice(0, max_det);
  return (sort ? kept : kept.sort((a, b) => a - b)).map((i) => found[i]);
}

/**
 * Class numbers of a list of numbers and names; digits in a string are a number unless a class has that name. An error
 * (code "argument") names what the model does not know.
 */
export function classNumbers(wanted: readonly (number | string)[], names: readonly string[]): number[] {
  return wanted.map((item: unknown) => {
    const named = typeof item === "string" ? names.indexOf(item) : -1;
    const number = named >= 0 ? named : typeof item === "string" && /^\d+$/.test(item) ? Number(item) : item;
    if (typeof number !== "number" || !Number.isInteger(number) || number < 0 || number >= names.length) {
      const list = names.slice(0, 20).join(", ") + (names.length > 20 ? ", ..." : "");
      fail("argument", "classes", `numbers in [0, ${names.length}) or names (${list})`, JSON.stringify(item));
    }
    return number;
  });
}

/** A box as COCO has it: x, y, width, height. */
export function xywh([x1, y1, x2, y2]: Detection["box"]): [number, number, number, number] {
  return [x1, y1, x2 - x1, y2 - y1];
}

/** What pycocotools' users expect of a file's name without its ending: 139 for 000000000139, else the name. */
export function imageIdOf(stem: string): number | string {
  const number = /^\d+$/.test(stem) ? Number(stem) : Number.NaN;
  return Number.isSafeInteger(number) ? number : stem;
}
