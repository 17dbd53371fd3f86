/** Modules in a list, as torch.nn.ModuleList: they are named "0", "1", ... and whoever owns the list calls them. */
import { fail } from "../errors.ts";
import { ChildList } from "./child-list.ts";
import { type AnyModule, Module } from "./module.ts";

/** A list of modules of one type. */
export class ModuleList<M extends AnyModule = Module> extends Module<[], never> {
  readonly #list = new ChildList<M>(this, "ModuleList");

  constructor(modules: Iterable<M> = []) {
    super();
    for (const module of modules) this.#list.add(module);
  }

  /** Always an error: a list has no computation of its own. */
  forward(): never {
    return fail("state", "ModuleList", "its modules to be called one by one", "a call of the list itself");
  }

  /** How many modules there are. */
  get length(): number {
    return this.#list.length;
  }

  /** The module of an index (negative: from the end); an error where there is none. */
  at(index: number): M {
    return this.#list.at(index);
  }

  /** Adds a module at the end. */
  append(module: M): this {
    this.#list.add(module);
    return this;
  }

  /** Puts another module in the place of one. */
  replace(index: number, module: M): this {
    this.#list.replace(index, module);
    return this;
  }

  /** The modules, in order. */
  *[Symbol.iterator](): Generator<M> {
    for (const [, module] of this.#list.entries()) yield module;
  }

  override namedChildren(): Generator<[string, M]> {
    return this.#list.entries();
  }

  /** As PyTorch prints it: neighbours that print alike are written once, as `(0-5): 6 x ...`. */
  override toString(): string {
    const runs: { first: number; last: number; text: string }[] = [];
    [...this].forEach((module, i) => {
      const text = module.toString();
      const run = runs.at(-1);
      if (run?.text === text) run.last = i;
      else runs.push({ first: i, last: i, text });
    });
    if (runs.length === 0) return `${this.kind}()`;
    const lines = runs.map(({ first, last, text }) => {
      const label = first === last ? `(${first}): ` : `(${first}-${last}): ${last - first + 1} x `;
      return `  ${label}${text.replaceAll("\n", "\n  ")}\n`;
    });
    return `${this.kind}(\n${lines.join("")})`;
  }
}
