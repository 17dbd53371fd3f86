/** `mobiledetr step`: walking through a network on a terminal, or by lines on standard input. */
import { createInterface } from "node:readline";
import { MobileDetrError } from "../errors.ts";
import { type Steps, steps } from "../inspect/index.ts";
import type { Module } from "../nn/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { INPUT_HELP, loadNetwork, nameNetwork, RUN_OPTIONS } from "./eager-network.ts";
import { EXIT_DONE, EXIT_FAILED } from "./exit-codes.ts";
import { coloursOf } from "./heat-map.ts";
import { checkModulePath } from "./module-path.ts";
import { printable } from "./printable.ts";
import { StepCommands } from "./step-commands.ts";
import { prompt } from "./step-prompt.ts";
import { StepSession } from "./step-session.ts";
import type { SessionLooks } from "./step-show.ts";
import type { Terminal } from "./terminal.ts";

const DEFAULT_COLUMNS = 80;

/** `mobiledetr step` */
export const stepCommand: Command = {
  name: "step",
  summary: "Step through a network on a picture, module by module.",
  description:
    "Stands still before and after every module and takes commands, a line each: next, into, out, continue, goto PATH, print TENSOR[0, 3], " +
    "stats, hist, map, set TENSOR[0, 3] 0, diff TRACE, help, quit. An empty line does what the last move did. Reads standard input, " +
    "so that it can be scripted: then the exit code is 1 if a command was wrong.",
  positional: { name: "INPUT", help: INPUT_HELP, least: 1, most: 1 },
  options: [
    { name: "break", value: "PATTERN,...", help: "Breakpoints: paths with * within a part, ** over parts." },
    ...RUN_OPTIONS,
  ],
  examples: [
    ["mobiledetr step photo.jpg", "From the picture on."],
    ['mobiledetr step photo.jpg --break "**.multi_query_attention"', "Stops there after continue."],
    [
      "mobiledetr step seed:0 --model MobileNetV4HybridMedium --weights seed:0 --imgsz 320",
      "A generated network.",
    ],
  ],
  run: step,
};

async function step(args: Arguments, terminal: Terminal): Promise<number> {
  const named = nameNetwork(args, args.words[0]);
  const model = named.network as unknown as Module<[Tensor], unknown>;
  const paths = [...model.namedModules()].map(([path]) => path);
  const breakpoints = args.list("break") ?? [];
  for (const pattern of breakpoints) checkModulePath(pattern, { where: "--break", paths, patterns: true });
  const { stdin, stdout } = process;
  const interactive = stdin.isTTY === true && stdout.isTTY === true;
  const { images, close } = await loadNetwork(args, named);
  const run = (): Steps<unknown> => steps(model, images, { interruptible: interactive });
  const session = new StepSession(run, paths, looksOf(terminal));
  const begin = async (): Promise<string> => {
    const text = await session.start();
    for (const pattern of breakpoints) session.breakAt(pattern);
    return text;
  };
  const commands = new StepCommands(session);
  let wrong = 0;
  const execute = async (line?: string): Promise<void> => {
    try {
      const text = await (line === undefined ? begin() : commands.execute(line));
      if (text) terminal.print(text);
    } catch (error) {
      if (!(error instanceof MobileDetrError)) throw error;
      wrong++;
      terminal.report(error);
    }
  };
  try {
    if (interactive) return await prompt({ session, commands, stdin, stdout, execute });
    await execute();
    for await (const line of createInterface({ input: stdin })) {
      await execute(line);
      if (session.over) break;
    }
    return wrong > 0 ? EXIT_FAILED : EXIT_DONE;
  } finally {
    await session.close();
    await close();
  }
}

/** As the terminal is at the time: it may be made wider. */
function looksOf(terminal: Terminal): SessionLooks {
  const { stdout } = process;
  return {
    get columns() {
      return stdout.columns || DEFAULT_COLUMNS; // some pseudo-terminals say 0
    },
    get rows() {
      return stdout.rows || Number.POSITIVE_INFINITY;
    },
    colours: coloursOf(stdout, process.env),
    paint: (look, text) => terminal.paint(look, printable(text)),
  };
}
