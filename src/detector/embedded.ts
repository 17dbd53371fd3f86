/**
 * The files that ship with the package: configurations, and the default model's weights. A browser build has the
 * configurations in its script, see `embedded.browser.ts`.
 */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { EmbeddedYaml } from "../choices.ts";
import { fail, messageOf } from "../errors.ts";
import { MAX_YAML_CHARACTERS } from "../models/rtdetr/config.ts";
import { openFileSource } from "../weights/file-source.ts";

const MODELS = new URL("../../models/", import.meta.url);

/** The text of a configuration that ships with the package. Error of code "file" where it is missing. */
export function embeddedYaml(name: EmbeddedYaml): string {
  return readYaml(fileURLToPath(new URL(`${name}.yaml`, MODELS)));
}

/** Where the default model's weights are: a path. */
export function embeddedWeights(): string | undefined {
  return fileURLToPath(new URL("codes.f16.safetensors", MODELS));
}

/** The text of a caller's configuration. Error of code "file" where it cannot be read. */
export function readYaml(path: string): string {
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

/** A path's last part. */
export function fileName(path: string): string {
  return basename(path);
}

/** The path that a `file:` URL stands for; undefined for other URLs. Error of code "file" for one that is no path's here. */
export function pathOf(url: URL): string | undefined {
  if (url.protocol !== "file:") return undefined;
  try {
    return fileURLToPath(url);
  } catch (error) {
    return fail("file", url.href, "a file: URL of a path", messageOf(error)); // of another host, or with %2F in it
  }
}
