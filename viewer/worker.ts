/** The page's worker: holds the network, runs it on a picture, and answers for every number that came of it. */

import codes from "../models/codes.yaml";
import { numbersOf } from "../src/conformance/numbers.ts";
import type { TraceFile } from "../src/conformance/trace-read.ts";
import { Pipeline } from "../src/detector/pipeline.ts";
import { decodeImage } from "../src/image/index.ts";
import { receptiveField, type Step, tensorStatistics, why } from "../src/inspect/index.ts";
import { Tensor } from "../src/tensor/index.ts";
import { compareWith, IMAGES, type Other, openTrace, otherRun, otherTrace, traceRecord } from "./other.ts";
import type { Numbers, Questions, Reply, Request, RunRecord, TensorRef, WhyRecord } from "./protocol.ts";
import { plain, Recording } from "./recorder.ts";

/** What this needs of a dedicated worker's global scope, whose types do not go together with a page's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: Reply, transfer?: Transferable[]): void;
}

const scope = self as unknown as WorkerScope;
const TERMS = 300; // more than anybody reads
const OTHER_BUDGET_BYTES = 100e6; // of another picture's run
let pipeline: Pipeline | undefined;
let input: Tensor | undefined;
let recording: Recording | undefined;
let trace: TraceFile | undefined;
let other: Other | undefined;
let otherInput: Tensor | undefined;
let budget = 0;

type Answers = { [K in keyof Questions]: (ask: Questions[K]["ask"]) => Questions[K]["answer"] };

const ANSWERS: Answers = {
  load: ({ model, weights, imgsz, poolUrl, budget: bytes }) => {
    [recording, input] = [undefined, undefined];
    forgetOtherRun();
    void pipeline?.close();
    pipeline = undefined;
    budget = bytes;
    pipeline = new Pipeline({
      model: model ?? { name: "codes", yaml: codes },
      weights: new Uint8Array(weights),
      fuse: false,
      imgsz,
      threads: poolUrl ? "auto" : 1,
      workerUrl: poolUrl,
    });
    return { name: pipeline.info.model };
  },
  run: ({ picture }) => {
    const start = performance.now();
    const { model, info } = needed(pipeline);
    recording = undefined; // its memory before the next one's
    forgetOtherRun();
    input?.dispose();
    input = undefined;
    const made = picture ? pictureInput(picture) : traceInput();
    input = made.input;
    recording = new Recording(model as never, input, budget);
    const { calls, networkMs, keptBytes, allBytes } = recording;
    const { shape } = input;
    return {
      calls,
      width: made.width,
      height: made.height,
      imgsz: [shape[2], shape[3]],
      names: info.names,
      conf: info.conf,
      threads: info.threads,
      networkMs,
      runMs: performance.now() - start,
      keptBytes,
      allBytes,
    } satisfies RunRecord;
  },
  openTrace: ({ name, bytes }) => {
    trace = openTrace(name, bytes);
    forgetOtherRun();
    other = otherTrace(trace);
    return traceRecord(trace);
  },
  images: () => {
    const { data, height, width } = traceImages();
    const plane = height * width;
    const pixels = new Uint8ClampedArray(4 * plane).fill(255);
    for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) pixels[4 * i + c] = 255 * data[c * plane + i];
    return { width, height, data: pixels };
  },
  compare: ({ picture, title = "" }) => {
    const ours = needed(recording);
    if (picture) {
      forgetOtherRun();
      otherInput = pictureInput(picture).input;
      other = otherRun(title, new Recording(needed(pipeline).model as never, otherInput, OTHER_BUDGET_BYTES));
    }
    if (!other) throw new Error("expected something to compare with, got nothing: open a trace or a picture");
    return compareWith(ours, other);
  },
  theirs: ({ ref, name }) => {
    const found = other?.numbers(ref, [name]);
    if (!found) throw new Error(`the other side has no ${name}`);
    if (found.positions) throw new Error(`of ${name} the trace has ${found.positions.length} samples alone`);
    const { shape, data } = found.numbers;
    return { shape, data: Float32Array.from(data) };
  },
  tensor: ({ tensor: id }) => {
    const [{ shape, data }] = needed(recording).numbers(id);
    return { shape, data: data.slice() };
  },
  statistics: ({ tensor }) => needed(recording).statistics(tensor),
  parameter: ({ n, name }) => {
    const found = [...needed(recording).modules[n].namedTensors()].find(([own]) => own === name);
    const tensor = needed(found)[1];
    const data = Float32Array.from(tensor.toArray() as Float32Array, Number);
    return { shape: [...tensor.shape], data, statistics: plain(tensorStatistics(tensor)) };
  },
  lineage: () => needed(recording).lineage,
  why: ({ n, output, index }) => explain(n, output, index),
};

/** A picture's bytes as the network's input. */
function pictureInput(picture: ArrayBuffer): { input: Tensor; width: number; height: number } {
  const pixels = decodeImage(new Uint8Array(picture));
  return { input: needed(pipeline).preprocess(pixels), width: pixels.width, height: pixels.height };
}

