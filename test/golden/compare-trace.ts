/**
 * Compares what every module of a run gave with a golden's trace and names the first that departs, in the order of execution:
 * where a fault starts, not where it ends.
 *
 * The tolerance of a module is in standard deviations of its output: `factor` times PyTorch's own rounding there (max |f32 -
 * f64| over the whole tensor, measured when the golden was made), at least `floor`. Both sides round, in different orders, and
 * each rounding is about as large as PyTorch's: PyTorch in channels-last memory, which sums in other orders, stays below 1.5
 * times. Five times leaves room for other kernels, and every wrong reading of the system still shows, tanh GELU the least
 * (test/golden/models/README.md).
 */
import { fail } from "../../src/errors.ts";
import type { ModelGolden } from "./golden.ts";
import { samplePositions } from "./golden.ts";

/** A module's output. Row-major, or as `strides` (in elements) say: channels-last memory needs no copy. */
export interface TraceTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  readonly strides?: readonly number[];
  readonly offset?: number;
}

/** How strictly, and what. */
export interface CompareOptions {
  /** Least tolerance, in standard deviations. Default 2e-5: some 100 roundings of f32. */
  readonly floor?: number;
  /** Tolerance as a multiple of the golden's noise. Default 5. */
  readonly factor?: number;
  /** Modules to leave out: those that a run does not have on purpose. */
  readonly ignore?: (path: string) => boolean;
  /** Where each of the golden's queries is in the run, from {@link queryOrder}. Default: in the same order. */
  readonly order?: Int32Array;
}

/** A number that is not what it should be. */
export interface Departure {
  readonly path: string;
  /** "shape", "missing", "sample", or which statistic. */
  readonly what: string;
  /** Row-major index of a sample in the golden's tensor; -1 for all else. */
  readonly index: number;
  readonly expected: number;
  readonly actual: number;
  readonly difference: number;
  readonly tolerance: number;
  /** All of it in words. */
  readonly message: string;
}

/** What a comparison found. */
export interface TraceReport {
  /** Modules that were compared. */
  readonly compared: number;
  /** One for each module that departs: its worst number. In the order of execution. */
  readonly departures: readonly Departure[];
  /** The first of them. */
  readonly first: Departure | undefined;
  /** Over all modules that were compared: the largest difference, as a fraction of its tolerance. */
  readonly worst: { readonly path: string; readonly ofTolerance: number };
  /** Largest difference, in standard deviations, by module path. */
  readonly differences: ReadonlyMap<string, number>;
}

/** Takes a run's outputs one at a time, so that no trace need be held in memory. */
export interface TraceComparer {
  /** Compares a module's output. What the golden does not know is passed over; a path seen again counts anew. */
  see(path: string, tensor: TraceTensor): void;
  /** What was found; modules that were never seen are departures. */
  report(): TraceReport;
}

const STATISTICS = ["min", "max", "mean", "mean |x|", "standard deviation"];

