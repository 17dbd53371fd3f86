/** Tensors that are made when they are asked for and not kept: for the parameters of whole models. */
import type { HostTensor, HostTensors } from "./host-tensor.ts";

/** A read-only map whose values `make` makes anew at each `get`; names and their order are known beforehand. */
export class LazyTensors implements HostTensors {
  readonly #names: ReadonlySet<string>;
  readonly #make: (name: string) => HostTensor;

  constructor(names: Iterable<string>, make: (name: string) => HostTensor) {
    this.#names = new Set(names);
    this.#make = make;
  }

  /** Number of names. */
  get size(): number {
    return this.#names.size;
  }

  /** Whether there is a tensor of that name. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** The tensor, made now; undefined for an unknown name. */
  get(name: string): HostTensor | undefined {
    return this.#names.has(name) ? this.#make(name) : undefined;
  }

  /** The names in order. */
  keys(): MapIterator<string> {
    return this.#names.values();
  }

  /** Names and tensors in order, each made when its turn comes. */
  *entries(): MapIterator<[string, HostTensor]> {
    for (const name of this.#names) yield [name, this.#make(name)];
  }

  /** Tensors in order. */
  *values(): MapIterator<HostTensor> {
    for (const name of this.#names) yield this.#make(name);
  }

  /** As `Map.forEach`. */
  forEach(visit: (tensor: HostTensor, name: string, all: HostTensors) => void): void {
    for (const [name, tensor] of this.entries()) visit(tensor, name, this);
  }

  /** As {@link entries}. */
  [Symbol.iterator](): MapIterator<[string, HostTensor]> {
    return this.entries();
  }
}
