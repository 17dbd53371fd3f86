/**
 * What the kit needs of an implementation, ours or foreign: one function. Adapters are in `adapters/`; the same request and
 * response travel as files to programs in other languages (docs/conformance-protocol.md).
 */
import type { HostTensors } from "./host-tensor.ts";
import type { Subject } from "./manifest.ts";

/** One thing to run. */
export interface RunRequest {
  /** The case's id, or id#path for one module of a case that is fed with golden inputs. */
  readonly id: string;
  readonly subject: Subject;
  /** In the order of the call. */
  readonly inputs: HostTensors;
  /** By state-dict names within the subject; each `get` may make a tensor anew. */
  readonly parameters: HostTensors;
  /**
   * Names that are wanted: every golden's name of the case but what the kit computes itself (average precision). A runtime gives
   * those that it can.
   */
  readonly outputs: readonly string[];
}

/** What became of it. */
export type RunResponse =
  | { readonly status: "done"; readonly outputs: HostTensors; readonly seconds: number }
  /** The runtime has no such thing: not a failure. */
  | { readonly status: "unsupported"; readonly message: string }
  /** `late`: it was not answered in time. */
  | { readonly status: "failed"; readonly message: string; readonly late?: boolean };

/** An implementation under test. */
export interface Runtime {
  /** "mobiledetr compiled", "onnxruntime 1.30". */
  readonly name: string;
  /** Runs one thing; rejects only where the runtime is lost for good. */
  run(request: RunRequest): Promise<RunResponse>;
  /** Ends what `run` started: processes, threads. */
  close(): Promise<void>;
}
