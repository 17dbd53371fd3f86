/**
 * The folder that annotated pictures go to. Names follow the sources', but no two pictures of one run share a file, and no
 * source is ever overwritten; a file of an earlier run is.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { fail, messageOf } from "../errors.ts";
import { formatFromPath } from "../image/format-from-path.ts";
import type { ImageFormat } from "../image/sniff.ts";
import { writeFileWhole } from "../weights/file-source.ts";
import { absolutePath, identityOf, statusOf } from "./file-status.ts";

/** Makes the folder on the first picture. */
export class OutputFolder {
  readonly #path: string;
  readonly #sources: ReadonlySet<string>;
  readonly #taken = new Set<string>(); // in lower case: some file systems do not tell cases apart

  /** `sources` are the files that must stay. Throws code "file" where it can be told now that `path` cannot be written. */
  constructor(path: string, sources: readonly string[]) {
    this.#path = path;
    this.#sources = new Set(sources.map(identityOf).filter((id) => id !== undefined));
    checkWritable(path);
  }

  /**
   * Writes a picture for a source, completely or not at all, in the format that the source's name says, else in `format`;
   * `encode` makes its bytes. Returns its path. Throws code "file" where it cannot be written.
   */
  write(source: string, format: ImageFormat, encode: (format: ImageFormat) => Uint8Array): string {
    const name = pictureName(source, format);
    try {
      makeFolder(absolutePath(this.#path));
    } catch (error) {
      fail("file", this.#path, "a folder that can be made", messageOf(error));
    }
    const path = this.#free(name);
    writeFileWhole(path, [encode(formatFromPath(path))]);
    return path;
  }

  /** "a.jpg", or else "a-2.jpg", "a-3.jpg" ... */
  #free(name: string): string {
    const ending = extname(name);
    const stem = name.slice(0, name.length - ending.length);
    for (let n = 1; ; n++) {
      const candidate = n === 1 ? name : `${stem}-${n}${ending}`;
      const path = join(this.#path, candidate);
      const id = identityOf(path);
      if (this.#taken.has(candidate.toLowerCase()) || (id !== undefined && this.#sources.has(id))) continue;
      this.#taken.add(candidate.toLowerCase());
      return path;
    }
  }
}

/** The source's file name, with another ending behind it where its own says neither JPEG nor PNG. */
function pictureName(source: string, format: ImageFormat): string {
  const name = basename(absolutePath(source));
  try {
    formatFromPath(name);
    return name;
  } catch {
    return `${name}${format === "png" ? ".png" : ".jpg"}`;
  }
}

/** As `mkdir -p`. QUIRK: Node's own `recursive` never returns where the system says that a folder has no parent (/proc). */
function makeFolder(path: string): void {
  if (statusOf(path)?.isDirectory()) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have been faster.
    if (!statusOf(path)?.isDirectory()) throw error;
  }
}

/** The nearest folder above that exists must be one, and writable. */
function checkWritable(path: string): void {
  let at = absolutePath(path);
  let status = statusOf(at);
  while (!status && dirname(at) !== at) {
    at = dirname(at);
    status = statusOf(at);
  }
  if (!status?.isDirectory())
    fail("file", path, "a folder", at === absolutePath(path) ? "a file" : `a path through the file ${at}`);
  try {
    accessSync(at, constants.W_OK | constants.X_OK);
  } catch {
    fail("file", path, "a folder that can be written", `no permission to write in ${at}`);
  }
}
