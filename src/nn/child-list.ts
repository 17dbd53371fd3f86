/**
 * The children of a container in the order in which they were added, each one a field of the container under its name,
 * so that state-dict names come out as PyTorch's.
 *
 * QUIRK: JavaScript orders integer-like keys of an object by number, whatever the order in which they were set. The list
 * keeps names by itself, so that a container's order is right for names of any kind.
 */
import { fail } from "../errors.ts";
import { type AnyModule, Module } from "./module.ts";

/** Named children of `owner`, which holds them as fields. */
export class ChildList<M extends AnyModule> {
  readonly #owner: object;
  readonly #kind: string;
  readonly #names: string[] = [];

  constructor(owner: object, kind: string) {
    this.#owner = owner;
    this.#kind = kind;
  }

  /** How many there are. */
  get length(): number {
    return this.#names.length;
  }

  /** Adds a child under a new name; the next number unless said. */
  add(module: M, name: string = String(this.#names.length)): void {
    if (!(module instanceof Module)) fail("argument", this.#kind, `a Module as ${name}`, typeof module);
    if (name === "" || name.includes(".")) {
      fail("argument", this.#kind, "names without a dot, not empty", JSON.stringify(name));
    }
    if (name in this.#owner) {
      fail(
        "argument",
        this.#kind,
        "names that are free",
        JSON.stringify(name),
        "a member has that name already",
      );
    }
    this.#names.push(name);
    this.#set(name, module);
  }

  /** The child of an index (negative: from the end) or a name. */
  at(key: number | string): M {
    return (this.#owner as Record<string, M>)[this.#nameOf(key)];
  }

  /** Puts another module in the place of one. */
  replace(key: number | string, module: M): void {
    this.#set(this.#nameOf(key), module);
  }

  /** Names and children, in order. */
  *entries(): Generator<[string, M]> {
    for (const name of this.#names) yield [name, this.at(name)];
  }

  #set(name: string, module: M): void {
    (this.#owner as Record<string, M>)[name] = module;
  }

  #nameOf(key: number | string): string {
    const name = typeof key === "string" ? key : this.#names.at(key);
    if (name === undefined || !Number.isInteger(typeof key === "number" ? key : 0)) {
      fail("argument", this.#kind, `an index in [${-this.length}, ${this.length})`, String(key));
    }
    if (!this.#names.includes(name)) {
      fail("argument", this.#kind, `one of ${this.#names.join(", ") || "no children"}`, JSON.stringify(name));
    }
    return name;
  }
}
