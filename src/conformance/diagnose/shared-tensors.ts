/**
 * The tensors of a computation that is done many times, each time with another mistake: copied to the backend once. WASM memory
 * that nobody frees would fill up within one diagnosis, before the collector ever runs.
 */
import type { Backend, Storage } from "../../backend/backend.ts";
import { type AnyModule, replaceTensor } from "../../nn/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { toTensor } from "../adapters/tensors.ts";
import type { HostTensors } from "../host-tensor.ts";
import { numelOf } from "../numbers.ts";

/** Entries of state dicts that inference does not read. */
const NEVER_RUN = /num_batches_tracked$|denoising_class_embed|dec_score_head\.\d|layer5/;

/** Tensors of a case on a backend, each copied once; runs share them, and none may write to them. */
export class SharedTensors {
  readonly #hosts: HostTensors;
  readonly #backend: Backend;
  readonly #made = new Map<string, Tensor>();
  readonly #storages = new Set<Storage>();

  constructor(hosts: HostTensors, backend: Backend) {
    this.#hosts = hosts;
    this.#backend = backend;
  }

  /** A view in another shape of as many elements; undefined where there is none. */
  get(name: string, shape: readonly number[]): Tensor | undefined {
    const tensor = this.#made.get(name) ?? this.#make(name);
    return tensor?.size === numelOf(shape) ? tensor.viewAs(...shape) : undefined;
  }

  #make(name: string): Tensor | undefined {
    const host = this.#hosts.get(name); // asked once: the kit generates it anew every time
    if (host === undefined) return undefined;
    const tensor = toTensor(host, this.#backend);
    this.#made.set(name, tensor);
    this.#storages.add(tensor.storage);
    return tensor;
  }

  /** All of them. */
  all(): ReadonlyMap<string, Tensor> {
    const names = [...this.#hosts.keys()];
    return new Map(names.map((name) => [name, (this.#made.get(name) ?? this.#make(name)) as Tensor]));
  }

  /** Gives a module those parameters that are read, by name; false where one is missing. The others have shapes alone. */
  fill(module: AnyModule, read: ReadonlyMap<string, unknown>): boolean {
    let complete = true;
    for (const slot of [...module.slots()]) {
      if (!read.has(slot.name)) continue;
      const tensor = this.get(slot.name, slot.tensor.shape);
      if (tensor !== undefined) replaceTensor(slot, tensor);
      else if (!NEVER_RUN.test(slot.name)) complete = false;
    }
    return complete;
  }

  /** Frees what a module holds and is not of these. */
  disposeOthers(module: AnyModule): void {
    for (const { tensor } of module.slots()) if (!this.#storages.has(tensor.storage)) tensor.dispose();
  }

  dispose(): void {
    for (const tensor of this.#made.values()) tensor.dispose();
    this.#made.clear();
    this.#storages.clear();
  }
}
