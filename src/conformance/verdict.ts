/** What a comparison finds: per tensor, per case, per run. Made by `compare.ts` and `session.ts`, shown by `report/`. */
import type { Level } from "./manifest.ts";

/** Distances between a tensor and its golden, over the elements that are compared. */
export interface Metrics {
  /** Elements that are compared: all of them, or samples. */
  readonly count: number;
  /** Greatest |got - expected|, and where (flat index into the whole tensor). */
  readonly maxAbs: number;
  readonly maxAbsAt: number;
  /** The element that is furthest beyond what it may be off, in multiples of that; -1 of nothing at all. */
  readonly worstAt: number;
  /** Greatest |got - expected| / |expected| over expected elements above the rule's floor. */
  readonly maxRel: number;
  /** Greatest distance in units in the last place of f32. */
  readonly maxUlp: number;
  /** Cosine of the angle between the two as vectors; NaN where one is zero. */
  readonly cosine: number;
  /** 10 log10(sum of expected^2 / sum of differences^2), dB; Infinity where nothing differs. */
  readonly snr: number;
  /** Elements out of tolerance, as a share of `count`. */
  readonly outside: number;
  /** NaN or infinite elements that the golden has not. */
  readonly nonFinite: number;
}

/** How a tensor was fed: by the runtime's own predecessors, or by goldens. */
export type Mode = "chained" | "forced";

/** One tensor. */
export interface TensorVerdict {
  readonly name: string;
  readonly mode: Mode;
  /** "equal": no element differs; "within" the rule's tolerance; "expected-failure": outside, and known to be. */
  readonly status: "equal" | "within" | "outside" | "missing" | "shape" | "expected-failure";
  /** Its name in `tolerances.ts`. */
  readonly rule: string;
  /** Absent where there are no numbers to compare: missing, or of another shape. */
  readonly metrics?: Metrics;
  /** Shapes and sets in words: "got [1, 64, 20, 20], expected [1, 20, 20, 64]", "2 of 300 queries differ, margin 3e-7". */
  readonly note?: string;
  /** The golden is ill-conditioned: why. */
  readonly conditioning?: string;
}

/** A guess at the cause, the likeliest first. */
export interface Diagnosis {
  /** "batch-norm-eps", "relu-for-relu6", "bgr". */
  readonly mistake: string;
  /** In a sentence, with the measured pattern: "channels 0 and 2 are exchanged: cosine 0.999999 after exchanging them". */
  readonly because: string;
  /** What to look at or change. */
  readonly mend: string;
  /** 0..1: how much of the difference the guess explains. */
  readonly explains: number;
  /** The search ended before its last guess, at its budget of work or, as an emergency, of time; on the first diagnosis alone. */
  readonly stopped?: "work" | "time";
}

/** One case. */
export interface CaseVerdict {
  readonly id: string;
  readonly level: Level;
  readonly title: string;
  /** "unexpected-pass": it was expected to fail; "error": there is no result to judge. */
  readonly status: "passed" | "failed" | "unsupported" | "error" | "expected-failure" | "unexpected-pass";
  /** Why it could not be judged: an error's text, what is unsupported, an expectation that has expired. */
  readonly message?: string;
  /** In the order of making; forced ones behind the chained ones. */
  readonly tensors: readonly TensorVerdict[];
  /** The first tensor outside in order of making, with what forced mode says of it: culprit, or victim of an earlier one. */
  readonly firstDivergence?: {
    readonly name: string;
    /** The same tensor with its module fed by goldens. */
    readonly forced?: TensorVerdict;
    /**
     * The first module that departs although it was fed with golden inputs, where it is another one: `name` is then its victim.
     * Its class and arguments are `kind` ("AIFI(c1=256, cm=1024, num_heads=8)"). The diagnoses are of it.
     */
    readonly culprit?: { readonly name: string; readonly kind: string; readonly forced: TensorVerdict };
    /** Where golden inputs could not be had or modules not be run by themselves: why. */
    readonly unforced?: string;
    /** The likeliest first. */
    readonly diagnoses: readonly Diagnosis[];
  };
  /** What the runtime took, comparing and diagnosing left out. */
  readonly seconds: number;
}

/** A run of the kit on a runtime. */
export interface RunVerdict {
  /** Of the report: 1. */
  readonly format: number;
  /** What the runtime calls itself. */
  readonly runtime: string;
  /** Its version. */
  readonly kit: string;
  /** ISO 8601, UTC. */
  readonly started: string;
  /** Of the whole run. */
  readonly seconds: number;
  readonly cases: readonly CaseVerdict[];
}
