/**
 * One thread's instance of the kernels over the shared memory, typed by what asc emitted (`build/kernels.d.ts`).
 * Instances have no state of their own: any thread may run any part of any kernel.
 */
import { instantiateSync } from "@assemblyscript/loader";
import type { instantiate as emitted } from "../../../build/kernels.js";

type Exports = Awaited<ReturnType<typeof emitted>>;

/** An exported kernel's name. */
export type KernelName = Exclude<keyof Exports, "memory" | "heapBase">;

/** A kernel's arguments without the range [begin, end) at their end. */
export type KernelArguments<K extends KernelName> =
  Parameters<Exports[K]> extends [...infer A extends number[], number, number] ? A : never;

/** A kernel as the pool calls it: its arguments, then begin and end. */
export type Kernel = (...args: number[]) => void;

/** The kernels of one instance. */
export interface Kernels {
  /** First byte above the kernels' constants. */
  readonly heapBase: number;
  /** In the order of the module's exports, which is the same in every thread. */
  readonly names: readonly KernelName[];
  /** Same order as `names`. */
  readonly functions: readonly Kernel[];
}

/** Instantiates the compiled kernels over a shared memory. */
export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const { exports, instance } = instantiateSync<Exports>(module, { env: { memory } });
  // The instance's own functions: the loader's wrappers count arguments for AssemblyScript defaults, which we have none of.
  const raw = instance.exports;
  const names = Object.keys(raw).filter(
    (name) => typeof raw[name] === "function" && name !== "heapBase",
  ) as KernelName[];
  return { heapBase: exports.heapBase(), names, functions: names.map((name) => raw[name] as Kernel) };
}
