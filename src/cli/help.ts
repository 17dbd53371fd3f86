/** Help texts, made from the same specs as the parser: no option can be missing. Plain text, 80 columns. */
import { COMMON_OPTIONS } from "./arguments.ts";
import type { Command, OptionSpec } from "./command.ts";

const COLUMNS = 80;
const INDENT = 2;
const LEFT = 24; // columns of what stands before a help sentence, with its indent

/** The help of the whole program. */
export function programHelp(commands: readonly Command[]): string {
  const rows = commands.map(({ name, summary }) => entry(name, summary));
  return [
    "Usage: mobiledetr COMMAND [arguments] [options]",
    "",
    ...wrap("Finds objects in pictures with RT-DETR on MobileNetV4 backbones, in WebAssembly.", 0),
    "",
    "Commands:",
    ...rows,
    entry("help [COMMAND]", "Print this help, or that of a command."),
    "",
    "Options:",
    entry("-h, --help", "Print this help, or after a command its own, and exit."),
    entry("-V, --version", "Print the version and exit."),
    "",
    "Example:",
    "  mobiledetr detect photo.jpg",
    "",
    "Exit codes: 0 done; 1 failed on some input, the others are done; 2 wrong usage.",
  ].join("\n");
}

/** The help of one command. */
export function commandHelp(command: Command): string {
  const { name, description, positional, options, examples } = command;
  const word = positional && `${positional.name}${positional.most > 1 ? "..." : ""}`;
  const argument = word && (positional.least > 0 ? word : `[${word}]`);
  return [
    `Usage: mobiledetr ${[name, argument, "[options]"].filter((part) => part).join(" ")}`,
    "",
    ...wrap(description, 0),
    ...(positional ? ["", entry(positional.name, positional.help)] : []),
    "",
    "Options:",
    ...[...options, ...COMMON_OPTIONS].map(optionEntry),
    "",
    "Examples:",
    ...examples.flatMap(([line, what]) => [...commandLine(line), ...wrap(what, 6)]),
  ].join("\n");
}

function optionEntry({ name, value, help, default: fallback }: OptionSpec): string {
  const left = `${name === "help" ? "-h, " : ""}--${name}${value ? ` ${value}` : ""}`;
  return entry(left, `${help}${fallback === undefined ? "" : ` Default: ${fallback}.`}`);
}

/** A command line to copy, continued by a backslash before the options that would not fit. */
function commandLine(line: string): string[] {
  const lines: string[] = [];
  for (const part of line.split(/ (?=--)/)) {
    const longer = `${lines.at(-1)} ${part}`;
    if (lines.length === 0) lines.push(`  ${part}`);
    else if (longer.length <= COLUMNS - 2) lines[lines.length - 1] = longer;
    else lines.push(`      ${part}`);
  }
  return lines.map((text, i) => (i < lines.length - 1 ? `${text} \\` : text));
}

/** A name and its sentence in two columns; a long name has a line of its own. */
function entry(left: string, text: string): string {
  const head = " ".repeat(INDENT) + left;
  const lines = wrap(text, LEFT);
  if (head.length >= LEFT - 1) return [head, ...lines].join("\n");
  return [head.padEnd(LEFT) + lines[0].slice(LEFT), ...lines.slice(1)].join("\n");
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((l) => " ".repeat(indent) + l);
}
