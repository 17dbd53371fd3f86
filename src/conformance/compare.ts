/** One tensor of a runtime against its golden: presence, shape, dtype, then numbers or sets under the golden's rule. */
import type { HostTensor, HostTensors } from "./host-tensor.ts";
import type { ExpectedTensor, Subject } from "./manifest.ts";
import { type Bound, measure } from "./metrics.ts";
import { coordinatesOf, isFloat, numbersOf, numelOf, shapeText } from "./numbers.ts";
import { samplePositions } from "./samples.ts";
import { compareSet, type Ranked } from "./sets.ts";
import { boundFor, type Rule, ruleNamed } from "./tolerances.ts";
import type { Mode, TensorVerdict } from "./verdict.ts";

/** What a comparison may need beyond the two tensors. */
export interface CompareContext {
  readonly mode: Mode;
  /** PyTorch's float64 result at the golden's elements. */
  readonly double?: HostTensor;
  /** Sets of indices: what was ranked. See {@link rankedBy}. */
  readonly ranked?: Ranked;
  /** The confidence threshold of detections. */
  readonly conf?: number;
  /** Where each of the golden's queries is among the run's ({@link queryOrder} in sets.ts): tensors [1, Q, ...] go by it. */
  readonly order?: ArrayLike<number>;
  /** Why a failure is expected and no news. */
  readonly expectedFailure?: string;
  /** Replaces the rule that the manifest names. */
  readonly rule?: Rule;
}

/**
 * Judges one tensor. `golden` holds the whole tensor, or, where `expected.samples` is given, the elements at the generator's
 * positions. A dtype that differs is no failure by itself: the numbers are compared, and the note says so.
 */
export function compareTensors(
  expected: ExpectedTensor,
  golden: HostTensor,
  got: HostTensor | undefined,
  context: CompareContext,
): TensorVerdict {
  const verdict = judge(expected, golden, got, context);
  const bad = verdict.status !== "equal" && verdict.status !== "within";
  if (context.expectedFailure === undefined || !bad) return verdict;
  const note = [`expected: ${context.expectedFailure}`, verdict.note].filter(Boolean).join("; ");
  return { ...verdict, status: "expected-failure", note };
}

function judge(
  expected: ExpectedTensor,
  golden: HostTensor,
  got: HostTensor | undefined,
  context: CompareContext,
): TensorVerdict {
  const rule = context.rule ?? ruleNamed(expected.rule);
  const base = {
    name: expected.name,
    mode: context.mode,
    rule: expected.rule,
    ...(expected.conditioning === undefined ? {} : { conditioning: expected.conditioning }),
  };
  if (got === undefined) {
    const note = `${expected.dtype} ${shapeText(expected.shape)} was asked for, nothing given`;
    return { ...base, status: "missing", note };
  }
  if (numelOf(got.shape) !== got.data.length) {
    const note = `got ${got.data.length} elements for shape ${shapeText(got.shape)}, which has ${numelOf(got.shape)}`;
    return { ...base, status: "shape", note };
  }
  // Detections may be more or fewer: a set speaks of its own length.
  if (rule.compare !== "detections" && got.shape.join() !== expected.shape.join()) {
    return { ...base, status: "shape", note: shapeNote(got.shape, expected.shape) };
  }
  const dtype =
    got.dtype === expected.dtype ? undefined : `got ${got.dtype} for ${expected.dtype}: compared as numbers`;
  if (isSet(rule, expected, context)) {
    const {
      status,
      metrics,
      note: said,
    } = compareSet({ ...rule, ...boundOf(expected, golden, context) }, golden, got, context);
    const note = [dtype, said].filter(Boolean).join("; ");
    return { ...base, status, metrics, ...(note === "" ? {} : { note }) };
  }
  const bound = boundOf(expected, golden, context);
  const positions = positionsOf(expected, context.order);
  const metrics = measure(golden, got, bound, positions === undefined ? {} : { positions });
  // Samples may miss what the whole tensor's statistics show.
  const unseen = metrics.outside > 0 ? undefined : statisticsNote(expected, got, bound.abs);
  const status =
    metrics.outside > 0 || unseen !== undefined ? "outside" : metrics.maxAbs === 0 ? "equal" : "within";
  const worst =
    metrics.outside > 0 ? worstNote(expected, golden, got, metrics.worstAt, positions, bound) : unseen;
  const note = [dtype, worst].filter(Boolean).join("; ");
  return { ...base, status, metrics, ...(note === "" ? {} : { note }) };
}

/**
 * Whether a rule's sets are to be compared: values of a top-k are numbers in order; rows go by the order that is known of the
 * queries, or by place where only samples are kept.
 */
