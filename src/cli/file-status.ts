/** What is at a path, without exceptions. */
import { type BigIntStats, statSync } from "node:fs";
import { resolve } from "node:path";
import { fail, messageOf } from "../errors.ts";

/**
 * The status of what is at a path, links followed; undefined where nothing can be told: it is not there, the path leads
 * through a file, a folder on the way may not be entered.
 */
export function statusOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/** Tells a file from all others, by whatever path or link it is reached; undefined where {@link statusOf} is. */
export function identityOf(path: string): string | undefined {
  const status = statusOf(path);
  return status && `${status.dev}:${status.ino}`;
}

/** The path from the root. Throws code "file" where it is relative and the working folder is gone. */
export function absolutePath(path: string): string {
  try {
    return resolve(path);
  } catch (error) {
    fail(
      "file",
      path,
      "an absolute path or a working folder that exists",
      messageOf(error),
      "change to another folder",
    );
  }
}
