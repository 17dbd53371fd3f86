/** `mobiledetr/models/codes`: the default model as an object to import, which browsers need and other engines may use. */
import { embeddedWeights, embeddedYaml } from "./embedded.ts";
import type { ModelSource } from "./model-source.ts";

/** The default model: give it as `loadDetector({ model: codes })`. In browsers it is the weights' 6.9 MB, as 9.2 MB of text. */
export const codes: ModelSource = { name: "codes", yaml: embeddedYaml("codes"), weights: embeddedWeights() };
