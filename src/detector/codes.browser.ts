/** `codes.ts` for browsers: the weights are in the module. */
import base64 from "../../models/codes.f16.safetensors";
import yaml from "../../models/codes.yaml";
import type { ModelSource } from "./model-source.ts";

/** The default model. */
export const codes: ModelSource = { name: "codes", yaml, weights: { base64 } };
