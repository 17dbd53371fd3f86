/** `set` on a line: the run goes on with a part of an output at another number. */
import { fail } from "../errors.ts";
import { type Step, sliceTensor } from "../inspect/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { printable } from "./printable.ts";
import { shortName, splitIndex } from "./step-names.ts";

/** Does "output[0, 3] 0". Error of code "argument" where the line is wrong, or the run is not behind a module of one output. */
export function setPart(step: Step, text: string): void {
  const match = /^(.+?)\s+([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.exec(text);
  if (!match) fail("argument", "set", "a part of the output and a number, as set output[0, 3] 0", text);
  const [, target, value] = match;
  const [name, index] = splitIndex(target);
  const output = step.outputs.find((o) => shortName(o.name, step.path) === name);
  if (step.phase !== "after" || step.outputs.length !== 1 || !output) {
    fail(
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
}

/** Sets every element of a view. */
function fillWith(view: Tensor, value: number): void {
  const data = view.storage.data as Float32Array;
  const walk = (axis: number, offset: number): void => {
    if (axis === view.ndim) data[offset] = value;
    else for (let i = 0; i < view.shape[axis]; i++) walk(axis + 1, offset + i * view.strides[axis]);
  };
  walk(0, view.offset);
}