/** Starts a comparison with `golden`. */
export function traceComparer(golden: ModelGolden, options: CompareOptions = {}): TraceComparer {
  const { floor = 2e-5, factor = 5, ignore = () => false, order } = options;
  const byPath = new Map(golden.modules.map((module) => [module.path, module]));
  const found = new Map<string, Departure>();

  function see(path: string, tensor: TraceTensor): void {
    const module = byPath.get(path);
    if (module === undefined || ignore(path)) return;
    const { row, shape } = module;
    if (shape.join() !== tensor.shape.join()) {
      const message = `${golden.name}: ${path}: expected shape [${shape.join(", ")}], got [${tensor.shape.join(", ")}]`;
      found.set(path, { ...NOTHING, path, what: "shape", difference: Number.POSITIVE_INFINITY, message });
      return;
    }
    const numel = shape.reduce((product, side) => product * side, 1);
    const std = golden.stats[row * STATISTICS.length + 4];
    const tolerance = Math.max(floor, factor * golden.noise[row]) * std;
    let worst: Departure = { ...NOTHING, path, tolerance };
    const check = (what: string, index: number, expected: number, actual: number): void => {
      const difference = Math.abs(actual - expected);
      // A NaN is farther off than any number.
      if (Number.isNaN(worst.difference) || difference <= worst.difference) return;
      worst = { path, what, index, expected, actual, difference, tolerance, message: "" };
    };
    const at = reader(tensor);
    const place = reordering(shape, hasQueryRows(path) ? order : undefined);
    const positions = samplePositions(golden.samplePaths[row], numel, golden.samplesPerRow);
    positions.forEach((position, i) => {
      check("sample", position, golden.samples[row * golden.samplesPerRow + i], at(place(position)));
    });
    const statistics = measure(tensor, numel);
    for (const [i, what] of STATISTICS.entries()) {
      check(what, -1, golden.stats[row * STATISTICS.length + i], statistics[i]);
    }
    found.set(path, { ...worst, message: describeDeparture(golden.name, worst, shape, std) });
  }

  function report(): TraceReport {
    const departures: Departure[] = [];
    const differences = new Map<string, number>();
    let worst = { path: "", ofTolerance: 0 };
    for (const { path, row } of golden.modules) {
      if (ignore(path)) continue;
      const seen = found.get(path);
      if (seen === undefined) {
        const message = `${golden.name}: ${path}: expected an output, got none`;
        departures.push({ ...NOTHING, path, what: "missing", difference: Number.POSITIVE_INFINITY, message });
        continue;
      }
      if (!(seen.difference <= seen.tolerance)) departures.push(seen);
      const ofTolerance = seen.difference / seen.tolerance;
      if (Number.isNaN(ofTolerance) || ofTolerance > worst.ofTolerance) worst = { path, ofTolerance };
      differences.set(path, seen.difference / golden.stats[row * STATISTICS.length + 4]);
    }
    return { compared: differences.size, departures, first: departures[0], worst, differences };
  }
  return { see, report };
}

/** Compares a whole trace, held by path or handed out by a function, with `golden`. */
export function compareTrace(
  actual: ReadonlyMap<string, TraceTensor> | ((path: string) => TraceTensor | undefined),
  golden: ModelGolden,
  options: CompareOptions = {},
): TraceReport {
  const comparer = traceComparer(golden, options);
  for (const { path } of golden.modules) {
    const tensor = typeof actual === "function" ? actual(path) : actual.get(path);
    if (tensor !== undefined) comparer.see(path, tensor);
  }
  return comparer.report();
}

/** An output beside the golden's, sampled or complete: the largest difference, and the golden's spread to judge it by. */
export interface OutputDifference {
  readonly difference: number;
  /** Standard deviation of the golden's values. */
  readonly std: number;
  /** Where the largest difference is, row-major. */
  readonly index: number;
  readonly expected: number;
  readonly actual: number;
}

/**
 * Compares the output `name` ("stride8", "enc_bboxes", ...) by position; rows of queries go by `order`, from
 * {@link queryOrder}, if it is given. Throws `argument` for another shape or name.
 */
export function compareOutput(
  golden: ModelGolden,
  name: string,
  tensor: TraceTensor,
  order?: Int32Array,
): OutputDifference {
  const output = golden.outputs.get(name);
  if (output === undefined) fail("argument", golden.name, "the name of an output of its", name);
  const { shape, data, sampled } = output;
  if (shape.join() !== tensor.shape.join()) {
    fail(
      "argument",
      `${golden.name}: ${name}`,
      `shape [${shape.join(", ")}]`,
      `[${tensor.shape.join(", ")}]`,
    );
  }
  const numel = shape.reduce((product, side) => product * side, 1);
  const positions = sampled ? samplePositions(name, numel, data.length) : undefined;
  const at = reader(tensor);
  const place = reordering(shape, order);
  const mean = data.reduce((total, value) => total + value, 0) / data.length;
  const std = Math.sqrt(data.reduce((total, value) => total + (value - mean) ** 2, 0) / data.length);
  let worst: OutputDifference = { difference: -1, std, index: -1, expected: 0, actual: 0 };
  for (const [i, expected] of data.entries()) {
    const index = positions === undefined ? i : positions[i];
    const actual = at(place(index));
    const difference = Math.abs(actual - expected);
    if (!Number.isNaN(worst.difference) && !(difference <= worst.difference)) {
      worst = { difference, std, index, expected, actual };
    }
  }
  return worst;
}

