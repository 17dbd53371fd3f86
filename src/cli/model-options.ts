/** The options that several commands share: which model, which weights, how it is computed. */

import type { Preprocess } from "../choices.ts";
import { DEFAULT_MODEL } from "../choices.ts";
import type { ModelChoice } from "../detector/model-files.ts";
import { VARIANT_NAMES } from "../models/mobilenetv4/variants.ts";
import type { Arguments } from "./arguments.ts";
import type { OptionSpec } from "./command.ts";

/** What names a model, for help texts. */
export const MODEL_NAMES = `${DEFAULT_MODEL} (codes in photographs, weights included), ${VARIANT_NAMES.join(", ")} (standard head), or a YAML file`;

/** --model */
export const MODEL_OPTION: OptionSpec = { name: "model", value: "NAME|FILE.yaml", help: `${MODEL_NAMES}.` };

/** --weights */
export const WEIGHTS_OPTION: OptionSpec = {
  name: "weights",
  value: "FILE",
  help: `Weights, a safetensors file; every model but ${DEFAULT_MODEL} needs one.`,
};

/** --nc and --scale */
export const CONFIG_OPTIONS: readonly OptionSpec[] = [
  { name: "nc", value: "N", help: "Number of classes.", default: "the YAML's, 80 for the standard head" },
  { name: "scale", value: "NAME", help: "One of the YAML's scales.", default: "its scale, else its first" },
];

/** --half */
export const HALF_OPTION: OptionSpec = {
  name: "half",
  help: "Round weights to half precision first, before batch norms are folded. Computing stays in single precision: no faster.",
};

/** --backend and --threads */
export const BACKEND_OPTIONS: readonly OptionSpec[] = [
  {
    name: "threads",
    value: "N|auto",
    help: "Threads that compute; the results are the same for any number.",
    default: "auto, as many as this process may use",
  },
  {
    name: "backend",
    value: "wasm|reference",
    help: "wasm, or the plain loops that it is tested against: slow, on one thread.",
    default: "wasm",
  },
];

/** The backends by name. */
export const BACKEND_NAMES = ["wasm", "reference"] as const;

/** What {@link MODEL_OPTION}, {@link WEIGHTS_OPTION} and {@link CONFIG_OPTIONS} say. */
export function modelChoice(args: Arguments): ModelChoice {
  return {
    model: args.text("model"),
    weights: args.text("weights"),
    nc: args.count("nc"),
    scale: args.text("scale"),
  };
}

/** "pillow-bilinear, letterboxed" */
export function describePreprocess({ resize, letterbox }: Required<Preprocess>): string {
  return `${resize}, ${letterbox ? "letterboxed" : "stretched"}`;
}
