/** How `mobiledetr step` writes tensors, numbers and explanations, and reads their names. */
import { coordinatesOf } from "../conformance/numbers.ts";
import { fail, messageOf } from "../errors.ts";
import { globExpression } from "../glob.ts";
import type { TensorStatistics, Why } from "../inspect/index.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { printable } from "./printable.ts";
import { suggest } from "./suggest.ts";
import { textTable } from "./text-table.ts";

/** Within a module its tensors go without its path; its one output is "output". */
export function shortName(name: string, path: string): string {
  if (name === path) return "output";
  const rest = path === "" ? name : name.startsWith(`${path}.`) ? name.slice(path.length + 1) : name;
  return /^\d+$/.test(rest.replace(/^\./, ""))
    ? `output.${rest.replace(/^\./, "")}`
    : rest.replace(/^\./, "");
}

/** Error of code "argument" where a pattern fits none of the paths. */
export function checkPattern(pattern: string, paths: readonly string[]): void {
  const expression = globExpression(pattern, ".");
  if (paths.some((path) => expression.test(path))) return;
  const near = suggest(pattern, paths);
  fail(
    "argument",
    "path",
    "one of a module, as list and layers have them",
    pattern,
    near && `did you mean ${near}?`,
  );
}

/** "output[0, 3]" as its name and its index. */
export function split(text: string): [name: string, index: string] {
  const at = text.indexOf("[");
  return at < 0 ? [text.trim(), ""] : [text.slice(0, at).trim(), text.slice(at).trim()];
}

/** Name, dtype, shape. */
export function describe(name: string, tensor: Tensor): string {
  return `${printable(name)} ${tensor.dtype} ${formatShape(tensor.shape)}`;
}

/** Least, greatest, mean, deviation; zeros and what is not finite where there are any. */
export function summary(s: TensorStatistics): string {
  const odd = [...(s.nan > 0 ? [`${s.nan} NaN`] : []), ...(s.inf > 0 ? [`${s.inf} infinite`] : [])];
  const zeros = s.zeros > 0 ? [`${(100 * s.zeros).toFixed(1)} % zeros`] : [];
  return [
    `${number(s.min)} to ${number(s.max)}`,
    `mean ${number(s.mean)}`,
    `std ${number(s.std)}`,
    ...zeros,
    ...odd,
  ].join(", ");
}

/** Four digits. */
export function number(x: number): string {
  return x === 0 ? "0" : Number.isFinite(x) ? String(Number(x.toPrecision(4))) : String(x);
}

/** Index of the greatest element. */
export function greatest(tensor: Tensor): number[] {
  const values = tensor.toArray();
  let at = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[at]) at = i;
  return coordinatesOf(at, tensor.shape);
}

/** "[0, 3, -1, 2]" with a number for every axis. */
export function wholeIndex(text: string, shape: readonly number[]): number[] {
  const parts = text.replace(/^\[|\]$/g, "").split(",");
  const index = parts.map((part, axis) => {
    const i = /^\s*-?\d+\s*$/.test(part) ? Number(part) : Number.NaN;
    return i < 0 ? i + (shape[axis] ?? 0) : i;
  });
  if (index.some(Number.isNaN))
    fail("argument", "why", `a number for every axis of ${formatShape(shape)}`, text);
  return index;
}

/** Nine digits: enough to tell two f32 numbers apart. */
export function exact(x: number): string {
  return String(Number(x.toPrecision(9)));
}

/** Sets every element of a view. */
export function fillWith(view: Tensor, value: number): void {
  const data = view.storage.data as Float32Array;
  const walk = (axis: number, offset: number): void => {
    if (axis === view.ndim) data[offset] = value;
    else for (let i = 0; i < view.shape[axis]; i++) walk(axis + 1, offset + i * view.strides[axis]);
  };
  walk(0, view.offset);
}

/** What {@link StepSession.execute} threw, as a line. */
export function sessionError(error: unknown): string {
  return printable(messageOf(error));
}

const MOST_TERMS = 8; // that are shown one by one

/** An explanation in lines; `name` is what the output is called here. */
export function whyText(found: Why, name: string): string {
  const lines = [`${name}${formatShape(found.index)} = ${exact(found.stored)}`, `  ${found.formula}`];
  if (found.origin)
    lines.push(
      `  made by ${printable(found.origin.path)}, its ${formatShape(found.origin.index)}: restart, goto ${printable(found.origin.path)}`,
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
