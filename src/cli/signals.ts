/**
 * Ctrl-C and a polite kill. Without handlers either signal ends the process at once, even in the middle of writing a file;
 * with these it waits for what is being written (synchronously, beside its target, and renamed), so that no temporary
 * file stays.
 */
import { EXIT_INTERRUPTED, EXIT_TERMINATED } from "./exit-codes.ts";

/** From now on SIGINT and SIGTERM end the process as soon as the event loop is free; threads end with it. */
export function exitOnSignals(): void {
  process.once("SIGINT", () => process.exit(EXIT_INTERRUPTED));
  process.once("SIGTERM", () => process.exit(EXIT_TERMINATED));
}
