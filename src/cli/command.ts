/** What a command is: its options as data, from which both the parser and the help text are made. */
import type { Arguments } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** An option. */
export interface OptionSpec {
  /** As it is typed, without the dashes: "max-det". */
  readonly name: string;
  /** What its value is called in the help; absent where it takes none. */
  readonly value?: string;
  /** One sentence or two. */
  readonly help: string;
  /** What holds where it is not given, as the help shows it; absent where nothing does. */
  readonly default?: string;
}

/** Words that are not options. */
export interface PositionalSpec {
  /** As the help calls it: "SOURCE". */
  readonly name: string;
  readonly help: string;
  /** The least and the greatest number. */
  readonly least: number;
  readonly most: number;
}

/** A command of the program. */
export interface Command {
  readonly name: string;
  /** A line for the list of commands. */
  readonly summary: string;
  /** A paragraph for its own help. */
  readonly description: string;
  readonly positional?: PositionalSpec;
  /** Besides --help, which every command has. */
  readonly options: readonly OptionSpec[];
  /** Command lines and what they do; the help breaks long ones. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Does the work; the promise is the exit code. What it throws is reported, with `exitCodeOf` as exit code. */
  run(args: Arguments, terminal: Terminal): Promise<number>;
}
