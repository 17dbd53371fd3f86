/** The program without its process: words in, exit code out. `main.ts` gives it the real streams. */
import { existsSync } from "node:fs";
import { fail } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { EXIT_DONE, EXIT_USAGE, exitCodeOf } from "./exit-codes.ts";
import { commandHelp, programHelp } from "./help.ts";
import { suggest } from "./suggest.ts";
import type { Terminal } from "./terminal.ts";
import { packageVersion } from "./version.ts";

/** The commands in the order of the help; each is loaded when it is needed. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["detect", async () => (await import("./detect.ts")).detectCommand],
  ["val", async () => (await import("./val.ts")).valCommand],
  ["bench", async () => (await import("./bench.ts")).benchCommand],
  ["run", async () => (await import("./run.ts")).runCommand],
  ["info", async () => (await import("./info.ts")).infoCommand],
  ["step", async () => (await import("./step.ts")).stepCommand],
  ["view", async () => (await import("./view.ts")).viewCommand],
  ["picture", async () => (await import("./picture.ts")).pictureCommand],
  ["layers", async () => (await import("./layers.ts")).layersCommand],
  ["conform", async () => (await import("./conform.ts")).conformCommand],
  ["golden", async () => (await import("./golden.ts")).goldenCommand],
  ["trace", async () => (await import("./golden.ts")).traceCommand],
  ["completion", async () => (await import("./completion.ts")).completionCommand(loadCommands)],
]);

/** All commands. */
export function loadCommands(): Promise<Command[]> {
  return Promise.all([...COMMANDS.values()].map((load) => load()));
}

/** Does what the words (process.argv without node and script) say. Never rejects; the promise is the exit code. */
export async function runProgram(argv: readonly string[], terminal: Terminal): Promise<number> {
  let command: Command | undefined;
  try {
    const [first, ...rest] = argv;
    if (first === undefined) {
      terminal.note(programHelp(await loadCommands()));
      return EXIT_USAGE;
    }
    if (first === "-h" || first === "--help") {
      terminal.print(programHelp(await loadCommands()));
      return EXIT_DONE;
    }
    if (first === "-V" || first === "--version") {
      terminal.print(packageVersion());
      return EXIT_DONE;
    }
    if (first === "help") {
      const text =
        rest[0] === undefined ? programHelp(await loadCommands()) : commandHelp(await find(rest[0]));
      terminal.print(text);
      return EXIT_DONE;
    }
    command = await find(first);
    const args = parseArguments(rest, command);
    if (args.has("help")) {
      terminal.print(commandHelp(command));
      return EXIT_DONE;
    }
    return await command.run(args, terminal);
  } catch (error) {
    terminal.report(error);
    const code = exitCodeOf(error);
    if (code === EXIT_USAGE) terminal.note(`Try: mobiledetr ${command ? `${command.name} ` : ""}--help`);
    return code;
  }
}

function find(name: string): Promise<Command> {
  const names = [...COMMANDS.keys(), "help"];
  const load = COMMANDS.get(name);
  if (load) return load();
  const near = suggest(name, names) ?? (existsSync(name) ? `detect ${name}` : undefined);
  const mend = near && `did you mean: mobiledetr ${near}?`;
  const what = name.startsWith("-") ? "one before the options" : "one";
  return fail("argument", "command", `${what} of ${names.join(", ")}`, JSON.stringify(name), mend);
}
