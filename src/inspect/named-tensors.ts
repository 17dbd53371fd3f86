/** The tensors in what modules take and give, under the names that a trace has for them. */
import { Tensor } from "../tensor/tensor.ts";

/** QUIRK: the names under which results with fields are known in PyTorch, where they are attributes of nothing. */
const FIELD_NAMES: Readonly<Record<string, string>> = { output: "", output0: ".0" };

/**
 * Every tensor in a result with its name: `path` where it is one; ".0", ".1", ... appended in lists, ".field" in records, but
 * nothing for `output` and ".0" for `output0`.
 */
export function* namedTensors(path: string, value: unknown): Generator<[string, Tensor]> {
  if (value instanceof Tensor) yield [path, value];
  else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* namedTensors(`${path}.${i}`, item);
  } else if (typeof value === "object" && value !== null) {
    for (const [field, item] of Object.entries(value)) {
      yield* namedTensors(`${path}${FIELD_NAMES[field] ?? `.${field}`}`, item);
    }
  }
}

/** The same lists and records with other tensors, in the order in which {@link namedTensors} has them. */
export function withTensors(value: unknown, tensors: Iterator<Tensor>): unknown {
  if (value instanceof Tensor) return tensors.next().value ?? value;
  if (Array.isArray(value)) return value.map((item) => withTensors(item, tensors));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, item]) => [field, withTensors(item, tensors)]),
  );
}
