/** `embedded.ts` for browsers: configurations are in the script; weights are a module of their own, `mobiledetr/models/codes`. */
import codes from "../../models/codes.yaml";
import standard from "../../models/rtdetr-mobilenetv4.yaml";
import type { EmbeddedYaml } from "../choices.ts";
import { fail } from "../errors.ts";

/** The text of a configuration that ships with the package. */
export function embeddedYaml(name: EmbeddedYaml): string {
  return name === "codes" ? codes : standard;
}

/** None: 9 MB that a page asks for by name. */
export function embeddedWeights(): string | undefined {
  return undefined;
}

/** An error of code "file": a browser has no paths. */
export function readYaml(path: string): string {
  return fail(
    "file",
    path,
    "a model { name, yaml }",
    "a path, which a browser cannot read",
    "fetch its text",
  );
}

/** A path's last part. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Undefined: a page's own addresses are fetched, whatever their scheme. */
export function pathOf(_url: URL): string | undefined {
  return undefined;
}
