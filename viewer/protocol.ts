/** What the page and its worker say to each other: types alone. */
import type { Lineage, TensorStatistics, Why } from "../src/inspect/index.ts";

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
  readonly calls: readonly CallRecord[];
  readonly width: number;
  readonly height: number;
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
  readonly termCount: number;
  /** Sum of the terms that are left out. */
  readonly rest: number;
}

/** Numbers of a tensor, row-major. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** Questions by name: what is asked with, and what is answered. */
export interface Questions {
  load: { ask: { weights: ArrayBuffer; imgsz: number; poolUrl?: string; budget: number }; answer: undefined };
  run: { ask: { picture: ArrayBuffer }; answer: RunRecord };
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
