/**
 * The folder that annotated pictures go to. Names follow the sources', but no two pictures of one run share a file, and no
 * source is ever overwritten; a file of an earlier run is.
 */
import { accessSync, constants, lstatSync, mkdirSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { fail, messageOf } from "../errors.ts";
import { formatFromPath } from "../image/format-from-path.ts";
import type { ImageFormat } from "../image/sniff.ts";
import { makeFolder, writeFileWhole } from "../weights/file-source.ts";
import { isUrl } from "./fetch-picture.ts";
import { absolutePath, identityOf, statusOf } from "./file-status.ts";
import { STDIN } from "./sources.ts";

const LONGEST_NAME = 100; // characters: file systems take 255 bytes

/** Makes the folder on the first picture. */
export class OutputFolder {
  /** Whether every file that was there stays: which of them are sources is not known. */
  keepAll = false;
  #path: string;
  #numbered: boolean;
  /** The folder that is there already. */
  readonly #home: string | undefined;
  /** Identities of sources in it. */
  readonly #sources = new Set<string>();
  readonly #taken = new Set<string>(); // in lower case: some file systems do not tell cases apart
  /** The folder that was asked for last, and whether it is this one. */
  #asked: readonly [folder: string, ours: boolean] = ["", false];

  /**
   * `numbered` makes a new folder, exp, exp2, exp3, ... for `path` "exp". Throws code "file" where it can be told now that it
   * cannot be written.
   */
  constructor(path: string, numbered = false) {
    this.#path = path;
    this.#numbered = numbered;
    this.#home = numbered ? undefined : identityOf(path);
    checkWritable(numbered ? dirname(absolutePath(path)) : path);
  }

  /** Whether there is such a folder already, with sources in it perhaps. */
  get exists(): boolean {
    return this.#home !== undefined;
  }

  /** A source, which must stay. */
  protect(source: string): void {
    if (this.#home === undefined) return;
    const linked = lstatSync(source, { throwIfNoEntry: false })?.isSymbolicLink();
    const id = linked || this.#isOurs(source) ? identityOf(source) : undefined;
    if (id !== undefined) this.#sources.add(id);
  }

  /** Whether a file is one that was written here in this run, so that it is no source. */
  wrote(path: string): boolean {
    return this.#taken.has(basename(path).toLowerCase()) && this.#isOurs(path, true);
  }

  /**
   * Writes a picture for a source, completely or not at all, in the format that the source's name says, else in `format`;
   * `encode` makes its bytes. Returns its path. Throws code "file" where it cannot be written.
   */
  write(source: string, format: ImageFormat, encode: (format: ImageFormat) => Uint8Array): string {
    const path = this.reserve(source, format);
    writeFileWhole(path, [encode(formatFromPath(path))]);
    return path;
  }

  /** Makes the folder, and gives the path that {@link write} would write a source's picture to: no other source gets it. */
  reserve(source: string, format: ImageFormat): string {
    const name = pictureName(source, format);
    try {
      if (this.#numbered) this.#path = makeNumbered(this.#path);
      else makeFolder(absolutePath(this.#path));
      this.#numbered = false;
    } catch (error) {
      fail("file", this.#path, "a folder that can be made", messageOf(error));
    }
    return this.#free(name);
  }

  #isOurs(path: string, now = false): boolean {
    const folder = dirname(path);
    if (now || this.#asked[0] !== folder)
      this.#asked = [folder, identityOf(folder) === (now ? identityOf(this.#path) : this.#home)];
    return this.#asked[1];
  }

  /** "a.jpg", or else "a-2.jpg", "a-3.jpg" ... */
  #free(name: string): string {
    const ending = extname(`_${name}`); // of ".jpg" too, which extname takes for a name without an ending
    const stem = name.slice(0, name.length - ending.length);
    for (let n = 1; ; n++) {
      const candidate = n === 1 ? name : `${stem}-${n}${ending}`;
      const path = join(this.#path, candidate);
      if (this.#taken.has(candidate.toLowerCase()) || this.#stays(path)) continue;
      this.#taken.add(candidate.toLowerCase());
      return path;
    }
  }

  /** Whether what is at a path is a source, or may be one; writing to a link would write to what it points to. */
  #stays(path: string): boolean {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (!there) return false;
    return this.keepAll || there.isSymbolicLink() || this.#sources.has(identityOf(path) ?? "");
  }
}

/** The first of exp, exp2, exp3, ... that is not there, made. */
function makeNumbered(path: string): string {
  makeFolder(dirname(absolutePath(path)));
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? path : `${path}${n}`;
    try {
      mkdirSync(candidate);
      return candidate;
    } catch (error) {
      if (!statusOf(candidate)) throw error;
    }
  }
}

/**
 * The source's file name, with another ending behind it where its own says neither JPEG nor PNG. Of a URL the last part of its
 * path, without what file systems give a meaning to.
 */
function pictureName(source: string, format: ImageFormat): string {
  const name = fileNameOf(source);
  try {
    formatFromPath(name);
    return name;
  } catch {
    return `${name}${format === "png" ? ".png" : ".jpg"}`;
  }
}

/** What a source is called as a file: "stdin" for standard input. */
export function fileNameOf(source: string): string {
  if (source === STDIN) return "stdin";
  if (!isUrl(source)) return basename(absolutePath(source));
  const last = URL.canParse(source) ? basename(new URL(source).pathname) : "";
  return last.replace(/[^\w.-]/g, "_").slice(-LONGEST_NAME) || "picture";
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
