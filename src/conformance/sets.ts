/**
 * Choices compared as sets. Top-k, arg-max and thresholds are discontinuous: rounding may choose otherwise where scores nearly
 * tie. Another choice passes only where the golden's own scores tie within the rule's margin, never by a looser tolerance.
 */
import { fail } from "../errors.ts";
import type { HostTensor } from "./host-tensor.ts";
import { matchRows, rowDistance } from "./match-rows.ts";
import { measure } from "./metrics.ts";
import { numbersOf, numelOf, shapeText } from "./numbers.ts";
import type { Rule } from "./tolerances.ts";
import type { Metrics } from "./verdict.ts";

/** What was ranked to make indices: the golden's scores, the axis (the last unless said), the greatest first unless said. */
export interface Ranked {
  readonly scores: HostTensor;
  readonly axis?: number;
  readonly largest?: boolean;
}

/** What sets may need beyond the two tensors. */
export interface SetContext {
  readonly ranked?: Ranked;
  /** The threshold of detections. */
  readonly conf?: number;
}

/** What a comparison of sets found. */
export interface SetVerdict {
  readonly status: "equal" | "within" | "outside" | "shape";
  readonly metrics: Metrics;
  readonly note?: string;
}

/** Compares by `rule.compare`, which is not "elements". */
export function compareSet(rule: Rule, golden: HostTensor, got: HostTensor, context: SetContext): SetVerdict {
  switch (rule.compare) {
    case "top-k":
      return compareChoice(rule, golden, got, context.ranked, "set");
    case "arg-max":
      return compareChoice(rule, golden, got, context.ranked, "one");
    case "rows":
      return compareRows(rule, golden, got);
    case "detections":
      return compareDetections(rule, golden, got, context.conf);
    default:
      return fail("argument", "compareSet", "a rule that compares sets", String(rule.compare));
  }
}

/** The lines of a tensor along an axis: where each begins, how far its elements are apart, how many there are. */
function linesOf(
  shape: readonly number[],
  axis: number | undefined,
): { starts: number[]; step: number; length: number } {
  if (shape.length === 0) return { starts: [0], step: 1, length: 1 };
  const k = axis === undefined ? shape.length - 1 : axis < 0 ? axis + shape.length : axis;
  const step = numelOf(shape.slice(k + 1));
  const length = shape[k];
  const starts: number[] = [];
  for (let outer = 0; outer < numelOf(shape.slice(0, k)); outer++) {
    for (let inner = 0; inner < step; inner++) starts.push(outer * length * step + inner);
  }
  return { starts, step, length };
}

/**
 * Indices chosen along an axis. "set": k of each line, best first; "one": the best of each line. An index in another place, or
 * another index, passes where its score is within `margin` of the score that belongs there.
 */
function compareChoice(
  rule: Rule,
  golden: HostTensor,
  got: HostTensor,
  ranked: Ranked | undefined,
  kind: "set" | "one",
): SetVerdict {
  const margin = rule.margin ?? 0;
  const metrics = measure(golden, got, { abs: 0, rel: 0 });
  if (metrics.maxAbs === 0) return { status: "equal", metrics };
  const e = numbersOf(golden);
  const g = numbersOf(got);
  const scores = ranked && numbersOf(ranked.scores);
  const scoreLines = ranked && linesOf(ranked.scores.shape, ranked.axis);
  const count = scoreLines?.starts.length ?? 1;
  const axis = kind === "one" ? undefined : ranked?.axis;
  // Arg-max has lost (or keeps, with size 1) the axis: one index for each line, in the lines' order either way.
  const lines =
    kind === "one" ? { starts: Array.from(e, (_, i) => i), step: 1, length: 1 } : linesOf(golden.shape, axis);
  const agree = scoreLines === undefined || lines.starts.length === count;
  let other = 0;
  let moved = 0;
  let bad = 0;
  let widest = 0;
  const total = e.length;
  for (const [line, start] of lines.starts.entries()) {
    const mine: number[] = [];
    const theirs: number[] = [];
    for (let i = 0; i < lines.length; i++) {
      mine.push(e[start + i * lines.step]);
      theirs.push(g[start + i * lines.step]);
    }
    const scoreAt = (index: number): number => {
      if (!scores || !scoreLines || !agree) return Number.NaN;
      const inside = Number.isInteger(index) && index >= 0 && index < scoreLines.length;
      return inside ? scores[scoreLines.starts[line] + index * scoreLines.step] : Number.NaN;
    };
    const known = new Set(mine);
    const seen = new Set<number>();
    for (let i = 0; i < mine.length; i++) {
      const doubled = seen.has(theirs[i]);
      seen.add(theirs[i]);
      if (mine[i] === theirs[i]) continue;
      if (known.has(theirs[i])) moved++;
      else other++;
      const apart = Math.abs(scoreAt(theirs[i]) - scoreAt(mine[i]));
      if (apart > widest || Number.isNaN(apart)) widest = Math.max(widest, Number.isNaN(apart) ? 0 : apart);
      // The same index twice is no choice. Without scores only order may differ, and only where a margin is allowed.
      const tie = scores ? apart <= margin || scoreAt(theirs[i]) === scoreAt(mine[i]) : false;
      if (doubled || !(tie || (!scores && margin > 0 && known.has(theirs[i])))) bad++;
    }
  }
  const what = [
    ...(other > 0 ? [`${other} of ${total} chosen are others`] : []),
    ...(moved > 0 ? [`${moved} of ${total} stand in another place`] : []),
  ].join(", ");
  const scale = scores ? `; their scores differ by at most ${widest.toPrecision(3)}, margin ${margin}` : "";
  const note = `${what}${scale}${scores || other === 0 ? "" : "; no scores are at hand to tell ties"}`;
  return {
    status: bad === 0 ? "within" : "outside",
    metrics: { ...metrics, outside: total === 0 ? 0 : bad / total },
    note,
  };
}

