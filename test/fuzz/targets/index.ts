/** All that is fuzzed. */
import type { Target } from "../target.ts";
import { exchange } from "./exchange.ts";
import { exif } from "./exif.ts";
import { inflate } from "./inflate.ts";
import { jpeg } from "./jpeg.ts";
import { names } from "./names.ts";
import { npz } from "./npz.ts";
import { png } from "./png.ts";
import { safetensors } from "./safetensors.ts";
import { yaml } from "./yaml.ts";

/** In the order in which they are reported. */
export const TARGETS: readonly Target[] = [jpeg, png, exif, safetensors, npz, inflate, yaml, exchange, names];
