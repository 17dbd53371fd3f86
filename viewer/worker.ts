/** The page's worker: holds the network, runs it on a picture, and answers for every number that came of it. */

import codes from "../models/codes.yaml";
import { Pipeline } from "../src/detector/pipeline.ts";
import { decodeImage } from "../src/image/index.ts";
import { type Step, tensorStatistics, why } from "../src/inspect/index.ts";
import { Tensor } from "../src/tensor/index.ts";
import type { Numbers, Questions, Reply, Request, TensorRef, WhyRecord } from "./protocol.ts";
import { plain, Recording } from "./recorder.ts";

/** What this needs of a dedicated worker's global scope, whose types do not go together with a page's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: Reply, transfer?: Transferable[]): void;
}

const scope = self as unknown as WorkerScope;
const TERMS = 300; // more than anybody reads
let pipeline: Pipeline | undefined;
let input: Tensor | undefined;
let recording: Recording | undefined;
let budget = 0;

type Answers = { [K in keyof Questions]: (ask: Questions[K]["ask"]) => Questions[K]["answer"] };

const ANSWERS: Answers = {
  load: ({ weights, imgsz, poolUrl, budget: bytes }) => {
    [recording, input] = [undefined, undefined];
    void pipeline?.close();
    budget = bytes;
    pipeline = new Pipeline({
      model: { name: "codes", yaml: codes, weights: new Uint8Array(weights) },
      fuse: false,
      imgsz,
      threads: poolUrl ? "auto" : 1,
      workerUrl: poolUrl,
    });
    return undefined;
  },
  run: ({ picture }) => {
    const start = performance.now();
    const { model, info, preprocess } = bound(needed(pipeline));
    recording = undefined; // its memory before the next one's
    input?.dispose();
    const pixels = decodeImage(new Uint8Array(picture));
    input = preprocess(pixels);
    recording = new Recording(model as never, input, budget);
    const { calls, networkMs, keptBytes, allBytes } = recording;
    return {
      calls,
      width: pixels.width,
      height: pixels.height,
      imgsz: [info.imgsz[0], info.imgsz[1]],
      names: info.names,
      conf: info.conf,
      threads: info.threads,
      networkMs,
      runMs: performance.now() - start,
      keptBytes,
      allBytes,
    };
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
    return { ...rest, terms: terms.slice(0, TERMS), termCount: terms.length, rest: left };
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

function tensorOf({ shape, data }: Numbers, dtype: string): Tensor {
  const tensor = Tensor.empty(needed(pipeline).backend, shape, dtype as "f32" | "i32").keep();
  (tensor.storage.data as Float32Array).set(data);
  return tensor;
}

function bound(of: Pipeline): Pick<Pipeline, "model" | "info" | "preprocess"> {
  return { model: of.model, info: of.info, preprocess: (pixels) => of.preprocess(pixels) };
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