function isSet({ compare }: Rule, { dtype, samples }: ExpectedTensor, { order }: CompareContext): boolean {
  if (compare === undefined || compare === "elements") return false;
  if (compare === "top-k") return !isFloat(dtype);
  return compare !== "rows" || (samples === undefined && order === undefined);
}

/** The bound that a golden's elements are judged by: the manifest's rule, or the context's, made absolute. */
export function boundOf(
  expected: ExpectedTensor,
  golden: HostTensor,
  context: Pick<CompareContext, "double" | "rule"> = {},
): Bound {
  const { noise, statistics } = expected;
  const rule = context.rule ?? ruleNamed(expected.rule);
  return boundFor(rule, golden, { double: context.double, noise, std: statistics?.[STATISTICS.length - 1] });
}

/** The kit's statistics have six digits: half a unit of the last is at most this share of the number. */
const STATISTIC_DIGITS = 5e-6;

const STATISTICS = ["min", "max", "mean", "mean |x|", "standard deviation"];

/** Which of the whole tensor's statistics is off by more than any single element may be; undefined: none. */
function statisticsNote(expected: ExpectedTensor, got: HostTensor, bound: number): string | undefined {
  const { statistics, samples } = expected;
  if (statistics === undefined || samples === undefined) return undefined;
  const x = numbersOf(got).filter(Number.isFinite); // as the kit's statistics are
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let total = 0;
  let absolute = 0;
  for (let i = 0; i < x.length; i++) {
    const value = x[i];
    if (!(value >= min)) min = value;
    if (!(value <= max)) max = value;
    total += value;
    absolute += Math.abs(value);
  }
  const mean = total / x.length;
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += (x[i] - mean) ** 2;
  const found = [min, max, mean, absolute / x.length, Math.sqrt(squares / x.length)];
  for (const [i, what] of STATISTICS.entries()) {
    const apart = Math.abs(found[i] - statistics[i]);
    if (!(apart <= bound + STATISTIC_DIGITS * Math.abs(statistics[i])) && found[i] !== statistics[i]) {
      return `no sample is out, but the whole tensor's ${what} is ${found[i]}, expected ${statistics[i]}, ${bound.toPrecision(3)} allowed`;
    }
  }
  return undefined;
}

/** Where in the run's tensor each golden element is; undefined: element i at i. */
export function positionsOf(
  expected: ExpectedTensor,
  order?: ArrayLike<number>,
): ArrayLike<number> | undefined {
  const { name, shape, samples, sampledAs = name } = expected;
  const numel = numelOf(shape);
  const drawn = samples === undefined ? undefined : samplePositions(sampledAs, numel, samples);
  if (order === undefined || shape.length < 2 || shape[0] !== 1 || shape[1] !== order.length) return drawn;
  const width = numel / order.length;
  const place = (at: number): number => order[Math.floor(at / width)] * width + (at % width);
  return drawn === undefined ? Float64Array.from({ length: numel }, (_, i) => place(i)) : drawn.map(place);
}

function shapeNote(got: readonly number[], expected: readonly number[]): string {
  const said = `got ${shapeText(got)}, expected ${shapeText(expected)}`;
  if (numelOf(got) !== numelOf(expected)) return said;
  const sorted = (shape: readonly number[]): string => [...shape].sort((a, b) => a - b).join();
  return `${said}: as many elements${sorted(got) === sorted(expected) ? ", the axes in another order" : ""}`;
}

function worstNote(
  expected: ExpectedTensor,
  golden: HostTensor,
  got: HostTensor,
  at: number,
  positions: ArrayLike<number> | undefined,
  bound: Bound,
): string {
  const i = positions === undefined ? at : Array.prototype.indexOf.call(positions, at);
  const right = numbersOf(golden)[i];
  const allowance = bound.abs + bound.rel * (Number.isFinite(right) ? Math.abs(right) : 0);
  const allowed = isFloat(expected.dtype) ? `, ${allowance.toPrecision(3)} allowed` : "";
  const place = shapeText(coordinatesOf(at, expected.shape));
  return `worst at ${place}: got ${digits(numbersOf(got)[at])}, expected ${digits(right)}${allowed}`;
}

/** So many digits that two f32 numbers that differ look different. */
const digits = (x: number): string => String(Number(x.toPrecision(9)));

/** What ranks what in a subject: the scores of a top-k or arg-max operator, from the case's golden inputs. */
export function rankedBy(subject: Subject, inputs: HostTensors): Ranked | undefined {
  if (subject.kind !== "operator" || (subject.name !== "topk" && subject.name !== "argmax")) return undefined;
  const [scores] = inputs.values();
  if (scores === undefined) return undefined;
  const { dim, largest } = subject.attributes;
  return {
    scores,
    ...(typeof dim === "number" ? { axis: dim } : {}),
    ...(typeof largest === "boolean" ? { largest } : {}),
  };
}
