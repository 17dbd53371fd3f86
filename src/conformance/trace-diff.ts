/**
 * Two traces beside each other, ours or foreign: tensors by name, compared in the order of the first, the first divergence found
 * and its cause guessed from the numbers alone. No network runs and no kit is needed.
 */
import { fail } from "../errors.ts";
import { boundOf, compareTensors, positionsOf } from "./compare.ts";
import { diagnose } from "./diagnose/index.ts";
import type { HostTensor, HostTensors } from "./host-tensor.ts";
import type { ExpectedTensor } from "./manifest.ts";
import { type NameMap, type Suggestion, suggestNames } from "./name-map.ts";
import { numbersOf } from "./numbers.ts";
import type { Diagnosis, TensorVerdict } from "./verdict.ts";

/** What {@link diffTraces} found. */
export interface TraceDiff {
  /** In the first trace's order; names are the first's. */
  readonly tensors: readonly TensorVerdict[];
  /** Names that only one of the two has, after the map. */
  readonly onlyInFirst: readonly string[];
  readonly onlyInSecond: readonly string[];
  /** Guesses for those. */
  readonly suggestions: readonly Suggestion[];
  readonly firstDivergence?: {
    readonly name: string;
    /** The second trace's name of it. */
    readonly theirs: string;
    readonly diagnoses: readonly Diagnosis[];
  };
}

/** Options of {@link diffTraces}. */
export interface DiffOptions {
  /** From the second trace's names to the first's; names that it does not know stay. */
  readonly map?: NameMap;
  /** The rule of `tolerances.ts`; "stage-output" unless said: what rounding leaves after many layers. */
  readonly rule?: string;
}

/** A trace: tensors whole, or samples at the positions of their own names (a `TraceFile` is one). */
export interface Trace {
  readonly tensors: HostTensors;
  /** The whole tensors' shapes; those of `tensors` unless said. */
  readonly shapes?: ReadonlyMap<string, readonly number[]>;
  /** Flat positions of a tensor's samples; undefined where it is whole. */
  positions?(name: string): ArrayLike<number> | undefined;
}

/** A pair that can be compared: both whole, or the first's samples and the second whole, or both at the same positions. */
function pairOf(
  a: Trace,
  name: string,
  b: Trace,
  theirs: string,
): { golden: HostTensor; got: HostTensor; shape: readonly number[]; samples?: number } | undefined {
  const [golden, got] = [a.tensors.get(name), b.tensors.get(theirs)];
  if (!golden || !got) return undefined;
  const at = a.positions?.(name);
  const other = b.positions?.(theirs);
  const shape = a.shapes?.get(name) ?? golden.shape;
  if (!other) return { golden, got, shape, ...(at ? { samples: at.length } : {}) };
  const whole = b.shapes?.get(theirs) ?? got.shape;
  if (whole.join() !== shape.join()) return { golden, got: { ...got, shape: whole } as HostTensor, shape };
  if (at && (name === theirs || Array.from(at).join() === Array.from(other).join())) {
    return { golden, got, shape: golden.shape };
  }
  if (at) return undefined; // samples at other places
  const numbers = numbersOf(golden);
  const data = Float64Array.from(other, (position) => numbers[position]);
  return { golden: { dtype: "F64", shape: got.shape, data }, got, shape: got.shape };
}

/** Compares a second trace with a first, which counts as right. */
export function diffTraces(a: Trace, b: Trace, options: DiffOptions = {}): TraceDiff {
  const [first, second] = [a.tensors, b.tensors];
  const { map = () => undefined, rule = "stage-output" } = options;
  const theirs = new Map<string, string>();
  for (const name of second.keys()) {
    const ours = map(name) ?? name;
    const other = theirs.get(ours);
    if (other !== undefined) {
      fail(
        "format",
        "name map",
        "a name of its own for every tensor",
        `${ours} for both ${other} and ${name}`,
      );
    }
    theirs.set(ours, name);
  }
  const tensors: TensorVerdict[] = [];
  const onlyInFirst: string[] = [];
  let divergence: TraceDiff["firstDivergence"];
  const right = new Map<string, HostTensor>();
  for (const name of first.keys()) {
    const other = theirs.get(name);
    const pair = other === undefined ? undefined : pairOf(a, name, b, other);
    if (other === undefined || pair === undefined) {
      onlyInFirst.push(name);
      continue;
    }
    const { golden, got, shape, samples } = pair;
    const expected: ExpectedTensor = {
      name,
      dtype: golden.dtype === "F64" ? got.dtype : golden.dtype,
      shape,
      ...(samples === undefined ? {} : { samples }),
      source: { file: "", key: name },
      rule,
      required: true,
    };
    const verdict = compareTensors(expected, golden, got, { mode: "chained" });
    tensors.push(verdict);
    if (verdict.status === "equal" || verdict.status === "within") right.set(name, got);
    else if (!divergence) {
      const evidence = {
        subject: NO_SUBJECT,
        name,
        inputs: new Map(),
        parameters: new Map(),
        expected: golden,
      };
      const positions = positionsOf(expected);
      const how = { shape, positions, got, bound: boundOf(expected, golden), mode: "chained" as const };
      divergence = { name, theirs: other, diagnoses: diagnose({ ...evidence, ...how, others: right }) };
    }
  }
  const onlyInSecond = [...theirs].filter(([name]) => !first.has(name)).map(([, name]) => name);
  const pick = (from: HostTensors, names: readonly string[]): [string, HostTensor][] =>
    names.map((name) => [name, from.get(name) as HostTensor]);
  const suggestions = suggestNames(pick(second, onlyInSecond), pick(first, onlyInFirst));
  return {
    tensors,
    onlyInFirst,
    onlyInSecond,
    suggestions,
    ...(divergence ? { firstDivergence: divergence } : {}),
  };
}

/** Traces do not say what makes a tensor. */
const NO_SUBJECT = { kind: "operator", name: "?", attributes: {} } as const;
