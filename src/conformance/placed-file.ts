/**
 * A file that is filled at any position and appears under its name only when it is complete: for writers that know the
 * layout before the content. Written beside its target and renamed at the end, as `writeFileWhole` does for streams.
 */
import { closeSync, openSync, realpathSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { fail } from "../errors.ts";
import { failOnFile } from "../weights/file-source.ts";

const MAX_CALL_BYTES = 2 ** 30; // one call to the system writes less than 2^31 bytes

/** Made by its constructor, ended by `finish` or `abandon`. */
export class PlacedFile {
  /** Where it will be. */
  readonly path: string;
  readonly #target: string;
  readonly #temporary: string;
  #descriptor: number | undefined;

  /** Throws `file` where `path` is no regular file, or nothing can be written beside it. */
  constructor(path: string) {
    this.path = path;
    if (path === "" || path.includes("\0")) fail("file", "output file", "a path", JSON.stringify(path));
    const status = this.#attempt(() => statSync(path, { throwIfNoEntry: false }));
    if (status && !status.isFile()) {
      fail("file", path, "a regular file", status.isDirectory() ? "a directory" : "a device or pipe");
    }
    this.#target = status ? this.#attempt(() => realpathSync(path)) : path;
    this.#temporary = `${this.#target}.${process.pid}-${Math.random().toString(36).slice(2, 10)}.tmp`;
    this.#descriptor = this.#attempt(() => openSync(this.#temporary, "wx"));
  }

  /** Writes bytes at a position; between what was written the file is zero. Throws `file`; `state` after the end. */
  write(position: number, bytes: Uint8Array): void {
    const descriptor = this.#open();
    for (let done = 0; done < bytes.length; ) {
      const piece = Math.min(bytes.length - done, MAX_CALL_BYTES);
      done += this.#attempt(() => writeSync(descriptor, bytes, done, piece, position + done));
    }
  }

  /** Puts the file under its name. Throws `file`, and then nothing is left behind. */
  finish(): void {
    const descriptor = this.#open();
    this.#descriptor = undefined;
    try {
      // Some file systems tell of a full disk only here.
      this.#attempt(() => closeSync(descriptor));
      this.#attempt(() => renameSync(this.#temporary, this.#target));
    } catch (error) {
      rmSync(this.#temporary, { force: true });
      throw error;
    }
  }

  /** Leaves nothing behind; an older file of that name stays as it was. Does nothing after the end. */
  abandon(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    rmSync(this.#temporary, { force: true });
  }

  #open(): number {
    return this.#descriptor ?? fail("state", this.path, "an open file", "one that was finished");
  }

  #attempt<R>(action: () => R): R {
    try {
      return action();
    } catch (error) {
      return failOnFile(error, this.path, "a file that can be written");
    }
  }
}
