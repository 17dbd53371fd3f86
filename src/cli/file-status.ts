/** What is at a path, without exceptions. */
import { type BigIntStats, statSync } from "node:fs";

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
