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
const NO_NETWORK = "no network"; // what the page knows this by
const TERMS = 300; // more than anybody reads
const OTHER_BUDGET_BYTES = 100e6; // of another picture's run
/** The network that is loaded, by the page's key. */
let network: { readonly key: string; readonly pipeline: Pipeline; readonly budget: number } | undefined;
let input: Tensor | undefined;
let recording: Recording | undefined;
const traces = new Map<number, TraceFile>();
let opened = 0;
let other: { readonly side: number; readonly of: Other } | undefined;
let otherInput: Tensor | undefined;
let sides = 0;

type Answers = { [K in keyof Questions]: (ask: Questions[K]["ask"]) => Questions[K]["answer"] };

const ANSWERS: Answers = {
  run: ({ key, network: choice, picture, trace }) => {
    const start = performance.now();
    // What may be refused comes first: until then all of the last run stays.
    const pixels = picture && decodeImage(new Uint8Array(picture));
    const images = trace === undefined ? undefined : imagesOf(trace);
    if (network?.key !== key && !choice) throw new Error(NO_NETWORK);
    const next = network?.key === key ? network : load(key, choice as NonNullable<typeof choice>);
    const { pipeline } = next;
    let made: Tensor;
    try {
      made = pixels ? pipeline.preprocess(pixels) : imagesInput(pipeline, images as Images);
    } catch (error) {
      if (next !== network) void pipeline.close();
      throw error;
    }
    recording = undefined; // its memory before the next one's
    input?.dispose();
    input = undefined;
    forgetOther();
    if (network && next !== network) void network.pipeline.close();
    network = next;
    input = made;
    recording = new Recording(pipeline.model as never, input, next.budget);
    const { calls, networkMs, keptBytes, allBytes } = recording;
    const { info } = pipeline;
    const { shape } = input;
    const seen = !pixels || info.preprocess.letterbox;
    return {
      network: info.model,
      calls,
      width: seen ? shape[3] : pixels.width,
      height: seen ? shape[2] : pixels.height,
      seen,
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
  openTrace: ({ name, bytes, keep }) => {
    const trace = openTrace(name, bytes);
    for (const id of traces.keys()) if (!keep.includes(id)) traces.delete(id);
    traces.set(++opened, trace);
    return traceRecord(opened, trace);
  },
  images: () => {
    const { shape, storage } = needed(input); // channels-last
    const [, , height, width] = shape;
    const values = storage.data as Float32Array;
    const pixels = new Uint8ClampedArray(4 * height * width).fill(255);
    for (let i = 0; i < height * width; i++)
      for (let c = 0; c < 3; c++) pixels[4 * i + c] = 255 * values[3 * i + c];
    return { width, height, data: pixels };
  },
  compare: ({ title, picture, trace }) => {
    const ours = needed(recording);
    const { pipeline } = needed(network);
    const pixels = picture && decodeImage(new Uint8Array(picture));
    forgetOther();
    let of: Other;
    if (pixels) {
      otherInput = pipeline.preprocess(pixels);
      of = otherRun(new Recording(pipeline.model as never, otherInput, OTHER_BUDGET_BYTES));
    } else of = otherTrace(needed(traces.get(trace ?? -1)));
    other = { side: ++sides, of };
    return { side: sides, title, ...compareWith(ours, of) };
  },
  theirs: ({ side, ref, name }) => {
    if (other?.side !== side)
      throw new Error("expected the comparison that is shown, got another one, begun later");
    const found = other.of.numbers(ref, name);
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

type Choice = NonNullable<Questions["run"]["ask"]["network"]>;

/** A network that can run. Errors are `Pipeline`'s. */
function load(key: string, { model, weights, imgsz, poolUrl, budget }: Choice): NonNullable<typeof network> {
  const pipeline = new Pipeline({
    model: model ?? { name: "codes", yaml: codes },
    weights: new Uint8Array(weights),
    fuse: false,
    imgsz,
    threads: poolUrl ? "auto" : 1,
    workerUrl: poolUrl,
  });
  return { key, pipeline, budget };
}

/** Images of a trace, [3, H, W]. */
interface Images {
  readonly data: ArrayLike<number>;
  readonly height: number;
  readonly width: number;
}

function imagesOf(id: number): Images {
  const tensor = traces.get(id)?.tensors.get(IMAGES);
  if (!tensor) throw new Error(`expected a trace with a tensor "${IMAGES}", got none`);
  const [, , height, width] = tensor.shape;
  return { data: numbersOf(tensor), height, width };
}

/** Images as the network's input. */
function imagesInput(pipeline: Pipeline, { data, height, width }: Images): Tensor {
  pipeline.model.checkInputSize([height, width]);
  const made = Tensor.empty(pipeline.backend, [1, 3, height, width], "f32", "channels_last").keep();
  const pixels = made.storage.data as Float32Array;
  const plane = height * width;
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) pixels[3 * i + c] = data[c * plane + i];
  return made;
}

/** Lets the other side of a comparison go. */
function forgetOther(): void {
  other = undefined;
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
  const tensor = Tensor.empty(needed(network).pipeline.backend, shape, dtype as "f32" | "i32").keep();
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