/** Rows of queries [N, Q, columns] (or [Q, columns]), each image by itself. */
function compareRows(rule: Rule, golden: HostTensor, got: HostTensor): SetVerdict {
  const e = numbersOf(golden);
  const g = numbersOf(got);
  const { shape } = golden;
  const columns = shape.at(-1) ?? 1;
  const rows = shape.at(-2) ?? 1;
  const images = numelOf(shape.slice(0, -2));
  const length = rows * columns;
  const arranged = new Float64Array(e.length);
  let moved = 0;
  for (let n = 0; n < images; n++) {
    const one = e.subarray(n * length, (n + 1) * length);
    const two = g.subarray(n * length, (n + 1) * length);
    const { partner } = matchRows(one, two, columns);
    for (let i = 0; i < rows; i++) {
      if (partner[i] !== i) moved++;
      for (let c = 0; c < columns; c++)
        arranged[n * length + i * columns + c] = two[partner[i] * columns + c];
    }
  }
  const metrics = measure(golden, { dtype: "F64", shape, data: arranged }, rule);
  const note = moved === 0 ? undefined : `${moved} of ${images * rows} rows stand in another place`;
  const status = metrics.outside > 0 ? "outside" : metrics.maxAbs === 0 && moved === 0 ? "equal" : "within";
  return { status, metrics, ...(note === undefined ? {} : { note }) };
}

const DETECTION_COLUMNS = 6;

/** Detections [n, 6]: x1, y1, x2, y2, score, class; the two sides may have different numbers of them. */
function compareDetections(
  rule: Rule,
  golden: HostTensor,
  got: HostTensor,
  conf: number | undefined,
): SetVerdict {
  const e = numbersOf(golden);
  const g = numbersOf(got);
  const empty = measure({ ...NOTHING }, { ...NOTHING }, rule);
  const columns = got.shape.at(-1);
  if (got.shape.length !== 2 || columns !== DETECTION_COLUMNS) {
    const note = `got ${shapeText(got.shape)}, expected [n, 6]: x1, y1, x2, y2, score, class`;
    return { status: "shape", metrics: empty, note };
  }
  const pixels = rule.pixels ?? rule.abs;
  const margin = rule.margin ?? 0;
  const n = e.length / DETECTION_COLUMNS;
  const m = g.length / DETECTION_COLUMNS;
  const partner = pairDetections(e, g, pixels, rule.abs);
  const expected: number[] = [];
  const found: number[] = [];
  let bad = 0;
  const excused: string[] = [];
  const lone: string[] = [];
  const alone = (side: string, rows: ArrayLike<number>, i: number): void => {
    const score = rows[i * DETECTION_COLUMNS + 4];
    const text = `${side} class ${rows[i * DETECTION_COLUMNS + 5]} at score ${score.toPrecision(6)}`;
    if (conf !== undefined && margin > 0 && Math.abs(score - conf) <= margin) excused.push(text);
    else {
      bad++;
      lone.push(text);
    }
  };
  const used = new Uint8Array(m);
  for (let i = 0; i < n; i++) {
    const j = partner[i];
    if (j < 0) {
      alone("lacks", e, i);
      continue;
    }
    used[j] = 1;
    let outside = false;
    for (let c = 0; c < DETECTION_COLUMNS; c++) {
      const x = e[i * DETECTION_COLUMNS + c];
      const y = g[j * DETECTION_COLUMNS + c];
      expected.push(x);
      found.push(y);
      const bound = (c < 4 ? pixels : c === 4 ? rule.abs : 0) + (c < 5 ? rule.rel * Math.abs(x) : 0);
      if (!(x === y || Math.abs(x - y) <= bound)) outside = true;
    }
    if (outside) bad++;
  }
  for (let j = 0; j < m; j++) if (!used[j]) alone("has besides", g, j);
  const measured = measure(
    { dtype: "F64", shape: [expected.length], data: Float64Array.from(expected) },
    { dtype: "F64", shape: [found.length], data: Float64Array.from(found) },
    { abs: pixels, rel: rule.rel },
  );
  const rows = n + lone.filter((text) => text.startsWith("has")).length;
  const metrics = { ...measured, outside: rows === 0 ? 0 : bad / rows };
  const moved = partner.some((j, i) => j !== i) || n !== m;
  const list = (texts: readonly string[]): string =>
    texts.slice(0, 3).join(", ") + (texts.length > 3 ? `, and ${texts.length - 3} more` : "");
  const note = [
    ...(n === m ? [] : [`got ${m} detections, expected ${n}`]),
    ...(lone.length === 0 ? [] : [list(lone)]),
    ...(excused.length === 0 ? [] : [`within ${margin} of the threshold: ${list(excused)}`]),
  ].join("; ");
  const status = bad > 0 ? "outside" : metrics.maxAbs === 0 && !moved ? "equal" : "within";
  return { status, metrics, ...(note === "" ? {} : { note }) };
}

