/** The other side of a comparison: a trace, PyTorch's or anybody's, or this network's run on another picture. */
import { numbersOf } from "../src/conformance/numbers.ts";
import { readTrace, type TraceFile } from "../src/conformance/trace-read.ts";
import { memorySource } from "../src/weights/safetensors-source.ts";
import { differenceOf } from "./difference.ts";
import type { CallRecord, CompareRecord, CompareRow, Numbers, TensorRef, TraceRecord } from "./protocol.ts";
import type { Recording } from "./recorder.ts";

/** The network's input in a trace. */
export const IMAGES = "images";
const GROUP_BYTES = 64e6; // what is computed again at a time, where it was not kept

/** Somebody's numbers for tensors of a run. */
export interface Other {
  /** Makes the numbers of some tensors ready, where they have to be computed: all at a time, or a run is made for each. */
  prepare(refs: readonly TensorRef[]): void;
  /** Which of a tensor's names are looked at. */
  names(names: readonly Named[]): readonly Named[];
  /** Numbers of a tensor under a name: those of samples where `positions` says so. Undefined: it has none. */
  numbers(
    ref: TensorRef,
    name: string,
  ): { readonly numbers: Numbers; readonly positions?: ArrayLike<number> } | undefined;
  /** Names of its own that fit no tensor, given those that were asked for. */
  unknown(asked: ReadonlySet<string>): readonly string[];
}

/** A name of a tensor, and the call that gave it under that. */
export interface Named {
  readonly name: string;
  readonly n: number;
}

/** Reads a trace; its tensors are read when they are asked for. Errors: "format". */
export function openTrace(name: string, bytes: ArrayBuffer): TraceFile {
  return readTrace(memorySource(new Uint8Array(bytes), name));
}

/** What the page is told of a trace; of images of which it has samples alone it is told nothing. */
export function traceRecord(id: number, trace: TraceFile): TraceRecord {
  const { path, tensors, shapes, metadata } = trace;
  return {
    id,
    name: path,
    tensors: tensors.size,
    images: trace.positions(IMAGES) ? undefined : shapes.get(IMAGES),
    metadata: Object.fromEntries(metadata),
  };
}

/** A trace as the other side. Where a tensor is the output of several modules, it may differ under each of their names. */
export function otherTrace(trace: TraceFile): Other {
  return {
    prepare: () => {},
    names: (names) => names.filter(({ name }) => trace.tensors.has(name)),
    numbers: (_ref, name) => {
      const tensor = trace.tensors.get(name);
      if (!tensor) return undefined;
      const shape = trace.shapes.get(name) ?? [];
      return {
        numbers: { shape, data: numbersOf(tensor) as Float32Array },
        positions: trace.positions(name),
      };
    },
    unknown: (asked) => [...trace.tensors.keys()].filter((name) => !asked.has(name) && name !== IMAGES),
  };
}

/** Another run of the same network: its tensors have the same numbers. */
export function otherRun(recording: Pick<Recording, "numbers">): Other {
  return {
    prepare: (refs) => void recording.numbers(...refs.map(({ id }) => id)),
    names: (names) => names.slice(0, 1),
    numbers: (ref) => ({ numbers: recording.numbers(ref.id)[0] }),
    unknown: () => [],
  };
}

/** Every tensor that calls gave, once, in the order in which they were made, with the names that a trace may have for it. */
export function namedOutputs(calls: readonly CallRecord[]): { ref: TensorRef; n: number; names: Named[] }[] {
  const last = new Map(calls.map(({ path, n }) => [path, n])); // a trace has the last output of what runs several times
  const found = new Map<number, { ref: TensorRef; n: number; names: Named[] }>();
  for (const call of [...calls].sort((a, b) => a.finished - b.finished)) {
    const named = last.get(call.path) === call.n;
    for (const ref of [...call.values, ...call.outputs]) {
      const one = found.get(ref.id) ?? { ref, n: call.n, names: [] };
      found.set(ref.id, one);
      if (named) one.names.push({ name: call.path === "" ? rootName(ref.name) : ref.name, n: call.n });
    }
  }
  return [...found.values()].filter(({ names }) => names.length > 0);
}

/** QUIRK: the network's own results are known by their fields, ".0" of a head as `output0`. */
function rootName(name: string): string {
  return name === ".0" ? "output0" : name.replace(/^\./, "");
}

/** Compares all of a run with another side, tensor by tensor. */
export function compareWith(
  recording: Pick<Recording, "calls" | "numbers">,
  other: Other,
): Pick<CompareRecord, "rows" | "onlyTheirs"> {
  const outputs = namedOutputs(recording.calls);
  const rows: CompareRow[] = [];
  for (const group of groupsOf(outputs)) {
    const ours = recording.numbers(...group.map(({ ref }) => ref.id));
    other.prepare(group.map(({ ref }) => ref));
    for (const [i, { ref, names }] of group.entries()) rows.push(...rowsOf(other, ours[i], ref, names));
  }
  rows.sort((a, b) => recording.calls[a.n].finished - recording.calls[b.n].finished);
  const asked = new Set(outputs.flatMap(({ names }) => names.map(({ name }) => name)));
  return { rows, onlyTheirs: other.unknown(asked) };
}

/** A row for a tensor, and more where it is not the same under all of its names. */
function rowsOf(other: Other, ours: Numbers, ref: TensorRef, names: readonly Named[]): CompareRow[] {
  const known = other.names(names);
  if (known.length === 0) return [{ ...names[0], ref, status: "absent" }];
  const rows: CompareRow[] = [];
  for (const named of known) {
    const row = rowOf(other, ours, ref, named);
    if (
      !rows.some(({ status, max, at }) => status === row.status && Object.is(max, row.max) && at === row.at)
    )
      rows.push(row);
  }
  return rows;
}

function rowOf(other: Other, ours: Numbers, ref: TensorRef, { name, n }: Named): CompareRow {
  const base = { n, ref, name };
  const theirs = other.numbers(ref, name);
  if (!theirs) return { ...base, status: "absent" };
  const { numbers, positions } = theirs;
  if (String(numbers.shape) !== String(ref.shape))
    return { ...base, status: "shape", theirShape: numbers.shape };
  const { max, at, std } = differenceOf(ours.data, numbers.data, positions);
  return { ...base, status: max === 0 ? "equal" : "apart", max, at, std, samples: positions?.length };
}

/** Tensors in groups of a bounded size, so that what was not kept is computed again a few times and not once for each. */
function* groupsOf<T extends { readonly ref: TensorRef }>(list: readonly T[]): Generator<T[]> {
  let [group, bytes]: [T[], number] = [[], 0];
  for (const one of list) {
    const size = 4 * one.ref.shape.reduce((product, side) => product * side, 1);
    if (group.length > 0 && bytes + size > GROUP_BYTES) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(one);
    bytes += size;
  }
  if (group.length > 0) yield group;
}
