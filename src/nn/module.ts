/**
 * The base of every layer, as torch.nn.Module for inference: fields are the tree. A field that holds a Parameter, a
 * BufferTensor or a Module is part of it under the field's own name, so that state-dict names are PyTorch's with no
 * table. The order is that of the class's field declarations.
 *
 * A module is made with shapes alone (its parameters are on the meta backend, as under `torch.device("meta")`);
 * `loadStateDict` or `seedParameters` brings the numbers. Evaluation only: there is no training mode.
 */
import type { Backend, DType, Storage } from "../backend/backend.ts";
import { metaBackend } from "../backend/meta.ts";
import { withScope } from "../backend/scope.ts";
import { fail, MobileDetrError } from "../errors.ts";
import { contiguousStrides } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { modulePaths } from "./module-paths.ts";
import { currentObserver } from "./observer.ts";

/** A learnt tensor of a module; on the meta backend until it is loaded. */
export class Parameter extends Tensor {
  /** A parameter with a shape and no numbers yet. */
  static ofShape(...shape: number[]): Parameter {
    return new Parameter(metaBackend.allocate("f32", 0), shape, contiguousStrides(shape));
  }
}

/** A tensor of a module that is saved but not learnt: running statistics. */
export class BufferTensor extends Tensor {
  /** A buffer with a shape and no numbers yet. */
  static ofShape(shape: readonly number[], dtype: DType = "f32"): BufferTensor {
    return new BufferTensor(metaBackend.allocate(dtype, 0), shape, contiguousStrides(shape));
  }
}

/** Any module, whatever it takes and gives. */
export type AnyModule = Module<never, unknown>;

/** Runs before `forward`; may return a list of other inputs. */
export type ForwardPreHook = (
  module: AnyModule,
  inputs: readonly unknown[],
) => readonly unknown[] | undefined;

/**
 * Runs after `forward`; may return another output. Tensors made or seen inside a hook are valid until the call returns:
 * copy them out (`toArray`) or `keep()` them.
 */
export type ForwardHook = (module: AnyModule, inputs: readonly unknown[], output: unknown) => unknown;

let depth = 0; // how many calls are under way, to find the outermost
const thrownBy = new WeakMap<MobileDetrError, AnyModule>(); // the innermost module that an error passed through

/** A layer or a network: `In` are forward's arguments, `Out` its result. */
export abstract class Module<In extends unknown[] = [Tensor], Out = Tensor> {
  /** Always false: evaluation only. */
  get training(): boolean {
    return false;
  }

  // Each registration is an entry of its own: one function registered twice runs twice, as in PyTorch.
  readonly #preHooks = new Set<{ readonly hook: ForwardPreHook }>();
  readonly #hooks = new Set<{ readonly hook: ForwardHook }>();

  /** The computation. Call it through {@link call}, which runs hooks and frees intermediate memory. */
  abstract forward(...inputs: In): Out;

