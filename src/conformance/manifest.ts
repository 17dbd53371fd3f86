/**
 * What a case of the conformance kit says of itself: the types of `case.json`. `conformance/schema/case.schema.json` says the
 * same for other languages. Reading and checking is in `kit.ts`.
 */
import type { HostDtype } from "./host-tensor.ts";

/** The format of `case.json` and `kit.json`; a change that old readers would misread raises it. */
export const KIT_FORMAT = 1;

/** L0 operators, L1 layers and blocks, L2 stages, L3 backbones and detectors, L4 pictures and boxes, L5 detections and AP. */
export type Level = 0 | 1 | 2 | 3 | 4 | 5;

/** JSON values, as attributes are. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Kinds of subjects. */
export const SUBJECT_KINDS = [
  "operator",
  "module",
  "stage",
  "model",
  "preprocess",
  "postprocess",
  "detect",
] as const;

/** What is run. */
export type Subject =
  /** One operator of PyTorch by its name there ("conv2d"); attributes by PyTorch's keyword names. Inputs are its tensors. */
  | {
      readonly kind: "operator";
      readonly name: string;
      readonly attributes: { readonly [key: string]: Json };
    }
  /** One module by its class ("UIB", "AIFI", "MSDeformAttn"), in eval mode, built with these keyword arguments. */
  | { readonly kind: "module"; readonly name: string; readonly arguments: { readonly [key: string]: Json } }
  /** Consecutive layers of a model, first and last path included: a stage. Inputs are what enters the first. */
  | {
      readonly kind: "stage";
      readonly model: ModelSubject;
      /** Paths as a trace has them: "model.0.layer3". */
      readonly first: string;
      readonly last: string;
    }
  /** A whole network, from the input tensor to the raw output. */
  | { readonly kind: "model"; readonly model: ModelSubject }
  /** A picture file's bytes to the network's input: decode to RGB, stretch to `size` [height, width], divide by 255. */
  | { readonly kind: "preprocess"; readonly size: readonly [number, number] }
  /** Raw output [N, queries, 4 + nc] to detections [n, 6]: x1, y1, x2, y2 in pixels, score, class. */
  | {
      readonly kind: "postprocess";
      /** Detections score above it. */
      readonly conf: number;
      /** The picture's own size, in pixels: what boxes are scaled to. */
      readonly picture: readonly [height: number, width: number];
    }
  /** Picture files' bytes, stretched to `size` (640 x 640 unless said), to detections, and average precision against the labels. */
  | {
      readonly kind: "detect";
      readonly model: ModelSubject;
      /** Detections score above it. */
      readonly conf: number;
      readonly size?: readonly [height: number, width: number];
    };

/** A network: a stand-alone backbone by its variant, or a detector by a YAML. */
export interface ModelSubject {
  /** The backbone's name; for a detector it replaces the YAML's placeholder. */
  readonly variant?: string;
  /** The YAML's text; absent for a stand-alone backbone. */
  readonly yaml?: string;
  /** Classes; the YAML's unless said. */
  readonly nc?: number;
}

/** Where a tensor's elements are. */
export type Source =
  /**
   * In a safetensors file of the case's folder, under a key; with `row` one row of it along its first axis. Elements are
   * converted exactly to the tensor's dtype (F16 to F32).
   */
  | { readonly file: string; readonly key: string; readonly row?: number }
  /** In a safetensors file outside the case's folder: a path from the kit's folder, listed with its sha256 in `kit.json`. */
  | { readonly shared: string; readonly key: string }
  /** The raw bytes of such a file: dtype U8, shape [length]. */
  | { readonly sharedBytes: string }
  /** Made by the counter-based generator (docs/generator.md) from (seed, stream): U(low, high). */
  | {
      readonly generator: "uniform";
      readonly seed: number;
      readonly stream: string;
      readonly low: number;
      readonly high: number;
    }
  /** N(std, shift). */
  | {
      readonly generator: "normal";
      readonly seed: number;
      readonly stream: string;
      readonly std: number;
      /** The mean. */
      readonly shift: number;
    }
  /** Integers: each word modulo `below`. */
  | {
      readonly generator: "integers";
      readonly seed: number;
      readonly stream: string;
      /** Exclusive. */
      readonly below: number;
    }
  /** A picture-like input, or an entry of a state dict. */
  | { readonly generator: "image"; readonly seed: number }
  | {
      readonly generator: "state";
      readonly seed: number;
      /** State-dict name, whose ending tells how it is filled. */
      readonly entry: string;
      /** Factor on the Hybrids' `_output_proj`, whose effect a constant 1e-5 hides otherwise; 1 unless said. */
      readonly attentionGain?: number;
    }
  /** The raw bytes of a file of the case's folder: dtype U8, shape [length]. */
  | { readonly bytes: string };

/** A tensor that a case gives. */
export interface GivenTensor {
  /** Of an operand or a module's input as the subject knows it, or of a state-dict entry. */
  readonly name: string;
  readonly dtype: HostDtype;
  readonly shape: readonly number[];
  readonly source: Source;
}

/** A tensor that is expected. */
export interface ExpectedTensor {
  readonly name: string;
  readonly dtype: HostDtype;
  /** The whole tensor's shape, also where samples of it are kept. */
  readonly shape: readonly number[];
  /** PyTorch in float32. */
  readonly source: Source;
  /** PyTorch in float64 throughout, rounded at the end to F64; absent where it was not made. */
  readonly double?: Source;
  /** Absent: every element is kept. Else `source` holds [count] elements at the generator's positions of this name. */
  readonly samples?: number;
  /** The name whose positions are taken instead, where several modules hand on one tensor. */
  readonly sampledAs?: string;
  /** Greatest |f32 - f64| over the whole tensor: how far PyTorch's own float32 is off. Absent where there is no `double`. */
  readonly noise?: number;
  /** Of the whole tensor, in float64: min, max, mean, mean |x|, standard deviation (population). Given where it is sampled. */
  readonly statistics?: readonly number[];
  /** The rule of `tolerances.ts` that judges it. */
  readonly rule: string;
  /** Whether a runtime must give it; the others are compared where it does. */
  readonly required: boolean;
  /** What makes it ill-conditioned, known beforehand: near ties of a top-k, cancellation; absent: nothing. */
  readonly conditioning?: string;
  /** The module that makes it, for traces: its class and its constructor arguments as PyTorch prints them. */
  readonly maker?: { readonly kind: string; readonly inputs: readonly string[] };
}

/** `case.json`. */
export interface CaseManifest {
  /** Of the file: 1; a change that old readers would misread raises it. */
  readonly format: number;
  /** "L0/conv2d/stride-2-odd": also the folder below `cases/`. */
  readonly id: string;
  readonly level: Level;
  readonly title: string;
  readonly subject: Subject;
  /** In the order of the call. */
  readonly inputs: readonly GivenTensor[];
  /** State-dict entries, by their names; for models all of them. */
  readonly parameters: readonly GivenTensor[];
  /** In the order in which they are made. */
  readonly outputs: readonly ExpectedTensor[];
  /** What made the expected tensors: PyTorch's version, its dtypes, and the command. */
  readonly oracle: {
    readonly torch: string;
    readonly dtypes: readonly HostDtype[];
    readonly command: string;
  };
  /** Of every file of the folder but this one, hexadecimal. */
  readonly sha256: { readonly [file: string]: string };
}
