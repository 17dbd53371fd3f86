/**
 * Files on disk: the one file of `src/weights` that knows `node:fs`, so that a browser can leave it
 * out; pictures and model files are read through it too. A file is read at positions, never as a whole; it is written beside its target and renamed when
 * complete.
 */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { fail, messageOf } from "../errors.ts";
import type { ByteSource } from "./safetensors-source.ts";

/** One call to the system reads or writes less than 2^31 bytes. */
const MAX_CALL_BYTES = 2 ** 30;

/**
 * Opens a regular file for reading. Directories and devices are refused before they are opened, since opening
 * a pipe would wait for somebody to write to it.
 * @throws MobileDetrError "file" if it is missing, unreadable or no regular file.
 */
export function openFileSource(path: string, name: string = path): ByteSource {
  const attempt = <R>(action: () => R): R => {
    try {
      return action();
    } catch (error) {
      return failOnFile(error, name, "a file that can be read");
    }
  };
  if (path === "" || path.includes("\0")) fail("file", "input file", "a path", JSON.stringify(path));
  requireRegular(
    name,
    attempt(() => statSync(path)),
  );
  const descriptor = attempt(() => openSync(path, "r"));
  const byteLength = attempt(() => fstatSync(descriptor).size);
  return {
    name,
    byteLength,
    read: (position, out) => {
      let done = 0;
      while (done < out.length) {
        const piece = Math.min(out.length - done, MAX_CALL_BYTES);
        const count = attempt(() => readSync(descriptor, out, done, piece, position + done));
        if (count === 0) {
          const whole = `${byteLength} bytes, as when it was opened`;
          fail("file", name, whole, `its end at byte ${position + done}`, "was it written to meanwhile?");
        }
        done += count;
      }
    },
    close: () => attempt(() => closeSync(descriptor)),
  };
}

/**
 * Writes `chunks` to the file at `path`: complete, or not at all. They go to a temporary file beside it,
 * which is renamed at the end and removed on any error, one of `chunks` included. A link is followed; an
 * existing file keeps its mode. Not flushed to the disk: a power cut may still lose it.
 * @throws MobileDetrError "file" if it cannot be written.
 */
export function writeFileWhole(path: string, chunks: Iterable<Uint8Array>): void {
  if (path === "" || path.includes("\0")) fail("file", "output file", "a path", JSON.stringify(path));
  const attempt = <R>(action: () => R): R => {
    try {
      return action();
    } catch (error) {
      return failOnFile(error, path, "a file that can be written");
    }
  };
  const existing = attempt(() => statSync(path, { throwIfNoEntry: false }));
  if (existing !== undefined) {
    requireRegular(path, existing);
    attempt(() => accessSync(path, constants.W_OK));
  }
  const target = existing === undefined ? path : attempt(() => realpathSync(path));
  // Threads and processes may write to one place at a time: the last to finish wins, none sees another's bytes.
  const temporary = `${target}.${process.pid}-${Math.random().toString(36).slice(2, 10)}.tmp`;
  const descriptor = attempt(() => openSync(temporary, "wx"));
  try {
    try {
      for (const chunk of chunks) attempt(() => writeAll(descriptor, chunk));
      if (existing !== undefined) attempt(() => fchmodSync(descriptor, existing.mode & 0o7777));
    } finally {
      // Some file systems tell of a full disk only here.
      attempt(() => closeSync(descriptor));
    }
    attempt(() => renameSync(temporary, target));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, Math.min(bytes.length - done, MAX_CALL_BYTES));
  }
}

function requireRegular(name: string, stats: { isFile(): boolean; isDirectory(): boolean }): void {
  if (stats.isFile()) return;
  fail("file", name, "a regular file", stats.isDirectory() ? "a directory" : "a device or pipe");
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  ENOTDIR: "a path that leads through a file",
  EACCES: "no permission",
  EPERM: "no permission",
  EROFS: "a read-only file system",
  ENOSPC: "a full disk",
  EDQUOT: "a used-up quota",
  EFBIG: "a file larger than allowed",
  EMFILE: "too many open files",
  ENAMETOOLONG: "a name that is too long",
  ELOOP: "links that run in a circle",
};

/** Says of a file what the system said, in plain words where they are known. */
export function failOnFile(error: unknown, name: string, expected: string): never {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return fail("file", name, expected, REASONS[code] ?? messageOf(error));
}

/**
 * As `mkdir -p`, of a whole path; throws what the system says. QUIRK: Node's own `recursive` never returns where the system says
 * that a folder has no parent (/proc).
 */
export function makeFolder(path: string): void {
  const isFolder = (): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (isFolder()) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if (!isFolder()) throw error; // another process may have been faster
  }
}