  /** Runs the module, as `module(x)` in PyTorch: hooks, forward, and what it allocated is freed but for the result. */
  call(...inputs: In): Out {
    const observer = currentObserver();
    if (!observer) return this.#call(inputs);
    return observer.call(this as unknown as AnyModule, inputs, () => this.#call(inputs)) as Out;
  }

  #call(inputs: In): Out {
    depth++;
    try {
      return withScope(() => this.#run(inputs), storagesOf);
    } catch (error) {
      if (!(error instanceof MobileDetrError)) throw error;
      const innermost = thrownBy.get(error) ?? (this as unknown as AnyModule);
      thrownBy.set(error, innermost);
      if (depth > 1) throw error;
      const path = modulePaths(this as unknown as AnyModule).get(innermost);
      throw path ? new MobileDetrError(error.code, `${path}: ${error.message}`, { cause: error }) : error;
    } finally {
      depth--;
    }
  }

  #run(inputs: In): Out {
    const self = this as unknown as AnyModule;
    let given = inputs;
    for (const { hook } of this.#preHooks) given = (hook(self, given) as In | undefined) ?? given;
    let output = this.forward(...given);
    for (const { hook } of this.#hooks) output = (hook(self, given, output) as Out | undefined) ?? output;
    return output;
  }

  /** Adds a hook before `forward`; the function returned removes it. */
  registerForwardPreHook(hook: ForwardPreHook): () => void {
    const entry = { hook };
    this.#preHooks.add(entry);
    return () => void this.#preHooks.delete(entry);
  }

  /** Adds a hook after `forward`; the function returned removes it. */
  registerForwardHook(hook: ForwardHook): () => void {
    const entry = { hook };
    this.#hooks.add(entry);
    return () => void this.#hooks.delete(entry);
  }

  // ---- the tree ----

  /** The direct children by field name, in order. */
  *namedChildren(): Generator<[string, AnyModule]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Module) yield [name, value as AnyModule];
    }
  }

  /** The direct children, in order. */
  *children(): Generator<AnyModule> {
    for (const [, child] of this.namedChildren()) yield child;
  }

  /** This module (path "") and all below it, parents first. */
  *namedModules(prefix = ""): Generator<[string, AnyModule]> {
    yield [prefix, this as unknown as AnyModule];
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(join(prefix, name));
  }

  /** All parameters below, in state-dict order. */
  *namedParameters(): Generator<[string, Parameter]> {
    for (const [name, tensor] of this.namedTensors()) if (tensor instanceof Parameter) yield [name, tensor];
  }

  /** All buffers below, in state-dict order. */
  *namedBuffers(): Generator<[string, BufferTensor]> {
    for (const [name, tensor] of this.namedTensors())
      if (tensor instanceof BufferTensor) yield [name, tensor];
  }

  /** Parameters and buffers in state-dict order: own parameters, own buffers, then the children's. */
  *namedTensors(): Generator<[string, Parameter | BufferTensor]> {
    for (const slot of this.slots()) yield [slot.name, slot.tensor];
  }

  /** Where each parameter and buffer hangs, in state-dict order; for those who replace them. */
  *slots(prefix = ""): Generator<TensorSlot> {
    const waiting: [string, AnyModule][] = [[prefix, this as unknown as AnyModule]]; // a stack: generators within generators are slow
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [path, owner] = next;
      const buffers: TensorSlot[] = [];
      for (const [field, value] of Object.entries(owner)) {
        if (value instanceof Parameter) yield { owner, field, name: join(path, field), tensor: value };
        else if (value instanceof BufferTensor) {
          buffers.push({ owner, field, name: join(path, field), tensor: value });
        }
      }
      yield* buffers;
      for (const [name, child] of [...owner.namedChildren()].reverse())
        waiting.push([join(path, name), child]);
    }
  }

  /** The module at a path such as "model.0.layer3.uib_0"; "" is this one. */
  getSubmodule(path: string): AnyModule {
    let at = this as unknown as AnyModule;
    for (const name of path === "" ? [] : path.split(".")) {
      const next = [...at.namedChildren()].find(([child]) => child === name)?.[1];
      if (!next) {
        const known = [...at.namedChildren()].map(([child]) => child).join(", ");
        fail(
          "argument",
          "getSubmodule",
          `a path of this model (${at.kind} has ${known || "no children"})`,
          path,
        );
      }
      at = next;
    }
    return at;
  }

  /** Parameters and buffers by name. The tensors are the module's own, not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map(this.namedTensors());
  }

  /** Moves all parameters and buffers that hold numbers to a backend, and frees the memory they had. */
  to(backend: Backend): this {
    for (const slot of this.slots()) {
      if (slot.tensor.isMeta || slot.tensor.backend === backend) continue;
      const moved = slot.tensor.to(backend);
      slot.tensor.dispose();
      replaceTensor(slot, moved);
    }
    return this;
  }

  /** Frees the memory of all parameters and buffers; the module has shapes alone again. */
  dispose(): void {
    for (const slot of this.slots()) {
      slot.tensor.dispose();
      replaceTensor(
        slot,
        new Tensor(metaBackend.allocate(slot.tensor.dtype, 0), slot.tensor.shape, slot.tensor.strides),
      );
    }
  }

  /** Itself: modules are always in evaluation mode. */
  eval(): this {
    return this;
  }

  /** Calls `visit` on every module below, children first, then on this one, as torch's `apply`. */
  apply(visit: (module: AnyModule) => void): this {
    for (const child of this.children()) child.apply(visit);
    visit(this as unknown as AnyModule);
    return this;
  }

  // ---- printing ----

  /** The class's name, as PyTorch prints it. */
  get kind(): string {
    return this.constructor.name;
  }

  /** What stands between the parentheses of a leaf: PyTorch's `extra_repr`. */
  extraRepr(): string {
    return "";
  }

  /** The tree as PyTorch prints it. */
  toString(): string {
    const lines = [...this.namedChildren()].map(([name, child]) => `(${name}): ${indent(child.toString())}`);
    const extra = this.extraRepr();
    if (lines.length === 0) return `${this.kind}(${extra})`;
    const all = extra ? [extra, ...lines] : lines;
    return `${this.kind}(\n${all.map((line) => `  ${line}`).join("\n")}\n)`;
  }
}

/** A parameter or buffer and the field that holds it. */
export interface TensorSlot {
  /** The module that holds the tensor. */
  readonly owner: object;
  /** Its field there: "weight". */
  readonly field: string;
  /** State-dict name. */
  readonly name: string;
  /** What hangs there now; shapes alone until loaded. */
  readonly tensor: Parameter | BufferTensor;
}

/** Hangs another tensor of the same shape into a slot; its memory then belongs to the module, not to any scope. */
export function replaceTensor(slot: TensorSlot, tensor: Tensor): void {
  const kind = slot.tensor instanceof Parameter ? Parameter : BufferTensor;
  tensor.keep();
  (slot.owner as Record<string, unknown>)[slot.field] = new kind(
    tensor.storage,
    tensor.shape,
    tensor.strides,
    tensor.offset,
  );
}

/** All storages in a result: a tensor, or lists and records of tensors. */
export function* storagesOf(result: unknown): Generator<Storage> {
  if (result instanceof Tensor) yield result.storage;
  else if (Array.isArray(result) || result instanceof Set) for (const item of result) yield* storagesOf(item);
  else if (result instanceof Map) for (const item of result.values()) yield* storagesOf(item);
  else if (isRecord(result)) for (const item of Object.values(result)) yield* storagesOf(item);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function join(prefix: string, name: string): string {
  return prefix ? `${prefix}.${name}` : name;
}

function indent(text: string): string {
  return text.replaceAll("\n", "\n  ");
}
