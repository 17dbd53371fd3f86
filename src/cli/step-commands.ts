/** The commands of `mobiledetr step`: which there are, and what a line asks for. */
import { fail } from "../errors.ts";
import { completeFile, completePath, completeWord } from "./step-complete.ts";
import { tensorAt, tensorsAt } from "./step-names.ts";
import type { StepSession } from "./step-session.ts";
import { showHistogram, showMap, showNames, showStatistics } from "./step-show.ts";
import { explainElement } from "./step-why.ts";
import { suggest } from "./suggest.ts";
import { textTable } from "./text-table.ts";

interface SessionCommand {
  readonly names: readonly string[];
  readonly argument?: string;
  /** What Tab offers for the argument. */
  readonly offers?: "modules" | "breakpoints" | "tensors" | "files";
  readonly help: string;
  readonly run: (session: StepSession, argument: string) => string | Promise<string>;
}

const COMMANDS: readonly SessionCommand[] = [
  {
    names: ["next", "n", "over"],
    help: "on, behind what is within",
    run: (s) => s.go((step) => step.over()),
  },
  { names: ["into", "i", "step"], help: "to the next place at all", run: (s) => s.go((step) => step.into()) },
  { names: ["out", "o"], help: "to the end of the module around", run: (s) => s.go((step) => step.out()) },
  { names: ["continue", "c"], help: "to the next breakpoint", run: (s) => s.go((step) => step.continue()) },
  {
    names: ["goto", "g"],
    argument: "PATH",
    offers: "modules",
    help: "to a module; * within a part, ** over parts",
    run: (s, path) => s.goTo(path),
  },
  {
    names: ["break", "b"],
    argument: "[PATH]",
    offers: "modules",
    help: "a breakpoint; without PATH all of them",
    run: (s, path) => s.breakAt(path),
  },
  {
    names: ["delete", "d"],
    argument: "PATH",
    offers: "breakpoints",
    help: "takes a breakpoint away",
    run: (s, path) => s.unbreak(path),
  },
  { names: ["restart", "r"], help: "from the beginning, nothing changed", run: (s) => s.restart() },
  { names: ["where", "w"], help: "the place again", run: (s) => s.where() },
  { names: ["list", "l"], help: "tensors that can be named here", run: (s) => showNames(s.step, s.looks) },
  {
    names: ["print", "p"],
    argument: "[TENSOR[...]]",
    offers: "tensors",
    help: "numbers, as PyTorch prints them",
    run: (s, name) => tensorAt(s.step, name).tensor.toString(),
  },
  {
    names: ["stats", "s"],
    argument: "[TENSOR[...]]",
    offers: "tensors",
    help: "least, greatest, mean, deviation, zeros",
    run: (s, name) => showStatistics(s.step, name),
  },
  {
    names: ["hist", "h"],
    argument: "[TENSOR[...]]",
    offers: "tensors",
    help: "a histogram",
    run: (s, name) => showHistogram(s.step, name, s.looks),
  },
  {
    names: ["map", "m"],
    argument: "[TENSOR[...]]",
    offers: "tensors",
    help: "a picture: of [C, H, W] the mean of the channels",
    run: (s, name) => showMap(s.step, name, s.looks),
  },
  {
    names: ["why", "y"],
    argument: "[ELEMENT]",
    offers: "tensors",
    help: "the arithmetic behind an element of the output, else its greatest",
    run: (s, index) => explainElement(s.step, index),
  },
  {
    names: ["set"],
    argument: "TENSOR[...] X",
    offers: "tensors",
    help: "the run goes on with this part of the output at X",
    run: (s, text) => s.set(text),
  },
  {
    names: ["diff"],
    argument: "FILE",
    offers: "files",
    help: "from here on: how far outputs are from a trace's",
    run: (s, path) => s.diff(path),
  },
  { names: ["help", "?"], help: "this list", run: () => HELP },
  {
    names: ["quit", "q"],
    help: "ends it",
    run: async (s) => {
      await s.close();
      return "";
    },
  },
];

const HELP = textTable(
  COMMANDS.map(({ names, argument, help }) => [
    `  ${names.join(", ")}${argument ? ` ${argument}` : ""}`,
    help,
  ]),
  ["left", "left"],
).join("\n");

/** Moves that an empty line makes again. */
const REPEATED: readonly string[] = ["next", "into", "out", "continue"];

/** Lines for a session. */
export class StepCommands {
  readonly #session: StepSession;
  #last = "next";

  constructor(session: StepSession) {
    this.#session = session;
  }

  /** Does what a line says; an empty one does what the last move did. What it throws is of code "argument" where the line is wrong. */
  async execute(line: string): Promise<string> {
    const text = line.trim() || this.#last;
    const [word] = text.split(/\s/, 1);
    const { names, argument, run } = find(word);
    const given = text.slice(word.length).trim();
    if (given !== "" && argument === undefined)
      fail("argument", word, "nothing behind it", JSON.stringify(given));
    if (given === "" && argument !== undefined && !argument.startsWith("["))
      fail("argument", word, argument, "nothing");
    if (REPEATED.includes(names[0])) this.#last = word;
    return run(this.#session, given);
  }

  /** What a line may go on as, and the part of it that is being typed. */
  complete(line: string): [hits: string[], typed: string] {
    const [, word, blanks, argument] = /^\s*(\S*)(\s*)(.*)$/.exec(line) ?? ["", "", "", ""];
    if (blanks === "") {
      const commands = COMMANDS.flatMap((command) =>
        command.names
          .filter((name) => name.length > 1)
          .map((name) => (command.argument === undefined ? name : `${name} `)),
      );
      return [completeWord(word, commands), word];
    }
    const offers = COMMANDS.find(({ names }) => names.includes(word))?.offers;
    return [offers === undefined ? [] : this.#offer(offers, argument), argument];
  }

  #offer(what: NonNullable<SessionCommand["offers"]>, typed: string): string[] {
    const { paths, breakpoints, place } = this.#session;
    switch (what) {
      case "modules":
        return completePath(typed, paths);
      case "breakpoints":
        return completeWord(typed, breakpoints);
      case "tensors":
        return completeWord(typed, place ? tensorsAt(place).map(({ name }) => name) : []);
      case "files":
        return completeFile(typed);
    }
  }
}

function find(word: string): SessionCommand {
  const command = COMMANDS.find(({ names }) => names.includes(word));
  if (command) return command;
  const near = suggest(
    word,
    COMMANDS.flatMap(({ names }) => names),
  );
  return fail(
    "argument",
    "step",
    "a command, see help",
    JSON.stringify(word),
    near && `did you mean ${near}?`,
  );
}
