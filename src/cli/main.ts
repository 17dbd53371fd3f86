#!/usr/bin/env node
/** The command `mobiledetr`: the process around `program.ts`. */
import { EXIT_DONE, EXIT_FAILED } from "./exit-codes.ts";
import { runProgram } from "./program.ts";
import { Terminal } from "./terminal.ts";

const terminal = new Terminal({ stdout: process.stdout, stderr: process.stderr, env: process.env });

// A reader that has seen enough (`| head`) is no failure; a full disk is.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT_DONE);
  terminal.note(`mobiledetr: standard output: expected room to write, got ${error.message}`);
  process.exit(EXIT_FAILED);
});
process.stderr.on("error", () => undefined); // nobody is left to tell

process.on("exit", () => terminal.progress(undefined)); // whatever ends it, no half line stays

process.exitCode = await runProgram(process.argv.slice(2), terminal);
