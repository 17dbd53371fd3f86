/** Which files a model name stands for, and their contents: the default model, the standard networks, a user's YAML. */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../errors.ts";
import { isVariantName, VARIANT_NAMES } from "../models/mobilenetv4/variants.ts";
import { MAX_YAML_CHARACTERS, type ModelConfig, parseModelConfig } from "../models/rtdetr/config.ts";
import { openFileSource } from "../weights/file-source.ts";
import { openSafetensors, type SafetensorsFile } from "../weights/safetensors.ts";
import { DEFAULT_MODEL } from "./default-model.ts";

/** Names of the models whose weights ship in the package. */
export const EMBEDDED_MODELS: readonly string[] = [DEFAULT_MODEL];

/** What a model is made from. */
export interface ModelChoice {
  /** "codes" (with weights), one of the five backbones' names (standard head, needs weights), or a YAML file's path. */
  readonly model?: string;
  /** A safetensors file's path or bytes; the embedded weights where the model has some. */
  readonly weights?: string | Uint8Array;
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
  /** Path or bytes; absent where none were given and none are embedded. */
  readonly weights?: string | Uint8Array;
}

const MODELS = new URL("../../models/", import.meta.url);

function modelPath(file: string): string {
  return fileURLToPath(new URL(file, MODELS));
}

/** Reads a model's YAML and finds its weights. Errors: "argument" for an unknown name, "file", "format". */
export function findModel(choice: ModelChoice = {}): ModelFiles {
  const { model = DEFAULT_MODEL, weights, nc, scale } = choice;
  if (EMBEDDED_MODELS.includes(model)) {
    const path = modelPath(`${model}.yaml`);
    const config = parseModelConfig(readText(path), { source: `${model}.yaml`, nc, scale });
    return { name: model, config, weights: weights ?? modelPath(`${model}.f16.safetensors`) };
  }
  if (isVariantName(model)) {
    const text = readText(modelPath("rtdetr-mobilenetv4.yaml"));
    const config = parseModelConfig(text, { source: model, nc, scale });
    return { name: model, config: { ...config, backbone: { ...config.backbone, module: model } }, weights };
  }
  if (/\.ya?ml$/i.test(model)) {
    const config = parseModelConfig(readText(model), { source: model, nc, scale });
    return { name: basename(model), config, weights };
  }
  const known = [...EMBEDDED_MODELS, ...VARIANT_NAMES].join(", ");
  return fail("argument", "model", `one of ${known}, or a .yaml file`, JSON.stringify(model));
}

/** Opens a model's weights; an error (code "argument") where there are none. */
export function openWeights(files: ModelFiles): SafetensorsFile {
  if (files.weights === undefined) {
    fail(
      "argument",
      files.name,
      "weights (only the default model ships with some)",
      "none",
      "name a safetensors file",
    );
  }
  return openSafetensors(files.weights);
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

function readText(path: string): string {
  const file = openFileSource(path);
  try {
    // A longer one is refused by the parser, which needs to see no more of it.
    const bytes = new Uint8Array(Math.min(file.byteLength, 4 * MAX_YAML_CHARACTERS));
    file.read(0, bytes);
    return new TextDecoder().decode(bytes);
  } finally {
    file.close();
  }
}
