/**
 * Loading a state dict without reading it: names, shapes and types are compared, and every tensor of the module reads its
 * numbers from the source when somebody asks for them. For modules that are compiled: a plan has packed weights of its own,
 * and with this the plain ones are in memory one at a time.
 */
import type { TypedArray } from "../backend/backend.ts";
import { newTypedArray } from "../backend/heap.ts";
import { contiguousStrides } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { DeferredStorage } from "./deferred-storage.ts";
import type { AnyModule } from "./module.ts";
import { hang, type LoadOptions, matchState, refuseBadValues } from "./state-dict.ts";
import type { StateSource } from "./state-source.ts";
import { badValues } from "./state-values.ts";

/** A module's tensors that are read when they are asked for. */
export class DeferredState {
  readonly #source: StateSource;
  readonly #unread = new Map<string, DeferredStorage>();
  readonly #bad: string[] = [];

  /** @internal See {@link deferStateDict}. */
  constructor(module: AnyModule, source: StateSource, options: Omit<LoadOptions, "backend">) {
    const { prefix = "", checkFinite = true } = options;
    this.#source = source;
    for (const slot of matchState(module, source, options).wanted) {
      const { name, tensor } = slot;
      const { shape } = tensor;
      const storage = new DeferredStorage(tensor.dtype, tensor.size, (out) => {
        source.readInto(prefix + name, out);
        if (this.#unread.delete(name) && checkFinite) this.#check(name, out, shape);
      });
      this.#unread.set(name, storage);
      hang(slot, new Tensor(storage, shape, contiguousStrides(shape)));
    }
  }

  #check(name: string, data: TypedArray, shape: readonly number[]): void {
    const problem = badValues(name, data, shape);
    if (problem) this.#bad.push(problem);
  }

  /**
   * Reads what nobody has asked for, to look at its values, and throws what `loadStateDict` would have thrown: "weights" with
   * all tensors whose values are bad. Nothing is read into memory for good.
   */
  finish(): void {
    for (const storage of [...this.#unread.values()]) {
      storage.readInto(newTypedArray(storage.dtype, storage.length));
    }
    refuseBadValues(this.#source, this.#bad);
  }
}

/**
 * Gives a module's parameters and buffers to a source, which must stay open until the last of them was read or the module
 * disposed of. Throws "weights" with all differences in names, shapes and types; the module is then unchanged. What reading
 * throws ("file": cut short meanwhile) comes later, from whoever reads. Values are checked as they are read: call
 * {@link DeferredState.finish} when all that is needed was.
 */
export function deferStateDict(
  module: AnyModule,
  source: StateSource,
  options: Omit<LoadOptions, "backend"> = {},
): DeferredState {
  return new DeferredState(module, source, options);
}
