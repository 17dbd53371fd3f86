/** What a diagnosis is made from: one tensor that is not as it should be, and what is known of how it should have been made. */
import type { HostTensor, HostTensors } from "../host-tensor.ts";
import type { Subject } from "../manifest.ts";
import type { Bound } from "../metrics.ts";

/** A tensor that went wrong. */
export interface Evidence {
  /** What makes the tensor. For one module of a model: kind "module" with its class and constructor arguments. */
  readonly subject: Subject;
  /** The tensor's name among the subject's outputs. */
  readonly name: string;
  /** Its index among the subject's outputs, where there are several. 0 unless said. */
  readonly output?: number;
  /** What entered, in the subject's order: golden inputs. Empty where they are not at hand: then nothing is recomputed. */
  readonly inputs: HostTensors;
  /** State-dict entries by their names within the subject: "weight", "_expand_conv.conv.weight". */
  readonly parameters: HostTensors;
  /** The golden: the whole tensor, or the elements at `positions`. */
  readonly expected: HostTensor;
  /** The whole tensor's shape. */
  readonly shape: readonly number[];
  /** Sampled goldens: the flat position of each element. */
  readonly positions?: ArrayLike<number>;
  /** What the runtime gave, whole. It may have another shape. */
  readonly got: HostTensor;
  /** What is allowed; a difference below it is rounding. */
  readonly bound: Bound;
  /** "forced": the runtime had these very inputs; "chained": it had its own, so a recomputation may explain less. */
  readonly mode: "forced" | "chained";
  /** Other outputs of the run by name, for duplicates and stale results; absent: not looked for. */
  readonly others?: HostTensors;
}
