/**
 * The `.safetensors` weight format, read and written: the way in. `safetensors-header.ts` describes the
 * layout and what is refused, `safetensors-file.ts` reads tensors, `safetensors-write.ts` lays files out; all
 * three run without a file system (`new SafetensorsFile(memorySource(bytes, name))`), this file does not.
 */
import { fail } from "../errors.ts";
import { openFileSource, writeFileWhole } from "./file-source.ts";
import type { OpenSafetensorsOptions } from "./safetensors-file.ts";
import { SafetensorsFile } from "./safetensors-file.ts";
import { memorySource } from "./safetensors-source.ts";
import type { SafetensorsMetadata, SafetensorsTensor } from "./safetensors-write.ts";
import { planSafetensors } from "./safetensors-write.ts";

export type { SafetensorsArray, SafetensorsDtype } from "./safetensors-dtype.ts";
export { SAFETENSORS_DTYPES } from "./safetensors-dtype.ts";
export type { OpenSafetensorsOptions } from "./safetensors-file.ts";
export { SafetensorsFile } from "./safetensors-file.ts";
export type { SafetensorsEntry } from "./safetensors-header.ts";
export type { SafetensorsMetadata, SafetensorsTensor } from "./safetensors-write.ts";
export { writeSafetensors } from "./safetensors-write.ts";

/**
 * Opens a file by path, or one whose bytes are in memory (they are used in place: do not change them). Its
 * header is read and checked in full, its tensors only when asked for.
 * @throws MobileDetrError "file" if it is missing, unreadable or a directory; "format", naming file, tensor,
 * expected and found values, if it is not a sound safetensors file.
 */
export function openSafetensors(
  source: string | Uint8Array,
  options: OpenSafetensorsOptions = {},
): SafetensorsFile {
  if (typeof source === "string") return new SafetensorsFile(openFileSource(source, options.name), options);
  if (Object.prototype.toString.call(source) === "[object Uint8Array]") {
    return new SafetensorsFile(memorySource(source, options.name ?? "safetensors bytes"), options);
  }
  return fail("argument", "openSafetensors", "a path or a Uint8Array", typeof source);
}

/** Opens a file as {@link openSafetensors}, hands it to `use`, and closes it whatever happens. */
export function withSafetensors<R>(source: string | Uint8Array, use: (file: SafetensorsFile) => R): R {
  const file = openSafetensors(source);
  try {
    return use(file);
  } finally {
    file.close();
  }
}

/**
 * Writes a file: complete, or not at all. It is streamed to a temporary file beside `path` and renamed at the
 * end; on an error nothing is left behind and an older file stays as it was. The layout is {@link
 * writeSafetensors}'s.
 * @throws MobileDetrError "argument" as {@link writeSafetensors}; "file" if the path cannot be written.
 */
export function saveSafetensors(
  path: string,
  tensors: Iterable<readonly [name: string, tensor: SafetensorsTensor]>,
  metadata: SafetensorsMetadata = {},
): void {
  writeFileWhole(path, planSafetensors(tensors, metadata).chunks());
}
