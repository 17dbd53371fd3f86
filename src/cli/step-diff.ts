/** How far a step's tensors are from a trace's. */
import { coordinatesOf, numbersOf } from "../conformance/numbers.ts";
import type { TraceFile } from "../conformance/trace-file.ts";
import type { Step } from "../inspect/index.ts";
import { formatShape } from "../tensor/shape.ts";
import { shortName } from "./step-names.ts";
import { number } from "./step-text.ts";
import type { Look } from "./terminal.ts";

/** A line for each output and value that the trace has too: equal, or the greatest difference and where it is. */
export function differences(
  step: Step,
  trace: TraceFile,
  paint: (look: Look, text: string) => string,
): string[] {
  if (step.phase === "before") return [];
  return [...step.outputs, ...step.values].flatMap(({ name, tensor }) => {
    const stored = trace.tensors.get(name);
    if (!stored) return [];
    const expected = numbersOf(stored);
    const positions = trace.positions?.(name);
    const got = tensor.toArray();
    if (positions === undefined && expected.length !== got.length) {
      return [`  ${paint("red", `not of the trace's shape ${formatShape(stored.shape)}`)}`];
    }
    let [most, at] = [0, 0];
    for (let i = 0; i < expected.length; i++) {
      const [a, b] = [Number(got[positions?.[i] ?? i]), Number(expected[i])];
      const difference = Object.is(a, b) ? 0 : Math.abs(a - b); // NaN is NaN, and an infinity the same
      if (difference > most || Number.isNaN(difference)) [most, at] = [difference, positions?.[i] ?? i];
      if (Number.isNaN(difference)) break;
    }
    const where =
      most > 0 || Number.isNaN(most) ? `, at ${formatShape(coordinatesOf(at, tensor.shape))}` : "";
    return [
      `  ${shortName(name, step.path)} from the trace: ${most === 0 ? "equal" : `at most ${number(most)}${where}`}`,
    ];
  });
}
