/** `set` on a line: the run goes on with a part of an output at another number. */
import { fail } from "../errors.ts";
import { type Step, sliceTensor } from "../inspect/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { shortName, splitIndex } from "./step-names.ts";

/** Does "output[0, 3] 0". Error of code "argument" where the line is wrong, or the run does not stand behind a module. */
export function setPart(step: Step, text: string): void {
  const match = /^(.+?)\s+([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.exec(text);
  if (!match) fail("argument", "set", "a part of the output and a number, as set output[0, 3] 0", text);
  const [, target, value] = match;
  const [name, index] = splitIndex(target);
  if (step.phase !== "after") {
    fail("argument", "set", "a module behind which the run stands", step.phase, "go on to its end with next");
  }
  const names = step.outputs.map((output) => shortName(output.name, step.path));
  const chosen = names.indexOf(name);
  if (chosen < 0) fail("argument", "set", `a part of ${names.join(", ")}`, target);
  const tensors = step.outputs.map(({ tensor }) => tensor);
  const changed = tensors[chosen].clone().keep();
  try {
    fillWith(sliceTensor(changed, index), Number(value));
    step.replace(...tensors.map((tensor, i) => (i === chosen ? changed : tensor)));
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
