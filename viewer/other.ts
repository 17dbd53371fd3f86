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
  readonly title: string;
  /** Numbers of a tensor that has one of these names: those of samples where `positions` says so. Undefined: it has none. */
  numbers(
    ref: TensorRef,
    names: readonly string[],
  ): { readonly numbers: Numbers; readonly positions?: ArrayLike<number>; readonly name: string } | undefined;
  /** Names of its own that fit no tensor, given those that were asked for. */
  unknown(asked: ReadonlySet<string>): readonly string[];
}

/** Reads a trace; its tensors are read when they are asked for. Errors: "format". */
export function openTrace(name: string, bytes: ArrayBuffer): TraceFile {
  return readTrace(memorySource(new Uint8Array(bytes), name));
}

/** What the page is told of a trace. */
export function traceRecord({ path, tensors, shapes, metadata }: TraceFile): TraceRecord {
  return {
    name: path,
    tensors: tensors.size,
    images: shapes.get(IMAGES),
    metadata: Object.fromEntries(metadata),
  };
}

/** A trace as the other side. */
export function otherTrace(trace: TraceFile): Other {
  return {
    title: trace.path,
    numbers: (_ref, names) => {
      const name = names.find((one) => trace.tensors.has(one));
      if (name === undefined) return undefined;
      const shape = trace.shapes.get(name) ?? [];
      const data = numbersOf(trace.tensors.get(name) as never);
      return { name, numbers: { shape, data: data as Float32Array }, positions: trace.positions(name) };
    },
    unknown: (asked) => [...trace.tensors.keys()].filter((name) => !asked.has(name) && name !== IMAGES),
  };
}

/** Another run of the same network: its tensors have the same numbers. */
export function otherRun(title: string, recording: Recording): Other {
  return {
    title,
    numbers: (ref, names) => ({ name: names[0], numbers: recording.numbers(ref.id)[0] }),
    unknown: () => [],
  };
}

/** Every tensor that calls gave, once, in the order in which they were made, with the names that a trace may have for it. */
export function namedOutputs(calls: readonly CallRecord[]): { ref: TensorRef; n: number; names: string[] }[] {
  const last = new Map(calls.map(({ path, n }) => [path, n])); // a trace has the last output of what runs several times
  const found = new Map<number, { ref: TensorRef; n: number; names: string[] }>();
  for (const call of [...calls].sort((a, b) => a.finished - b.finished)) {
    const named = last.get(call.path) === call.n;
    for (const ref of [...call.values, ...call.outputs]) {
      const one = found.get(ref.id) ?? { ref, n: call.n, names: [] };
      found.set(ref.id, one);
      if (named) one.names.push(call.path === "" ? rootName(ref.name) : ref.name);
    }
  }
  return [...found.values()].filter(({ names }) => names.length > 0);
}

/** QUIRK: the network's own results are known by their fields, ".0" of a head as `output0`. */
function rootName(name: string): string {
  return name === ".0" ? "output0" : name.replace(/^\./, "");
}

/** Compares all of a run with another side, tensor by tensor. */
export function compareWith(recording: Recording, other: Other): CompareRecord {
  const outputs = namedOutputs(recording.calls);
  const rows: CompareRow[] = [];
  for (const group of groupsOf(outputs)) {
    const ours = recording.numbers(...group.map(({ ref }) => ref.id));
    for (const [i, { ref, n, names }] of group.entries()) {
      rows.push(rowOf(other, ours[i], ref, n, names));
    }
  }
  const asked = new Set(outputs.flatMap(({ names }) => names));
  return { title: other.title, rows, onlyTheirs: other.unknown(asked) };
}

function rowOf(other: Other, ours: Numbers, ref: TensorRef, n: number, names: readonly string[]): CompareRow {
  const base = { n, ref, name: names[0], names };
  const theirs = other.numbers(ref, names);
  if (!theirs) return { ...base, status: "absent" };
  const { numbers, positions, name } = theirs;
  if (String(numbers.shape) !== String(ref.shape)) {
    return { ...base, name, status: "shape", theirShape: numbers.shape };
  }
  const { max, at, std } = differenceOf(ours.data, numbers.data, positions);
  return { ...base, name, status: max === 0 ? "equal" : "apart", max, at, std, samples: positions?.length };
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
