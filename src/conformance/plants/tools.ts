/**
 * How mistakes are planted into this package's own runtime, so that the kit can be tried on implementations that are wrong in one
 * known way: in the loops of the reference backend, in built modules, or in what goes into and comes out of a runtime. Independent
 * of `diagnose/`, which guesses the same mistakes from numbers.
 */
import type { Backend, DType } from "../../backend/backend.ts";
import { HeapStorage, newTypedArray } from "../../backend/heap.ts";
import { referenceBackend } from "../../backend/reference/reference.ts";
import type { AnyModule } from "../../nn/index.ts";
import { openOurRuntime } from "../adapters/ours.ts";
import type { HostTensor, HostTensors } from "../host-tensor.ts";
import type { RunRequest, Runtime } from "../runtime.ts";

/** A runtime that is wrong in one way. */
export interface Plant {
  /** "tanh-gelu", unique. */
  readonly name: string;
  /** What is wrong, for reports. */
  readonly title: string;
  /** The diagnosis that must come first: one of these, where several words say the same. */
  readonly mistakes: readonly string[];
  /** Patterns of the cases that must reject it; each of them must. */
  readonly cases: readonly string[];
  open(): Runtime;
}

/** The reference backend with some loops replaced; `inner` does them rightly. */
export function plantBackend(change: (inner: Backend) => Partial<Backend>): Backend {
  const planted: Backend = {
    ...referenceBackend,
    ...change(referenceBackend),
    allocate: (dtype: DType, length: number) => new HeapStorage(planted, newTypedArray(dtype, length)),
  };
  return planted;
}

/** Our runtime, layer by layer on the reference backend with some loops replaced. */
export function withLoops(change: (inner: Backend) => Partial<Backend>): () => Runtime {
  return () => openOurRuntime("eager-reference", { backend: plantBackend(change), name: "planted" });
}

/** Our runtime with something done to each module of what is run, path by path. */
export function withModules(change: (module: AnyModule, path: string) => void): () => Runtime {
  return () =>
    openOurRuntime("eager-reference", {
      name: "planted",
      change: (root) => {
        for (const [path, module] of [...root.namedModules()]) change(module, path);
      },
    });
}

/** Puts another forward into one instance of a module. */
export function setForward(module: AnyModule, forward: (...inputs: never[]) => unknown): void {
  Object.defineProperty(module, "forward", { value: forward, configurable: true });
}

/** What is done to requests and results. */
export interface Interception {
  readonly request?: (request: RunRequest) => RunRequest;
  readonly outputs?: (outputs: HostTensors, request: RunRequest) => HostTensors;
}

/** Our runtime with something done to what it is asked and what it gives. */
export function withTraffic({ request: ask, outputs: give }: Interception): () => Runtime {
  return () => {
    const inner = openOurRuntime("eager-reference", { name: "planted" });
    return {
      name: inner.name,
      async run(request) {
        const response = await inner.run(ask?.(request) ?? request);
        if (response.status !== "done" || !give) return response;
        return { ...response, outputs: give(response.outputs, request) };
      },
      close: () => inner.close(),
    };
  };
}

/** The tensors with some replaced; `undefined` from `change` leaves one as it is. */
export function replaced(
  tensors: HostTensors,
  change: (tensor: HostTensor, name: string) => HostTensor | undefined,
): HostTensors {
  return new Map([...tensors].map(([name, tensor]) => [name, change(tensor, name) ?? tensor]));
}

/** An f32 tensor with every number changed; others as they are. */
export function mapped(tensor: HostTensor, change: (value: number, index: number) => number): HostTensor {
  return tensor.dtype === "F32" ? { ...tensor, data: tensor.data.map(change) } : tensor;
}

/** An f32 tensor whose element i is element `from(i)`. */
export function gathered(tensor: HostTensor, from: (index: number) => number): HostTensor {
  if (tensor.dtype !== "F32") return tensor;
  const { data } = tensor;
  return { ...tensor, data: data.map((_, i) => data[from(i)]) };
}
