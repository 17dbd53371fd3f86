/** The commands of `mobiledetr step`: a line in, text out. What reads lines and writes text is in `step.ts`. */

import { readTraceFile, type TraceFile } from "../conformance/trace-file.ts";
import { fail } from "../errors.ts";
import {
  type NamedTensor,
  type Step,
  type Steps,
  sliceTensor,
  tensorStatistics,
  why,
} from "../inspect/index.ts";
import { quirkOf } from "../inspect/quirks.ts";
import { formatShape } from "../tensor/shape.ts";
import { heatMap, histogramLine } from "./heat-map.ts";
import { printable } from "./printable.ts";
import { differences } from "./step-diff.ts";
import {
  checkPattern,
  describe,
  fillWith,
  greatest,
  number,
  shortName,
  split,
  summary,
  wholeIndex,
  whyText,
} from "./step-text.ts";
import { suggest } from "./suggest.ts";
import type { Look } from "./terminal.ts";
import { textTable } from "./text-table.ts";

/** How a session writes. */
export interface SessionLooks {
  /** Characters in a line. */
  readonly columns: number;
  readonly colours: boolean;
  /** Text with a look, or as it is. */
  readonly paint: (look: Look, text: string) => string;
}

interface SessionCommand {
  readonly names: readonly string[];
  readonly argument?: string;
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
    help: "to a module; * within a part, ** over parts",
    run: (s, path) => s.goTo(path),
  },
  {
    names: ["break", "b"],
    argument: "[PATH]",
    help: "a breakpoint; without PATH all of them",
    run: (s, path) => s.breakAt(path),
  },
  {
    names: ["delete", "d"],
    argument: "PATH",
    help: "takes a breakpoint away",
    run: (s, path) => s.unbreak(path),
  },
  { names: ["restart", "r"], help: "from the beginning, nothing changed", run: (s) => s.restart() },
  { names: ["where", "w"], help: "the place again", run: (s) => s.where() },
  { names: ["list", "l"], help: "tensors that can be named here", run: (s) => s.list() },
  {
    names: ["print", "p"],
    argument: "[TENSOR[...]]",
    help: "numbers, as PyTorch prints them",
    run: (s, name) => s.print(name),
  },
  {
    names: ["stats", "s"],
    argument: "[TENSOR[...]]",
    help: "least, greatest, mean, deviation, zeros",
    run: (s, name) => s.stats(name),
  },
  {
    names: ["hist", "h"],
    argument: "[TENSOR[...]]",
    help: "a histogram",
    run: (s, name) => s.histogram(name),
  },
  {
    names: ["map", "m"],
    argument: "[TENSOR[...]]",
    help: "a picture: of [C, H, W] the mean of the channels",
    run: (s, name) => s.map(name),
  },
  {
    names: ["why", "y"],
    argument: "[[...]]",
    help: "the arithmetic that made an element of the output; without an index of the greatest",
    run: (s, index) => s.why(index),
  },
  {
    names: ["set"],
    argument: "TENSOR[...] X",
    help: "the run goes on with this part of the output at X",
    run: (s, text) => s.set(text),
  },
  {
    names: ["diff"],
    argument: "FILE",
    help: "from here on: how far outputs are from a trace's",
    run: (s, path) => s.diff(path),
  },
  { names: ["help", "?"], help: "this list", run: () => HELP },
  { names: ["quit", "q"], help: "ends it", run: (s) => s.quit() },
];

const HELP = textTable(
  COMMANDS.map(({ names, argument, help }) => [
    `  ${names.join(", ")}${argument ? ` ${argument}` : ""}`,
    help,
  ]),
  ["left", "left"],
).join("\n");

/** A run and a place in it. */
export class StepSession {
  readonly #begin: () => Steps<unknown>;
  readonly #paths: readonly string[];
  #steps: Steps<unknown>;
  #iterator: AsyncGenerator<Step, void, undefined>;
  readonly #looks: SessionLooks;
  #step: Step | undefined;
  #last = "next";
  #trace: TraceFile | undefined;
  #over = false;
  #ended = false;

  /** `begin` makes a run of a network with modules at `paths`. */
  constructor(begin: () => Steps<unknown>, paths: readonly string[], looks: SessionLooks) {
    this.#paths = paths;
    this.#begin = begin;
    this.#steps = begin();
    this.#iterator = this.#steps[Symbol.asyncIterator]();
    this.#looks = looks;
  }

