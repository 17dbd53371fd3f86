/** How the tensors of a step are called on a line: "output[0, 3]", "weight", "attention[0, 0]". */
import { fail } from "../errors.ts";
import { type NamedTensor, type Step, sliceTensor } from "../inspect/index.ts";
import { suggest } from "./suggest.ts";

/** Within a module its tensors go without its path; its one output is "output". */
export function shortName(name: string, path: string): string {
  if (name === path) return "output";
  const rest = path === "" ? name : name.startsWith(`${path}.`) ? name.slice(path.length + 1) : name;
  return /^\d+$/.test(rest.replace(/^\./, ""))
    ? `output.${rest.replace(/^\./, "")}`
    : rest.replace(/^\./, "");
}

/** "output[0, 3]" as its name and its index. */
export function splitIndex(text: string): [name: string, index: string] {
  const at = text.indexOf("[");
  return at < 0 ? [text.trim(), ""] : [text.slice(0, at).trim(), text.slice(at).trim()];
}

/** All that can be named where a run stands: inputs, outputs, values, parameters. */
export function tensorsAt(step: Step): NamedTensor[] {
  const own = (list: readonly NamedTensor[]): NamedTensor[] =>
    list.map(({ name, tensor }) => ({ name: shortName(name, step.path), tensor }));
  return [...step.inputs, ...own(step.outputs), ...own(step.values), ...step.parameters];
}

/** The tensor "name[index]", or the output (before: the first input) where nothing is named. */
export function tensorAt(step: Step, text: string): NamedTensor {
  const tensors = tensorsAt(step);
  const fallback =
    step.phase === "after" ? shortName(step.outputs[0]?.name ?? "", step.path) : step.inputs[0]?.name;
  const [typed, index] = splitIndex(text);
  const name = typed || fallback || "";
  const found = tensors.find((t) => t.name === name);
  if (!found) {
    const names = tensors.map((t) => t.name);
    const near = suggest(name, names);
    return fail(
      "argument",
      "tensor",
      names.join(", "),
      JSON.stringify(name),
      near && `did you mean ${near}?`,
    );
  }
  return {
    name: index === "" ? name : `${name}${index}`,
    tensor: index === "" ? found.tensor : sliceTensor(found.tensor, index),
  };
}
