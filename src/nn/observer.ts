/**
 * The seam for those who look inside a run (`src/inspect`): an observer stands around every `Module.call` and receives what
 * networks name on the way. Within the run of one, another takes its place for a run of its own. Where there is none, a call pays
 * one comparison.
 */
import type { Tensor } from "../tensor/tensor.ts";
import type { AnyModule } from "./module.ts";

/** Stands around the calls of a run. */
export interface Observer {
  /** In place of a call: `proceed` makes it (hooks and forward); what is returned is the call's result. */
  call(module: AnyModule, inputs: readonly unknown[], proceed: () => unknown): unknown;
  /** A value that the module whose forward is running names. The tensor is valid until this returns. */
  value(name: string, tensor: Tensor): void;
}

let current: Observer | undefined;

/** The observer, if a run is being looked at. */
export function currentObserver(): Observer | undefined {
  return current;
}

/** Runs `run` with an observer. */
export function withObserver<R>(observer: Observer, run: () => R): R {
  const before = current;
  current = observer;
  try {
    return run();
  } finally {
    current = before;
  }
}

/** Names a value inside forward, for observers; `make` is called only where there is one. */
export function observe(name: string, make: () => Tensor): void {
  if (current) current.value(name, make());
}
