/** From the words after `detect` to the picture files that they stand for. */
import { readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { describe, fail, MobileDetrError, messageOf } from "../errors.ts";
import { statusOf } from "./file-status.ts";

/** A word that stands for no picture, and why. */
export interface FailedSource {
  readonly source: string;
  readonly error: MobileDetrError;
}

/** What {@link expandSources} found. */
export interface Sources {
  /** Paths of files, in the order of the words; a folder's in the order of their names' UTF-16 units. */
  readonly pictures: readonly string[];
  readonly failed: readonly FailedSource[];
}

const PICTURE_NAME = /\.(jpe?g|png|bmp|gif)$/i;

/** A file stands for itself, whatever its name; a folder for the .jpg, .jpeg, .png, .bmp and .gif files in it, not below it. */
export function expandSources(words: readonly string[]): Sources {
  const pictures: string[] = [];
  const failed: FailedSource[] = [];
  for (const source of words) {
    try {
      pictures.push(...expand(source));
    } catch (error) {
      if (!(error instanceof MobileDetrError)) throw error;
      failed.push({ source, error });
    }
  }
  return { pictures, failed };
}

function expand(source: string): string[] {
  const stats = statOf(source);
  if (stats.isFile()) return [source];
  // Reading a pipe or a device might wait, or go on, for ever.
  if (!stats.isDirectory()) fail("file", source, "a picture file or a folder", "a device or pipe");
  let names: string[];
  try {
    names = readdirSync(source);
  } catch (error) {
    fail("file", source, "a folder that can be read", messageOf(error));
  }
  const pictures = names
    .filter((name) => PICTURE_NAME.test(name))
    .sort()
    .map((name) => join(source, name))
    .filter((path) => statusOf(path)?.isFile() ?? true); // a broken link is an error of its own
  if (pictures.length > 0) return pictures;
  return fail("file", source, "a folder with .jpg, .jpeg, .png, .bmp or .gif files", `one with none of them`);
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const got = missing ? "no such file or folder" : messageOf(error);
    throw new MobileDetrError("file", describe(path, "a picture file or a folder", got), { cause: error });
  }
}
