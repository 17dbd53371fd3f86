/**
 * Records a run: every call, and copies of the tensors that went in and came out, up to a budget. What is beyond the budget is
 * counted but not kept; a second run keeps what is then asked for, under the same numbers, for a run always goes the same way.
 */
import {
  countCosts,
  forwardLine,
  type Lineage,
  lineageOf,
  namedTensors,
  statisticsOf,
  type TensorStatistics,
} from "../src/inspect/index.ts";
import { quirkOf } from "../src/inspect/quirks.ts";
import { type AnyModule, modulePaths, type Observer, withObserver } from "../src/nn/index.ts";
import type { Tensor } from "../src/tensor/index.ts";
import type { CallRecord, Numbers, Statistics, TensorRef } from "./protocol.ts";

type Model = AnyModule & { call(x: Tensor): unknown };
type Draft = { -readonly [K in keyof CallRecord]: CallRecord[K] };

const BYTES = 4; // of an f32 and of an i32

/** The numbers of statistics as they travel. */
export function plain({ min, max, mean, std, zeros, count, histogram }: TensorStatistics): Statistics {
  return { min, max, mean, std, zeros, count, histogram: [...histogram] };
}

/** Everything that one run of `model` gave. */
export class Recording {
  readonly calls: CallRecord[] = [];
  readonly modules: AnyModule[] = [];
  readonly #model: Model;
  readonly #input: Tensor;
  readonly #budget: number;
  readonly #kept = new Map<number, Numbers>();
  /** What a later run fetched; only the last few. */
  readonly #fetched = new Map<number, Numbers>();
  #lineage: Lineage | undefined;
  readonly #statistics = new Map<number, Statistics>();
  keptBytes = 0;
  allBytes = 0;
  /** Without the time that recording took. */
  networkMs = 0;

  /** Runs it. `budget` in bytes. `input` stays the caller's, and must live as long as this. */
  constructor(model: Model, input: Tensor, budget: number) {
    this.#model = model;
    this.#input = input;
    this.#budget = budget;
    this.#run();
  }

