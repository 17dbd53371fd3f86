/** How a state dict differs from a module: every name, shape and type at once. `state-report.ts` puts it in words. */
import { sameShape, sizeOf } from "../tensor/shape.ts";
import type { AnyModule, TensorSlot } from "./module.ts";
import type { StateEntry, StateSource } from "./state-source.ts";

/** A tensor that both have, but not alike. */
export interface MisfitTensor {
  readonly name: string;
  /** Shape in the module. */
  readonly expected: readonly number[];
  /** Shape in the source. */
  readonly got: readonly number[];
  /** Type in the source. */
  readonly dtype: string;
}

/** Everything in which source and module differ. Names are the module's (without the source's prefix). */
export interface StateMismatch {
  /** In the module only, and not excused. */
  readonly missing: readonly string[];
  /** In the source only. */
  readonly unexpected: readonly string[];
  /** In both, with other sizes. */
  readonly misshaped: readonly MisfitTensor[];
  /** In both, but of a type that cannot be what the module means: integers where weights belong. */
  readonly mistyped: readonly MisfitTensor[];
}

/** What {@link compareState} found: the differences, and what there is to read. */
export interface StateComparison {
  readonly mismatch: StateMismatch;
  /** Slots whose tensors are there and fit. */
  readonly matched: readonly TensorSlot[];
  /** Names that are absent, excused or not. */
  readonly absent: readonly string[];
}

const FLOATS: ReadonlySet<string> = new Set(["F64", "F32", "F16", "BF16"]);

/** Compares names, shapes and types; reads no numbers. Names of the source that lack `prefix` are another module's. */
export function compareState(
  module: AnyModule,
  source: StateSource,
  prefix: string,
  mayMiss: (name: string) => boolean,
): StateComparison {
  const names = new Set<string>();
  for (const name of source.names) if (name.startsWith(prefix)) names.add(name.slice(prefix.length));
  const matched: TensorSlot[] = [];
  const absent: string[] = [];
  const misshaped: MisfitTensor[] = [];
  const mistyped: MisfitTensor[] = [];
  const known = new Set<string>();
  for (const slot of module.slots()) {
    const { name, tensor } = slot;
    known.add(name);
    if (!names.has(name)) {
      absent.push(name);
      continue;
    }
    const { dtype, shape: got } = source.entry(prefix + name);
    const misfit: MisfitTensor = { name, expected: tensor.shape, got, dtype };
    if (!shapesFit(tensor.shape, got)) misshaped.push(misfit);
    else if (tensor.dtype === "f32" && !FLOATS.has(dtype)) mistyped.push(misfit);
    else matched.push(slot);
  }
  const mismatch: StateMismatch = {
    missing: absent.filter((name) => !mayMiss(name)),
    unexpected: [...names].filter((name) => !known.has(name)),
    misshaped,
    mistyped,
  };
  return { mismatch, matched, absent };
}

/** QUIRK: as in PyTorch, a scalar may be stored with shape [1], as PyTorch before 0.4 did. */
function shapesFit(expected: StateEntry["shape"], got: StateEntry["shape"]): boolean {
  return sameShape(expected, got) || (expected.length === 0 && got.length === 1 && sizeOf(got) === 1);
}

/** True where nothing differs. */
export function isExact(mismatch: StateMismatch): boolean {
  return Object.values(mismatch).every((list) => list.length === 0);
}
