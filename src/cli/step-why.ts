/** `why` on a line: the arithmetic that made an element of the output, in words and numbers. */
import { coordinatesOf } from "../conformance/numbers.ts";
import { fail } from "../errors.ts";
import { type Step, type Why, why } from "../inspect/index.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { printable } from "./printable.ts";
import { shortName, splitIndex } from "./step-names.ts";
import { exact, number } from "./step-text.ts";
import { textTable } from "./text-table.ts";

const MOST_TERMS = 8; // that are shown one by one

/** Explains the element "[0, 3, 1]" or "output[0, 3, 1]", or without an index the greatest. */
export function explainElement(step: Step, text: string): string {
  const [name, index] = splitIndex(text);
  if (step.phase !== "after") {
    fail("argument", "why", "a module behind which the run stands", step.phase, "go on to its end with next");
  }
  const names = step.outputs.map((output) => shortName(output.name, step.path));
  const chosen = step.outputs[name === "" ? 0 : names.indexOf(name)];
  if (!chosen) return fail("argument", "why", names.join(", "), name);
  const at = index === "" ? greatest(chosen.tensor) : wholeIndex(index, chosen.tensor.shape);
  return whyText(why(step, at, chosen.name), shortName(chosen.name, step.path));
}

/** Index of the greatest element. */
function greatest(tensor: Tensor): number[] {
  const values = tensor.toArray();
  let at = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[at]) at = i;
  return coordinatesOf(at, tensor.shape);
}

/** "[0, 3, -1, 2]" with a number for every axis. */
function wholeIndex(text: string, shape: readonly number[]): number[] {
  const parts = text.replace(/^\[|\]$/g, "").split(",");
  const index = parts.map((part, axis) => {
    const i = /^\s*-?\d+\s*$/.test(part) ? Number(part) : Number.NaN;
    return i < 0 ? i + (shape[axis] ?? 0) : i;
  });
  if (index.some(Number.isNaN))
    fail("argument", "why", `a number for every axis of ${formatShape(shape)}`, text);
  return index;
}

/** An explanation in lines; `name` is what the output is called here. */
function whyText(found: Why, name: string): string {
  const lines = [`${name}${formatShape(found.index)} = ${exact(found.stored)}`, `  ${found.formula}`];
  if (found.origin)
    lines.push(
      `  made by ${printable(found.origin.path)}, its ${formatShape(found.origin.index)}: restart, and goto there`,
    );
  if (found.region) {
    const { rows, columns } = found.region;
    lines.push(
      `  from rows ${rows[0]} to ${rows[1] - 1} and columns ${columns[0]} to ${columns[1] - 1} of the input`,
    );
  }
  if (found.value === undefined) return lines.join("\n");
  const shown = found.terms.slice(0, MOST_TERMS);
  const rows = shown.map(({ contribution, factors, label }) => [
    `  ${number(contribution)}`,
    factors
      .map((f) => `${f.name}${f.index.length > 0 ? formatShape(f.index) : ""} ${number(f.value)}`)
      .join(" * "),
    label ?? "",
  ]);
  lines.push(...textTable(rows, ["right", "left", "left"]));
  const rest = found.terms.slice(MOST_TERMS).reduce((sum, { contribution }) => sum + contribution, 0);
  if (found.terms.length > MOST_TERMS)
    lines.push(`  and ${found.terms.length - MOST_TERMS} more, together ${number(rest)}`);
  if (found.bias !== 0) lines.push(`  bias ${number(found.bias)}`);
  lines.push(
    `  in double precision ${exact(found.value)}, ${number(Math.abs(found.value - found.stored))} from what the run has`,
  );
  return lines.join("\n");
}
