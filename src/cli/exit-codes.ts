/** What the process ends with, and which error gives which; `docs/cli.md` documents them. */
import { MobileDetrError } from "../errors.ts";

/** Everything was done. */
export const EXIT_DONE = 0;
/** Something failed; what did not was done. */
export const EXIT_FAILED = 1;
/** Wrong usage: an unknown command or option, a missing argument, a value that an option does not take. */
export const EXIT_USAGE = 2;
/** Ctrl-C, as shells report it: 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130;
/** A polite kill, as shells report it: 128 + SIGTERM. */
export const EXIT_TERMINATED = 143;

/** The exit code of an error that ends a command before it works on its inputs. */
export function exitCodeOf(error: unknown): number {
  return error instanceof MobileDetrError && error.code === "argument" ? EXIT_USAGE : EXIT_FAILED;
}