  /** A tensor's numbers, kept or computed again. */
  numbers(...ids: readonly number[]): Numbers[] {
    const missing = ids.filter((id) => !this.#kept.has(id) && !this.#fetched.has(id));
    if (missing.length > 0) {
      this.#fetched.clear();
      this.#fetch(new Set(ids.filter((id) => !this.#kept.has(id))));
    }
    return ids.map((id) => {
      const found = this.#kept.get(id) ?? this.#fetched.get(id);
      if (!found) throw new Error(`the run has no tensor ${id}`);
      return found;
    });
  }

  /** What was computed from what: traced when first asked for. */
  get lineage(): Lineage {
    this.#lineage ??= lineageOf(this.#model, this.#input.shape);
    return this.#lineage;
  }

  /** A tensor's statistics: computed when first asked for, which for all of them would take longer than the run. */
  statistics(id: number): Statistics {
    const known = this.#statistics.get(id) ?? plain(statisticsOf(this.numbers(id)[0].data));
    this.#statistics.set(id, known);
    return known;
  }

  #run(): void {
    const costs = countCosts(this.#model, [this.#input]);
    const paths = modulePaths(this.#model);
    const turns = new Map<string, number>();
    const around: { draft: Draft; key: string; calls: number }[] = [];
    let overhead = 0; // milliseconds of recording
    let finished = 0;
    const number = numbering((id, tensor) => {
      const bytes = tensor.size * BYTES;
      this.allBytes += bytes;
      if (this.keptBytes + bytes > this.#budget) return;
      this.keptBytes += bytes;
      this.#kept.set(id, copyOf(tensor));
    });
    const refs = (prefix: string, value: unknown): TensorRef[] =>
      [...namedTensors(prefix, value)].map(([name, tensor]) => ({
        id: number(tensor),
        name,
        dtype: tensor.dtype,
        shape: [...tensor.shape],
      }));
    const observer: Observer = {
      call: (module, inputs, proceed) => {
        const entered = performance.now();
        const path = paths.get(module) ?? module.kind;
        const turn = (turns.get(path) ?? 0) + 1;
        turns.set(path, turn);
        const outer = around.at(-1);
        const key = outer ? `${outer.key}.${outer.calls++}` : "0";
        const draft = this.#begin(module, path, turn, outer?.draft);
        draft.inputs = refs("input", inputs.length === 1 ? inputs[0] : inputs);
        draft.multiplyAdds = costs.get(key) ?? 0;
        around.push({ draft, key, calls: 0 });
        overhead += performance.now() - entered;
        const [start, before] = [performance.now(), overhead];
        const output = proceed();
        const ended = performance.now();
        draft.seconds = Math.max(0, ended - start - (overhead - before)) / 1000;
        around.pop();
        draft.outputs = refs(path, output);
        draft.finished = finished++;
        overhead += performance.now() - ended;
        return output;
      },
      value: (name, tensor) => {
        const start = performance.now();
        const draft = around.at(-1)?.draft;
        if (draft) {
          const full = draft.path ? `${draft.path}.${name}` : name;
          draft.values = [...draft.values, ...refs(full, tensor)];
        }
        overhead += performance.now() - start;
      },
    };
    const start = performance.now();
    disposeAll(withObserver(observer, () => this.#model.call(this.#input)));
    this.networkMs = performance.now() - start - overhead;
  }

  #begin(module: AnyModule, path: string, turn: number, outer: Draft | undefined): Draft {
    const parameters = [...module.namedTensors()];
    const draft: Draft = {
      n: this.calls.length,
      parent: outer?.n ?? -1,
      depth: outer ? outer.depth + 1 : 0,
      path,
      turn,
      kind: module.kind,
      line: forwardLine(module),
      quirk: quirkOf(module, path),
      inputs: [],
      outputs: [],
      values: [],
      parameters: parameters
        .filter(([name]) => !name.includes("."))
        .map(([name, { shape }]) => ({ name, shape: [...shape] })),
      parameterCount: [...module.namedParameters()].reduce((sum, [, { size }]) => sum + size, 0),
      multiplyAdds: 0,
      seconds: 0,
      finished: 0,
    };
    this.calls.push(draft);
    this.modules.push(module);
    return draft;
  }

  /** Runs again, and keeps these alone. */
  #fetch(wanted: ReadonlySet<number>): void {
    const number = numbering((id, tensor) => {
      if (wanted.has(id)) this.#fetched.set(id, copyOf(tensor));
    });
    const see = (value: unknown): void => {
      for (const [, tensor] of namedTensors("", value)) number(tensor);
    };
    const observer: Observer = {
      call: (_module, inputs, proceed) => {
        see(inputs.length === 1 ? inputs[0] : inputs);
        const output = proceed();
        see(output);
        return output;
      },
      value: (_name, tensor) => see(tensor),
    };
    disposeAll(withObserver(observer, () => this.#model.call(this.#input)));
  }
}

/** Numbers tensors in the order in which they are seen; a view of the same memory in the same shape is the same tensor. */
function numbering(first: (id: number, tensor: Tensor) => void): (tensor: Tensor) => number {
  const known = new WeakMap<object, Map<string, number>>();
  let next = 0;
  return (tensor) => {
    const { storage, offset, shape, strides } = tensor;
    let views = known.get(storage);
    if (!views) {
      views = new Map();
      known.set(storage, views);
    }
    const view = `${offset}|${shape}|${strides}`;
    let id = views.get(view);
    if (id === undefined) {
      id = next++;
      views.set(view, id);
      first(id, tensor);
    }
    return id;
  };
}

/** Row-major copy. Maps lie channels-last: row by row, so that a row's numbers are near when all its channels read them. */
function copyOf(tensor: Tensor): Numbers {
  const { shape, strides, offset } = tensor;
  const { data } = tensor.storage;
  if (shape.length !== 4 || strides[1] !== 1 || !(data instanceof Float32Array)) {
    return { shape: [...shape], data: tensor.toArray() as Float32Array | Int32Array };
  }
  const [n, c, h, w] = shape;
  const out = new Float32Array(n * c * h * w);
  for (let i = 0; i < n; i++) {
    for (let row = 0; row < h; row++) {
      const from = offset + i * strides[0] + row * strides[2];
      for (let channel = 0; channel < c; channel++) {
        const to = ((i * c + channel) * h + row) * w;
        for (let x = 0, at = from + channel; x < w; x++, at += strides[3]) out[to + x] = data[at];
      }
    }
  }
  return { shape: [...shape], data: out };
}

function disposeAll(result: unknown): void {
  for (const [, tensor] of namedTensors("", result)) tensor.dispose();
}
