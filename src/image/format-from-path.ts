/** What format a file name asks for. Knows no codec: cheap to load. */
import { fail } from "../errors.ts";
import type { ImageFormat } from "./sniff.ts";

/**
 * The format that a file name asks for: .png, .jpg, .jpeg, .jpe, .jfif, in any case.
 * Throws code "argument" for any other ending.
 */
export function formatFromPath(path: string): ImageFormat {
  const ending = /\.([^./\\]+)$/.exec(path)?.[1].toLowerCase();
  if (ending === "png") return "png";
  if (ending !== undefined && ["jpg", "jpeg", "jpe", "jfif"].includes(ending)) return "jpeg";
  fail(
    "argument",
    path,
    "a file name that ends in .png, .jpg or .jpeg",
    ending === undefined ? "none of them" : `.${ending}`,
  );
}
