/**
 * Loading a state dict into a module, as torch's `load_state_dict`: everything is compared before anything is read, all
 * that is wrong is told at once, and the module is as it was unless all went well.
 *
 * Tensors are read one by one straight into the memory that the module will use; only where a loaded module is loaded
 * again are the old and the new weights held at once.
 */
import type { Backend } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type AnyModule, replaceTensor, type TensorSlot } from "./module.ts";
import { compareState, isExact } from "./state-mismatch.ts";
import { describeMismatch, listLines } from "./state-report.ts";
import type { StateSource } from "./state-source.ts";
import { badValues } from "./state-values.ts";

/** Options of {@link loadStateDict}. */
export interface LoadOptions {
  /** Where the parameters will live. */
  readonly backend: Backend;
  /**
   * true: names must be the same on both sides. false: what is missing stays as it was and what is unexpected is left
   * out. QUIRK: as in PyTorch, a tensor of another shape is an error either way.
   */
  readonly strict?: boolean;
  /** What stands before the module's names in the source; names without it are not looked at. "" unless said. */
  readonly prefix?: string;
  /** Names that may be missing although `strict`; none unless said. Their tensors stay as they were. */
  readonly mayMiss?: (name: string) => boolean;
  /** Names that are not read although they are there; none unless said. Their tensors stay as they were. */
  readonly skip?: (name: string) => boolean;
  /** true: NaN, infinities and negative variances are errors. */
  readonly checkFinite?: boolean;
}

/** What was loaded. Names are the module's. */
export interface LoadReport {
  /** The source's name. */
  readonly source: string;
  /** How many tensors were loaded. */
  readonly tensors: number;
  /** How many numbers they have. */
  readonly elements: number;
  /** In the module and not in the source; excused, or not strict. */
  readonly missing: readonly string[];
  /** In the source and not in the module; only where not strict. */
  readonly unexpected: readonly string[];
}

/**
 * Fills a module's parameters and buffers from a source, and frees the memory they had. Throws "weights" with all
 * differences in names, shapes and types, or with all tensors whose values are bad; the module is then unchanged.
 */
export function loadStateDict(module: AnyModule, source: StateSource, options: LoadOptions): LoadReport {
  const { backend, prefix = "", checkFinite = true } = options;
  const { wanted, absent, unexpected } = matchState(module, source, options);
  const loaded = readAll(wanted, source, prefix, backend, checkFinite);
  for (const [slot, tensor] of loaded) hang(slot, tensor);
  return {
    source: source.name,
    tensors: loaded.length,
    elements: loaded.reduce((sum, [, tensor]) => sum + tensor.size, 0),
    missing: absent,
    unexpected,
  };
}

/** What there is to read; throws "weights" where source and module differ. */
export function matchState(
  module: AnyModule,
  source: StateSource,
  options: Omit<LoadOptions, "backend">,
): {
  readonly wanted: readonly TensorSlot[];
  readonly absent: readonly string[];
  readonly unexpected: readonly string[];
} {
  const { strict = true, prefix = "", mayMiss = () => false, skip = () => false } = options;
  const { mismatch, matched, absent } = compareState(module, source, prefix, mayMiss);
  const wrong = strict ? mismatch : { ...mismatch, missing: [], unexpected: [] };
  if (!isExact(wrong)) {
    const got = `others:\n${describeMismatch(wrong, module, prefix)}`;
    fail("weights", source.name, `the weights of ${module.kind}`, got);
  }
  return { wanted: matched.filter(({ name }) => !skip(name)), absent, unexpected: mismatch.unexpected };
}

/** Throws "weights" where there are tensors with bad values, which the list describes. */
export function refuseBadValues(source: StateSource, bad: readonly string[]): void {
  if (bad.length === 0) return;
  const got = `${bad.length} tensors with others:${listLines(bad)}`;
  fail("weights", source.name, "finite weights and variances >= 0", got);
}

/** New tensors for all slots; on an error their memory is given back. */
function readAll(
  slots: readonly TensorSlot[],
  source: StateSource,
  prefix: string,
  backend: Backend,
  checkFinite: boolean,
): [TensorSlot, Tensor][] {
  const loaded: [TensorSlot, Tensor][] = [];
  try {
    const bad: string[] = [];
    for (const slot of slots) {
      const { name, tensor } = slot;
      const fresh = Tensor.empty(backend, tensor.shape, tensor.dtype);
      loaded.push([slot, fresh]);
      source.readInto(prefix + name, fresh.storage.data);
      const problem = checkFinite ? badValues(name, fresh.storage.data, fresh.shape) : undefined;
      if (problem) bad.push(problem);
    }
    refuseBadValues(source, bad);
    return loaded;
  } catch (error) {
    for (const [, tensor] of loaded) tensor.dispose();
    throw error;
  }
}

/**
 * Swaps a tensor in, which takes it out of any scope, and frees what was there, whatever it is by now: a module that
 * hangs in two places is met twice.
 */
export function hang(slot: TensorSlot, tensor: Tensor): void {
  const former = (slot.owner as Record<string, Tensor>)[slot.field];
  replaceTensor(slot, tensor);
  if (!former.isMeta) former.dispose();
}
