/**
 * What a known mistake is: a way to do a computation wrongly (`Mistake`, tested by doing it), or a way in which a result differs
 * from the right one (`Symptom`, tested on the results alone).
 */
import type { AnyModule } from "../../nn/index.ts";
import type { Change, Problem } from "./problem.ts";
import type { View } from "./view.ts";

/** One wrong way to compute. */
export interface Guess {
  readonly change: Change;
  /** What was done, in words that end a sentence: "BatchNorm with eps 1e-5 in place of 1e-3". */
  readonly says: string;
}

/** A mistake that can be planted. */
export interface Mistake {
  /** "batch-norm-eps". */
  readonly name: string;
  /** What to look at or change. */
  readonly mend: string;
  /** The wrong ways that a problem offers; those that do not apply may be among them, the problem tells. */
  guesses(problem: Problem): Iterable<Guess>;
}

/** What a symptom found. */
export interface Finding {
  /** 0..1: the share of the difference, as a sum of squares, that is explained. */
  readonly explains: number;
  /** With the measured pattern, in words that end a sentence. */
  readonly says: string;
  /** How general the explanation is: one that was fitted to the difference must explain ten times more for each. 0 unless said. */
  readonly fitted?: number;
}

/** A mistake that shows in results. */
export interface Symptom {
  readonly name: string;
  readonly mend: string;
  find(view: View): Iterable<Finding>;
}

/** Lets a module compute something else, in this instance only. */
export function withForward(module: AnyModule, forward: (...inputs: never[]) => unknown): void {
  Object.defineProperty(module, "forward", { value: forward, configurable: true, enumerable: false });
}

type Class<M> = abstract new (...args: never[]) => M;

/** A change of every module of a class; it applies where `plant` says so of at least one. */
export function inEvery<M>(kind: Class<M>, plant: (module: M) => boolean | undefined): Change {
  return {
    module: (root) => {
      let planted = false;
      for (const [, module] of [...root.namedModules()]) {
        if (module instanceof kind) planted = plant(module as M) !== false || planted;
      }
      return planted;
    },
  };
}

/** Sets a field that the class declares readonly or as a getter. */
export function setField(target: object, field: string, value: unknown): void {
  Object.defineProperty(target, field, { value, configurable: true, enumerable: true, writable: true });
}
