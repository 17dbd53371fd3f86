/** `file-source.ts` for browsers, which have no files by path: an error that says what to give instead. */
import { fail } from "../errors.ts";
import type { ByteSource } from "./safetensors-source.ts";

/** An error of code "file". */
export function openFileSource(path: string, _name?: string): ByteSource {
  return fail("file", path, "bytes, a Blob, or a URL object", "a path, which a browser cannot read");
}

/** An error of code "file". */
export function writeFileWhole(path: string, _chunks: Iterable<Uint8Array>): void {
  fail("file", path, "writeSafetensors, which gives the bytes", "a path, which a browser cannot write");
}
