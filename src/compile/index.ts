/**
 * Compiled plans: `compile(model, { shape, backend })` runs the eager forward once on symbolic tensors, rewrites the
 * graph, and lowers it to steps over static memory. It knows no model by name.
 */
import type { WasmBackend } from "../backend/wasm/wasm-backend.ts";
import { fail } from "../errors.ts";
import { checkShape, formatShape, type MemoryFormat, sizeOf } from "../tensor/shape.ts";
import { lower } from "./lower.ts";
import { PASSES, type Pass, runPasses } from "./passes.ts";
import { Plan } from "./plan.ts";
import { type Compilable, traceGraph } from "./trace.ts";

export type { Graph } from "./graph.ts";
export type { PlanStep } from "./lower.ts";
export { PASSES, type Pass, type PassReport } from "./passes.ts";
export { Plan, type StepProfile } from "./plan.ts";
export { type Compilable, type TraceOptions, traceGraph } from "./trace.ts";

/** Options of {@link compile}. */
export interface CompileOptions {
  /** Shape of the one input, [N, 3, H, W] for a network of this package. */
  readonly shape: readonly number[];
  /** Where the plan runs; the model's parameters may be on any backend. */
  readonly backend: WasmBackend;
  /** Threads that take part, at most those of the backend, which is the default. The bits do not depend on it. */
  readonly threads?: number;
  /** How {@link Plan.input} lies in memory: "contiguous" (row-major) unless given; "channels_last" spares networks a copy. */
  readonly memoryFormat?: MemoryFormat;
  /** Rewrites in their order; {@link PASSES} unless given. */
  readonly passes?: readonly Pass[];
  /** Neither Winograd's nor Strassen's algorithm: sums in the order of the direct ones; false unless given. */
  readonly exact?: boolean;
  /** Is told how many rewrites ("compile") and operations ("pack") are done. */
  readonly onProgress?: (progress: CompileProgress) => void;
}

/** How far {@link compile} is. */
export interface CompileProgress {
  readonly phase: "compile" | "pack";
  readonly loaded: number;
  readonly total: number;
}

/**
 * Compiles a module of one input tensor into a {@link Plan}. The plan holds its own packed weights: the model may be
 * disposed of afterwards. Deferred parameters (`nn/deferred.ts`) are read one by one while they are packed, so that the network
 * is never in memory twice. Errors: "weights" where a parameter has no numbers, "argument" where forward reads numbers that
 * it computed, "memory" where the limit is met.
 */
export function compile<Out>(model: Compilable<Out>, options: CompileOptions): Plan<Out> {
  const { shape, backend, passes = PASSES, exact = false, memoryFormat, onProgress } = options;
  const { threads = backend.threads } = options;
  checkShape(shape, "compile");
  if (sizeOf(shape) === 0) fail("argument", "compile", "an input that is not empty", formatShape(shape));
  if (!Number.isInteger(threads) || threads < 1 || threads > backend.threads) {
    const expected = `threads: a whole number in [1, ${backend.threads}], those of the backend`;
    fail("argument", "compile", expected, String(threads), "make the backend with more");
  }
  backend.engine.pool.check();
  const graph = traceGraph(model, shape, { memoryFormat });
  const reports = runPasses(graph, passes, backend, (loaded, total) =>
    onProgress?.({ phase: "compile", loaded, total }),
  );
  const lowered = lower(graph, backend, exact, (loaded, total) =>
    onProgress?.({ phase: "pack", loaded, total }),
  );
  graph.forgetNumbers();
  return new Plan<Out>(backend, graph, reports, lowered, threads);
}