/** The images of the trace as the network's input. */
function traceInput(): { input: Tensor; width: number; height: number } {
  const { data, height, width } = traceImages();
  const made = Tensor.empty(needed(pipeline).backend, [1, 3, height, width], "f32", "channels_last").keep();
  const pixels = made.storage.data as Float32Array;
  const plane = height * width;
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) pixels[3 * i + c] = data[c * plane + i];
  return { input: made, width, height };
}

function traceImages(): { data: ArrayLike<number>; height: number; width: number } {
  const tensor = trace?.tensors.get(IMAGES);
  if (!tensor) throw new Error(`expected a trace with a tensor "${IMAGES}", got none`);
  const [, , height, width] = tensor.shape;
  return { data: numbersOf(tensor), height, width };
}

/** Lets another picture's run go; a trace stays. */
function forgetOtherRun(): void {
  if (otherInput) other = trace && otherTrace(trace);
  otherInput?.dispose();
  otherInput = undefined;
}

/** The arithmetic of one element, of a step that is put together from what was recorded. */
function explain(n: number, output: number, index: readonly number[]): WhyRecord {
  const { calls, modules } = needed(recording);
  const { path, kind, inputs, outputs, values } = calls[n];
  const made: Tensor[] = [];
  const named = (refs: readonly TensorRef[]): { name: string; tensor: Tensor }[] => {
    const all = needed(recording).numbers(...[...inputs, ...outputs, ...values].map(({ id }) => id));
    const byId = new Map([...inputs, ...outputs, ...values].map(({ id }, i) => [id, all[i]]));
    return refs.map(({ id, name, dtype }) => {
      const tensor = tensorOf(needed(byId.get(id)), dtype);
      made.push(tensor);
      return { name, tensor };
    });
  };
  try {
    const step = {
      phase: "after",
      path,
      kind,
      module: modules[n],
      inputs: named(inputs),
      outputs: named(outputs),
      values: named(values),
    } as unknown as Step;
    const { terms, ...rest } = why(step, index, outputs[output].name);
    const left = terms.slice(TERMS).reduce((sum, { contribution }) => sum + contribution, 0);
    const field = receptiveField(needed(recording).lineage, n, output, index);
    return { ...rest, field, terms: terms.slice(0, TERMS), termCount: terms.length, rest: left };
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

function tensorOf({ shape, data }: Numbers, dtype: string): Tensor {
  const tensor = Tensor.empty(needed(pipeline).backend, shape, dtype as "f32" | "i32").keep();
  (tensor.storage.data as Float32Array).set(data);
  return tensor;
}

function needed<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the network has not run yet");
  return value;
}

scope.onmessage = ({ data }) => {
  const { id, kind } = data;
  try {
    const value = (ANSWERS[kind] as (ask: unknown) => Questions[keyof Questions]["answer"])(data);
    const numbers = value && "data" in value ? [value.data.buffer as ArrayBuffer] : [];
    scope.postMessage({ id, value }, numbers);
  } catch (error) {
    scope.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};
