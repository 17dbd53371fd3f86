/** Parts of a tensor as Python writes them: "[0, 3, :, 10:20:2]". */
import { fail } from "../errors.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

const NUMBER = /^[+-]?\d+$/;

/**
 * A view of x by an index such as "[0, -1, 2:5, ::2, ...]" (brackets may be left out): a number takes an axis away, a:b:step
 * keeps it, "..." stands for as many ":" as are missing, axes that are not said are whole. Error of code "argument".
 */
export function sliceTensor(x: Tensor, index: string): Tensor {
  const wrong = (got: string, mend?: string): never =>
    fail("argument", "index", `one for ${formatShape(x.shape)}, as [0, :, 2:5, -1]`, got, mend);
  const [, within, bare] = /^\s*(?:\[([^[\]]*)\]|([^[\]]*))\s*$/.exec(index) ?? [];
  const inner = within ?? bare;
  if (inner === undefined) return wrong(JSON.stringify(index));
  const parts = inner.trim() === "" ? [] : inner.split(",").map((part) => part.trim());
  const dots = parts.indexOf("...");
  if (dots >= 0) {
    if (parts.indexOf("...", dots + 1) >= 0) wrong(JSON.stringify(index), "one ... is enough");
    const missing = Math.max(0, x.ndim - (parts.length - 1));
    parts.splice(dots, 1, ...new Array<string>(missing).fill(":"));
  }
  if (parts.length > x.ndim) wrong(`${parts.length} of them`);
  let view = x;
  let axis = 0;
  for (const [i, part] of parts.entries()) {
    const size = x.shape[i];
    if (NUMBER.test(part)) {
      const at = Number(part);
      if (at < -size || at >= size) wrong(`${part} for axis ${i} of ${size}`);
      view = view.select(axis, at);
      continue;
    }
    const bounds = part.split(":");
    if (
      bounds.length < 2 ||
      bounds.length > 3 ||
      bounds.some((bound) => bound.trim() !== "" && !NUMBER.test(bound.trim()))
    ) {
      wrong(JSON.stringify(part));
    }
    const [start, end, step] = bounds.map((bound) => (bound.trim() === "" ? undefined : Number(bound)));
    if (step !== undefined && step < 1) wrong(`a step of ${step}`, "steps are at least 1");
    view = view.slice(axis, start, end, step);
    axis++;
  }
  return view;
}