  /** From the beginning, with the breakpoints that there are and nothing changed. */
  async restart(): Promise<string> {
    const { breakpoints } = this.#steps;
    await this.#iterator.return();
    this.#step = undefined;
    this.#ended = false;
    this.#steps = this.#begin();
    for (const pattern of breakpoints) this.#steps.addBreakpoint(pattern);
    this.#iterator = this.#steps[Symbol.asyncIterator]();
    return this.start();
  }

  /** Whether there is nothing more to do. */
  get over(): boolean {
    return this.#over;
  }

  /** Path of the module at which the run stands; undefined where it has ended. */
  get path(): string | undefined {
    return this.#step?.path;
  }

  /** Begins the run; the first place. */
  start(): Promise<string> {
    return this.go(() => {});
  }

  /** Does what a line says; an empty one does what the last one did. What it throws is of code "argument" where the line is wrong. */
  async execute(line: string): Promise<string> {
    const text = line.trim() || this.#last;
    const [word, ...rest] = text.split(/\s+/);
    const command = COMMANDS.find(({ names }) => names.includes(word));
    if (!command) {
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
    const argument = rest.join(" ");
    if (argument !== "" && command.argument === undefined)
      fail("argument", word, "nothing behind it", JSON.stringify(argument));
    if (argument === "" && command.argument !== undefined && !command.argument.startsWith("[")) {
      fail("argument", word, command.argument, "nothing");
    }
    const moves = ["next", "into", "out", "continue"].includes(command.names[0]);
    if (moves) this.#last = word;
    return command.run(this, argument);
  }

  /** Frees what the run holds. */
  async close(): Promise<void> {
    this.#over = true;
    await this.#iterator.return();
  }

  // ---- moves ----

  async go(move: (step: Step) => void): Promise<string> {
    if (this.#ended) fail("state", "step", "a run under way", "one that has ended", "restart it, or quit");
    if (this.#step) move(this.#step);
    const { value } = await this.#iterator.next();
    this.#step = value ?? undefined;
    if (this.#step) return this.where();
    this.#ended = true;
    return "the run has ended: restart or quit";
  }

  goTo(path: string): Promise<string> {
    checkPattern(path, this.#paths);
    return this.go((step) => step.until(path));
  }

  breakAt(path: string): string {
    if (path !== "") {
      checkPattern(path, this.#paths);
      this.#steps.addBreakpoint(path);
    }
    const { breakpoints } = this.#steps;
    return breakpoints.length > 0
      ? breakpoints.map((pattern) => `  ${printable(pattern)}`).join("\n")
      : "no breakpoints";
  }

  unbreak(path: string): string {
    if (!this.#steps.removeBreakpoint(path))
      fail("argument", "delete", "a breakpoint that is there", path, "see break");
    return this.breakAt("");
  }

  async quit(): Promise<string> {
    await this.close();
    return "";
  }

  // ---- the place ----

  where(): string {
    const step = this.#here();
    const { phase, path, kind, module, inputs, outputs, values, multiplyAdds, seconds } = step;
    const { paint } = this.#looks;
    const mark = phase === "before" ? ">" : "<";
    const head = `${paint("cyan", mark)} ${paint("bold", path || "(the network)")}  ${kind}`;
    const took = phase === "after" ? `  ${(seconds * 1000).toFixed(1)} ms` : "";
    const cost = multiplyAdds > 0 ? `  ${(multiplyAdds / 1e6).toFixed(1)} M multiply-adds` : "";
    const lines = [`${head}${paint("dim", cost + took)}`];
    if (phase === "before") {
      lines.push(`  ${paint("dim", step.line)}`);
      const quirk = quirkOf(module, path);
      if (quirk) lines.push(`  ${paint("dim", quirk)}`);
      for (const input of inputs) lines.push(`  ${describe(input.name, input.tensor)}`);
    } else {
      for (const output of outputs)
        lines.push(
          `  ${describe(shortName(output.name, path), output.tensor)}  ${summary(tensorStatistics(output.tensor))}`,
        );
      for (const value of values) lines.push(`  ${describe(shortName(value.name, path), value.tensor)}`);
      if (this.#trace) lines.push(...differences(step, this.#trace, paint));
    }
    return lines.join("\n");
  }

  list(): string {
    const step = this.#here();
    const rows = this.#tensors(step).map(({ name, tensor }) => [
      `  ${name}`,
      tensor.dtype,
      formatShape(tensor.shape),
      `strides ${formatShape(tensor.strides)}`,
    ]);
    const children = [...step.module.namedChildren()].map(([name, child]) => `${name} (${child.kind})`);
    return [
      ...textTable(rows, ["left", "left", "left", "left"]),
      ...(children.length > 0 ? [`  within: ${children.join(", ")}`] : []),
    ].join("\n");
  }

  print(text: string): string {
    return this.#named(text).tensor.toString();
  }

  stats(text: string): string {
    const { name, tensor } = this.#named(text);
    return `${describe(name, tensor)}  ${summary(tensorStatistics(tensor))}`;
  }

  histogram(text: string): string {
    const { name, tensor } = this.#named(text);
    const stats = tensorStatistics(tensor, Math.max(8, Math.min(64, this.#looks.columns - 30)));
    return `${describe(name, tensor)}\n${number(stats.min)} ${histogramLine(stats.histogram)} ${number(stats.max)}`;
  }

  map(text: string): string {
    const { name, tensor } = this.#named(text);
    let view = tensor;
    while (view.ndim > 2 && view.shape[0] === 1) view = view.select(0, 0);
    if (view.ndim > 3 || view.ndim < 2) {
      fail(
        "argument",
        "map",
        "a tensor of two axes, or three of which the first is averaged",
        formatShape(view.shape),
        "name a part, as output[0, 3]",
      );
    }
    const channels = view.ndim === 3 ? view.shape[0] : 1;
    const [height, width] = view.shape.slice(-2);
    const values = view.toArray();
    const mean = new Float64Array(height * width);
    for (let i = 0; i < values.length; i++) mean[i % mean.length] += Number(values[i]) / channels;
    const stats = tensorStatistics(view);
    const shown = heatMap({ height, width, data: mean }, this.#looks);
    const about =
      channels > 1 ? `mean of ${channels} channels` : `${number(stats.min)} to ${number(stats.max)}`;
    return `${describe(name, view)}  ${about}\n${shown.join("\n")}`;
  }

  why(text: string): string {
    const step = this.#here();
    const [name, index] = split(text);
    const chosen =
      step.outputs.find((o) => shortName(o.name, step.path) === (name || "output")) ?? step.outputs[0];
    if (step.phase !== "after" || !chosen)
      fail(
        "argument",
        "why",
        "a module behind which the run stands",
        step.phase,
        "go on to its end with next",
      );
    const at = index === "" ? greatest(chosen.tensor) : wholeIndex(index, chosen.tensor.shape);
    return whyText(why(step, at, chosen.name), shortName(chosen.name, step.path));
  }

  // ---- changing, comparing ----

  set(text: string): string {
    const step = this.#here();
    const match = /^(.+?)\s+([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.exec(text);
    if (!match)
      return fail("argument", "set", "a part of the output and a number, as set output[0, 3] 0", text);
    const [, target, value] = match;
    const [name, index] = split(target);
    const output = step.outputs.find((o) => shortName(o.name, step.path) === name);
    if (step.phase !== "after" || step.outputs.length !== 1 || !output) {
      return fail(
        "argument",
        "set",
        "the one output of a module, behind it",
        printable(target),
        "go on to its end with next",
      );
    }
    const changed = output.tensor.clone().keep();
    try {
      fillWith(sliceTensor(changed, index), Number(value));
      step.replace(changed);
    } catch (error) {
      changed.dispose();
      throw error;
    }
    return this.where();
  }

  diff(path: string): string {
    this.#trace = readTraceFile(path);
    const named = [...this.#trace.tensors.keys()].length;
    const lines = this.#step ? differences(this.#step, this.#trace, this.#looks.paint) : [];
    return [`${printable(path)}: ${named} tensors`, ...lines].join("\n");
  }

  // ---- names ----

  #here(): Step {
    return (
      this.#step ?? fail("state", "step", "a run under way", "one that has ended", "restart it, or quit")
    );
  }

  #tensors(step: Step): NamedTensor[] {
    const own = (list: readonly NamedTensor[]): NamedTensor[] =>
      list.map(({ name, tensor }) => ({ name: shortName(name, step.path), tensor }));
    return [...step.inputs, ...own(step.outputs), ...own(step.values), ...step.parameters];
  }

  /** "name[index]", or the output (before: the first input) where nothing is named. */
  #named(text: string): NamedTensor {
    const step = this.#here();
    const tensors = this.#tensors(step);
    const fallback =
      step.phase === "after" ? shortName(step.outputs[0]?.name ?? "", step.path) : step.inputs[0]?.name;
    const [name, index] = split(text || fallback || "");
    const found = tensors.find((t) => t.name === name);
    if (!found)
      return fail("argument", "tensor", tensors.map((t) => t.name).join(", "), JSON.stringify(name));
    return {
      name: index === "" ? name : `${name}${index}`,
      tensor: index === "" ? found.tensor : sliceTensor(found.tensor, index),
    };
  }
}