/**
 * Where each of the golden's queries is among a run's, given the tokens that the run chose: element q is the run's row of the
 * golden's row q. Throws `argument` if the run chose other tokens: then no row-by-row comparison means anything.
 */
export function queryOrder(golden: ModelGolden, index: ArrayLike<number | bigint>): Int32Array {
  const rowOf = new Map(Array.from(index, (token, row) => [Number(token), row]));
  const lost = Array.from(golden.index).filter((token) => !rowOf.has(token));
  if (lost.length > 0 || rowOf.size !== golden.index.length) {
    const got = `${rowOf.size} different tokens, without ${lost.slice(0, 5).join(", ")}`;
    fail("argument", `${golden.name}: queries`, `the golden's ${golden.index.length} tokens`, got);
  }
  return golden.index.map((token) => rowOf.get(token)!);
}

/** Whether a module works on chosen queries; AIFI's tokens may happen to be as many. */
const hasQueryRows = (path: string): boolean =>
  /\.(decoder|dec_\w+|enc_bbox_head|query_pos_head)(\.|$)|^model\.\d+\.0$/.test(path);

const NOTHING: Departure = {
  path: "",
  what: "",
  index: -1,
  expected: Number.NaN,
  actual: Number.NaN,
  difference: -1,
  tolerance: 0,
  message: "",
};

function describeDeparture(name: string, found: Departure, shape: readonly number[], std: number): string {
  const { path, what, index, expected, actual, difference, tolerance } = found;
  const place = index < 0 ? what : `at [${coordinates(index, shape).join(", ")}]`;
  const off = `max |difference| ${difference.toExponential(2)}, tolerance ${tolerance.toExponential(2)}`;
  return `${name}: ${path}: ${off} (standard deviation ${std.toExponential(2)}): expected ${expected}, got ${actual} ${place}`;
}

/** From a row-major index in the golden's tensor to the same query's in the run's, if the tensor is one of queries [1, Q, ...]. */
function reordering(shape: readonly number[], order: Int32Array | undefined): (index: number) => number {
  if (order === undefined || shape.length !== 3 || shape[1] !== order.length) return (index) => index;
  const width = shape[2];
  return (index) => order[Math.floor(index / width)] * width + (index % width);
}

function coordinates(index: number, shape: readonly number[]): number[] {
  const out = [...shape];
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    out[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return out;
}

/** The element of a row-major index. */
function reader({ shape, data, strides, offset = 0 }: TraceTensor): (index: number) => number {
  if (strides === undefined) return (index) => data[offset + index];
  return (index) => data[coordinates(index, shape).reduce((at, i, axis) => at + i * strides[axis], offset)];
}

function measure(tensor: TraceTensor, numel: number): number[] {
  const { data, strides, offset = 0 } = tensor;
  // The order does not matter: memory that holds these elements and no others is read as it lies.
  const dense = strides === undefined || (offset === 0 && data.length === numel);
  const at = dense ? (index: number): number => data[offset + index] : reader(tensor);
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let total = 0;
  let absolute = 0;
  for (let i = 0; i < numel; i++) {
    const value = at(i);
    if (!(value >= min)) min = value;
    if (!(value <= max)) max = value;
    total += value;
    absolute += Math.abs(value);
  }
  const mean = total / numel;
  let squares = 0;
  for (let i = 0; i < numel; i++) squares += (at(i) - mean) ** 2;
  return [min, max, mean, absolute / numel, Math.sqrt(squares / numel)];
}
