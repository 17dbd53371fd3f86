/** What the page and its worker say to each other: types alone. */
import type { Lineage, Region, TensorStatistics, Why } from "../src/inspect/index.ts";

/** A tensor of the run, by its number: the same number is the same tensor, wherever it is named. */
export interface TensorRef {
  readonly id: number;
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** A parameter or buffer of a module. */
export interface ParameterRef {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One call of a module; a module that runs three times has three. */
export interface CallRecord {
  /** Its place in the order in which calls begin; the model's own is 0. */
  readonly n: number;
  /** Of the call around it; -1 of the model's own. */
  readonly parent: number;
  readonly depth: number;
  readonly path: string;
  /** Which call of this path, from 1. */
  readonly turn: number;
  readonly kind: string;
  /** The PyTorch line. */
  readonly line: string;
  readonly quirk?: string;
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
  readonly values: readonly TensorRef[];
  readonly parameters: readonly ParameterRef[];
  /** With all below. */
  readonly parameterCount: number;
  readonly multiplyAdds: number;
  /** With all below, without the time that recording took. */
  readonly seconds: number;
  /** Its place in the order in which calls end. */
  readonly finished: number;
}

/** Statistics of a tensor. */
export type Statistics = Pick<TensorStatistics, "min" | "max" | "mean" | "std" | "zeros" | "count"> & {
  readonly histogram: readonly number[];
};

/** A whole run. */
export interface RunRecord {
  /** The network's name. */
  readonly network: string;
  readonly calls: readonly CallRecord[];
  readonly width: number;
  readonly height: number;
  /** Whether what is shown is the network's input: a trace's images, a letterboxed picture. */
  readonly seen: boolean;
  readonly imgsz: readonly [number, number];
  readonly names: readonly string[];
  readonly conf: number;
  readonly threads: number;
  /** Milliseconds: of the network alone, and with the recording. */
  readonly networkMs: number;
  readonly runMs: number;
  /** Of the tensors that were kept, and of all. */
  readonly keptBytes: number;
  readonly allBytes: number;
}

/** An element's arithmetic, with so many terms as can be read. */
export interface WhyRecord extends Why {
  /** What of the network's input it can depend on; absent where the input does not reach it. */
  readonly field?: Region;
  readonly termCount: number;
  /** Sum of the terms that are left out. */
  readonly rest: number;
}

/** Numbers of a tensor, row-major. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** What a trace file has. */
export interface TraceRecord {
  /** What it is called in questions. */
  readonly id: number;
  readonly name: string;
  /** How many tensors. */
  readonly tensors: number;
  /** Shape of the network's input, where it has that whole. */
  readonly images?: readonly number[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** One tensor of a run beside another's. */
export interface CompareRow {
  readonly ref: TensorRef;
  /** The call that gave it. */
  readonly n: number;
  /** Its name in the trace. */
  readonly name: string;
  /** "absent": the other has none; "shape": one of another shape. */
  readonly status: "equal" | "apart" | "absent" | "shape";
  /** Greatest distance, its flat position, and the other's standard deviation. */
  readonly max?: number;
  readonly at?: number;
  readonly std?: number;
  readonly theirShape?: readonly number[];
  /** So many elements were compared, where the other has samples. */
  readonly samples?: number;
}

/** A run beside another, in the order in which tensors were made. */
export interface CompareRecord {
  /** What this comparison is called in questions. */
  readonly side: number;
  readonly title: string;
  readonly rows: readonly CompareRow[];
  /** Names that fit nothing here. */
  readonly onlyTheirs: readonly string[];
}

/** Which network: the default one where it says nothing. */
export interface NetworkChoice {
  /** A backbone's name, or a configuration. */
  readonly model?: string | { readonly name: string; readonly yaml: string };
  readonly weights: ArrayBuffer;
}

/** Questions by name: what is asked with, and what is answered. */
export interface Questions {
  /**
   * Runs on a picture's bytes or a trace's images. `key` names the network and its input size; `network` comes with it where the worker
   * may not have it, and is refused as "no network" where it is missing. What is there stays until all of the new can be used.
   */
  run: {
    ask: {
      key: string;
      network?: NetworkChoice & { imgsz: readonly [number, number]; poolUrl?: string; budget: number };
      picture?: ArrayBuffer;
      trace?: number;
    };
    answer: RunRecord;
  };
  /** Opens a trace; of those that were opened before only those in `keep` stay. */
  openTrace: { ask: { name: string; bytes: ArrayBuffer; keep: readonly number[] }; answer: TraceRecord };
  /** The network's input as RGBA pixels. */
  images: { ask: object; answer: { width: number; height: number; data: Uint8ClampedArray } };
  /** Compares the run with another picture's, or with a trace. */
  compare: { ask: { title: string; picture?: ArrayBuffer; trace?: number }; answer: CompareRecord };
  /** The other side's numbers of a tensor; refused where it has samples alone, and where another comparison has begun. */
  theirs: { ask: { side: number; ref: TensorRef; name: string }; answer: Numbers };
  tensor: { ask: { tensor: number }; answer: Numbers };
  parameter: { ask: { n: number; name: string }; answer: Numbers & { statistics: Statistics } };
  statistics: { ask: { tensor: number }; answer: Statistics };
  lineage: { ask: object; answer: Lineage };
  why: { ask: { n: number; output: number; index: readonly number[] }; answer: WhyRecord };
}

/** A question on its way. */
export type Request = {
  [K in keyof Questions]: { readonly id: number; readonly kind: K } & Questions[K]["ask"];
}[keyof Questions];

/** An answer, or why there is none. */
export type Reply =
  | { readonly id: number; readonly value: Questions[keyof Questions]["answer"] }
  | { readonly id: number; readonly error: string };
