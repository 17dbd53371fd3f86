/** Modules one after another, as torch.nn.Sequential. */
import type { Tensor } from "../tensor/tensor.ts";
import { ChildList } from "./child-list.ts";
import { type AnyModule, Module } from "./module.ts";

/** Each takes what the one before it gave; without children the input comes back. */
export class Sequential extends Module {
  readonly #list = new ChildList<AnyModule>(this, "Sequential");

  /** From a list, whose modules are named "0", "1", ..., or from a record of named modules, in its order. */
  constructor(modules: readonly AnyModule[] | Readonly<Record<string, AnyModule>> = []) {
    super();
    if (Array.isArray(modules)) for (const module of modules) this.#list.add(module);
    else for (const [name, module] of Object.entries(modules)) this.#list.add(module, name);
  }

  forward(x: Tensor): Tensor {
    let y = x;
    for (const module of this) y = (module as unknown as Module).call(y);
    return y;
  }

  /** How many modules there are. */
  get length(): number {
    return this.#list.length;
  }

  /** The module of an index (negative: from the end) or a name; an error where there is none. */
  at(key: number | string): AnyModule {
    return this.#list.at(key);
  }

  /** Adds a module at the end, under the next number unless it is named. */
  append(module: AnyModule, name?: string): this {
    this.#list.add(module, name);
    return this;
  }

  /** Puts another module in the place of one. */
  replace(key: number | string, module: AnyModule): this {
    this.#list.replace(key, module);
    return this;
  }

  /** The modules, in order. */
  *[Symbol.iterator](): Generator<AnyModule> {
    for (const [, module] of this.#list.entries()) yield module;
  }

  override namedChildren(): Generator<[string, AnyModule]> {
    return this.#list.entries();
  }
}
