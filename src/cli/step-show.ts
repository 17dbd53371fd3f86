/** What `mobiledetr step` shows of the place at which a run stands, and of its tensors: words, statistics, pictures. */
import type { TraceFile } from "../conformance/trace-file.ts";
import { fail } from "../errors.ts";
import { type NamedTensor, type Step, tensorStatistics } from "../inspect/index.ts";
import { quirkOf } from "../inspect/quirks.ts";
import { formatShape } from "../tensor/shape.ts";
import { type HeatMapOptions, heatMap, histogramLine } from "./heat-map.ts";
import { differences } from "./step-diff.ts";
import { shortName, tensorAt, tensorsAt } from "./step-names.ts";
import { describe, number, summary } from "./step-text.ts";
import type { Look } from "./terminal.ts";
import { textTable } from "./text-table.ts";

/** How a session writes: heat maps as their options say, and text. */
export interface SessionLooks extends HeatMapOptions {
  /** Text with a look, or as it is. */
  readonly paint: (look: Look, text: string) => string;
}

/** The module and its cost; before it what it takes, behind it what it gave, and how far that is from a trace. */
export function showPlace(step: Step, { paint }: SessionLooks, trace: TraceFile | undefined): string {
  const { phase, path, kind, module, inputs, outputs, values, multiplyAdds, seconds } = step;
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
    for (const { name, tensor } of outputs)
      lines.push(`  ${describe(shortName(name, path), tensor)}  ${summary(tensorStatistics(tensor))}`);
    for (const { name, tensor } of values) lines.push(`  ${describe(shortName(name, path), tensor)}`);
    if (trace) lines.push(...differences(step, trace, paint));
  }
  return lines.join("\n");
}

/** The tensors that can be named, and the modules within. */
export function showNames(step: Step, { columns }: SessionLooks): string {
  const rows = tensorsAt(step).map(({ name, tensor }) => [
    `  ${name}`,
    tensor.dtype,
    formatShape(tensor.shape),
    `strides ${formatShape(tensor.strides)}`,
  ]);
  const children = [...step.module.namedChildren()].map(([name, child]) => `${name} (${child.kind})`);
  return [
    ...textTable(rows, ["left", "left", "left", "left"]),
    ...(children.length > 0 ? wrapped(`within: ${children.join(", ")}`, columns) : []),
  ].join("\n");
}

/** Statistics of a tensor. */
export function showStatistics(step: Step, text: string): string {
  const { name, tensor } = tensorAt(step, text);
  return `${describe(name, tensor)}  ${summary(tensorStatistics(tensor))}`;
}

/** A histogram as wide as the line lets it be. */
export function showHistogram(step: Step, text: string, { columns }: SessionLooks): string {
  const { name, tensor } = elementsAt(step, text, "hist");
  const stats = tensorStatistics(tensor, Math.max(8, Math.min(64, columns - 30)));
  return `${describe(name, tensor)}\n${number(stats.min)} ${histogramLine(stats.histogram)} ${number(stats.max)}`;
}

/** A tensor of two axes as a heat map; of three the mean over the first. Axes of one element in front are passed over. */
export function showMap(step: Step, text: string, looks: SessionLooks): string {
  const { name, tensor } = elementsAt(step, text, "map");
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
  const shown = heatMap({ height, width, data: mean }, looks);
  const about =
    channels > 1 ? `mean of ${channels} channels` : `${number(stats.min)} to ${number(stats.max)}`;
  return `${describe(name, view)}  ${about}\n${shown.join("\n")}`;
}

function elementsAt(step: Step, text: string, command: string): NamedTensor {
  const found = tensorAt(step, text);
  if (found.tensor.size === 0)
    fail("argument", command, "a tensor with elements", formatShape(found.tensor.shape));
  return found;
}

/** Words in indented lines of at most so many characters, those behind the first indented more. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(`${lines.length > 0 ? "    " : "  "}${word}`);
  }
  return lines;
}