const NOTHING: HostTensor = { dtype: "F32", shape: [0], data: new Float32Array(0) };

/** Pairs detections of one class, the nearest first, distances in units of what is allowed; farther than this is no pair. */
const REACH_PIXELS = 16;

function pairDetections(
  e: ArrayLike<number>,
  g: ArrayLike<number>,
  pixels: number,
  scores: number,
): Int32Array {
  const n = e.length / DETECTION_COLUMNS;
  const m = g.length / DETECTION_COLUMNS;
  const pairs: { i: number; j: number; far: number }[] = [];
  const reach = Math.max(REACH_PIXELS, 4 * pixels);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const a = i * DETECTION_COLUMNS;
      const b = j * DETECTION_COLUMNS;
      if (e[a + 5] !== g[b + 5]) continue;
      const box = rowDistance(e, a, g, b, 4);
      if (!(box <= reach)) continue;
      const far = box / Math.max(pixels, 1e-9) + Math.abs(e[a + 4] - g[b + 4]) / Math.max(scores, 1e-9);
      pairs.push({ i, j, far });
    }
  }
  pairs.sort((p, q) => p.far - q.far || p.i - q.i || p.j - q.j);
  const partner = new Int32Array(n).fill(-1);
  const taken = new Uint8Array(m);
  for (const { i, j } of pairs) {
    if (partner[i] >= 0 || taken[j]) continue;
    partner[i] = j;
    taken[j] = 1;
  }
  return partner;
}

/**
 * Where each of the golden's queries is among a run's, by the tokens both chose: element q is the run's row of the golden's row
 * q; undefined where they chose different ones, for then rows cannot be compared.
 */
export function queryOrder(golden: ArrayLike<number>, run: ArrayLike<number>): Int32Array | undefined {
  const rowOf = new Map(Array.from(run, (token, row) => [Number(token), row]));
  const order = Int32Array.from(golden, (token) => rowOf.get(Number(token)) ?? -1);
  return rowOf.size === golden.length && !order.includes(-1) ? order : undefined;
}

/**
 * Why a choice of k is ill-conditioned, or undefined: two scores that decide it are nearer than `noise`, the rounding of the
 * scores. `order`: whether the order among the chosen counts too.
 */
export function illConditioned(
  scores: ArrayLike<number>,
  k: number,
  noise: number,
  { order = false }: { order?: boolean } = {},
): string | undefined {
  const sorted = Float64Array.from(scores).sort().reverse();
  const gap = k > 0 && k < sorted.length ? sorted[k - 1] - sorted[k] : Number.POSITIVE_INFINITY;
  if (gap <= noise)
    return `the last of ${k} chosen is ${gap.toPrecision(2)} above the first left out; scores round at ${noise.toPrecision(2)}`;
  if (!order) return undefined;
  let ties = 0;
  for (let i = 1; i < k; i++) if (sorted[i - 1] - sorted[i] <= noise) ties++;
  return ties === 0
    ? undefined
    : `${ties} of ${k - 1} neighbours in rank are nearer than ${noise.toPrecision(2)}, at which scores round`;
}

/** How many detections [n, 6] of one list are in the other too: same class, box within a hundredth of a pixel, same score. */
export function matchingRows(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const partner = pairDetections(a, b, 0.01, 1e-4);
  let count = 0;
  partner.forEach((j, i) => {
    if (j < 0) return;
    const [p, q] = [i * DETECTION_COLUMNS, j * DETECTION_COLUMNS];
    if (rowDistance(a, p, b, q, 4) <= 0.01 && Math.abs(a[p + 4] - b[q + 4]) <= 1e-4) count++;
  });
  return count;
}
