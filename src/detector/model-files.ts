/** Which files a model name stands for, and their contents: the default model, the standard networks, a user's YAML. */
import { decodeBase64 } from "../base64.ts";
import { DEFAULT_MODEL } from "../choices.ts";
import { fail } from "../errors.ts";
import { isVariantName, VARIANT_NAMES } from "../models/mobilenetv4/variants.ts";
import { type ModelConfig, parseModelConfig } from "../models/rtdetr/config.ts";
import { openSafetensors, type SafetensorsFile } from "../weights/safetensors.ts";
import { embeddedWeights, embeddedYaml, fileName, readYaml } from "./embedded.ts";
import type { ModelSource, WeightsInput } from "./model-source.ts";

/** Names of the models whose weights ship in the package. */
export const EMBEDDED_MODELS: readonly string[] = [DEFAULT_MODEL];

/** What a model is made from. */
export interface ModelChoice {
  /**
   * "codes" (with weights), one of the five backbones' names (standard head, needs weights), a YAML file's path, or a model as
   * an object.
   */
  readonly model?: string | ModelSource;
  /**
   * A safetensors file: its path (not in browsers), its bytes in any form, or its URL as an object; the model's own weights where
   * it has some.
   */
  readonly weights?: WeightsInput;
  /** Number of classes instead of the YAML's. */
  readonly nc?: number;
  /** Scale of the YAML; its first unless said. */
  readonly scale?: string;
}

/** A checked configuration and where its weights are. */
export interface ModelFiles {
  /** For messages and `info`: "codes", "MobileNetV4ConvSmall", or the YAML's file name. */
  readonly name: string;
  readonly config: ModelConfig;
  /** Absent where none were given and the model has none. */
  readonly weights?: WeightsInput;
}

/** Reads a model's YAML and finds its weights. Errors: "argument" for an unknown name, "file", "format". */
export function findModel(choice: ModelChoice = {}): ModelFiles {
  const { model = DEFAULT_MODEL, weights, nc, scale } = choice;
  if (typeof model === "object") {
    const config = parseModelConfig(model.yaml, { source: model.name, nc, scale });
    return { name: model.name, config, weights: weights ?? model.weights };
  }
  if (model === DEFAULT_MODEL) {
    const config = parseModelConfig(embeddedYaml("codes"), { source: `${model}.yaml`, nc, scale });
    return { name: model, config, weights: weights ?? embeddedWeights() };
  }
  if (isVariantName(model)) {
    const text = embeddedYaml("rtdetr-mobilenetv4");
    const config = parseModelConfig(text, { source: model, nc, scale });
    return { name: model, config: { ...config, backbone: { ...config.backbone, module: model } }, weights };
  }
  if (/\.ya?ml$/i.test(model)) {
    const config = parseModelConfig(readYaml(model), { source: model, nc, scale });
    return { name: fileName(model), config, weights };
  }
  const known = [...EMBEDDED_MODELS, ...VARIANT_NAMES].join(", ");
  return fail("argument", "model", `one of ${known}, or a .yaml file`, JSON.stringify(model));
}

/** Opens a model's weights; an error (code "argument") where there are none. */
export function openWeights(files: ModelFiles): SafetensorsFile {
  if (files.weights === undefined) {
    const mend =
      files.name === DEFAULT_MODEL
        ? 'in a browser: import { codes } from "mobiledetr/models/codes", loadDetector({ model: codes })'
        : "name a safetensors file, or give its bytes";
    fail("argument", files.name, "weights (only the default model ships with some)", "none", mend);
  }
  const { weights } = files;
  if (typeof weights === "string" || weights instanceof Uint8Array) return openSafetensors(weights);
  if ("base64" in weights) {
    return openSafetensors(decodeBase64(weights.base64), { name: `${files.name}'s own weights` });
  }
  return fail(
    "argument",
    "weights",
    "a path or a Uint8Array",
    "what has to be read first",
    "loadDetector does that",
  );
}

/** Class names: the YAML's, else the weights' metadata ("names", comma-separated), else the numbers. */
export function classNames(config: ModelConfig, metadata: ReadonlyMap<string, string>): string[] {
  if (config.names) return [...config.names];
  const listed = metadata
    .get("names")
    ?.split(",")
    .map((name) => name.trim());
  if (listed && listed.length === config.nc && listed.every((name) => name !== "")) return listed;
  return Array.from({ length: config.nc }, (_, i) => String(i));
}

/** Names of parameters that inference never reads, so that weights may lack them; see docs/quirks.md. */
export function isNeverRun(name: string): boolean {
  return /(^|\.)layer5\.|denoising_class_embed|num_batches_tracked/.test(name);
}
