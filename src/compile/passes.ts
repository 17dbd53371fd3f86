/** The passes in their order, and what drives them. Every pass is exact in real arithmetic: results differ by rounding. */
import type { Backend } from "../backend/backend.ts";
import { type Graph, totalMultiplyAdds } from "./graph.ts";
import { dropDead } from "./passes/drop-dead.ts";
import { foldBatchNorm } from "./passes/fold-batch-norm.ts";
import { foldConstants } from "./passes/fold-constants.ts";
import { foldMemory } from "./passes/fold-memory.ts";
import { foldScale } from "./passes/fold-scale.ts";
import { fuseActivation } from "./passes/fuse-activation.ts";
import { fuseResidual } from "./passes/fuse-residual.ts";
import { inPlace } from "./passes/in-place.ts";
import { mergeParallel } from "./passes/merge-parallel.ts";
import { mergeRepConv } from "./passes/merge-rep-conv.ts";
import { sampleThenProject } from "./passes/sample-then-project.ts";
import { splitConcat } from "./passes/split-concat.ts";
import { writeFramed } from "./passes/write-framed.ts";
import { writeThrough } from "./passes/write-through.ts";

/** A rewrite of the graph: gives one line for each change that it made. What is large it may compute on `backend`. */
export interface Pass {
  readonly name: string;
  /** Rewrites the graph in place; gives one line for each change. */
  run(graph: Graph, backend: Backend): string[];
}

/** What a pass did. */
export interface PassReport {
  readonly pass: string;
  /** One line a change, naming modules. */
  readonly changes: readonly string[];
  /** Multiply-adds before less those after. */
  readonly saved: number;
}

/** All passes in the order in which they run. */
export const PASSES: readonly Pass[] = [
  foldConstants,
  foldBatchNorm,
  mergeRepConv,
  foldScale,
  foldMemory,
  sampleThenProject,
  fuseActivation,
  mergeParallel,
  splitConcat,
  dropDead,
  fuseResidual,
  writeThrough,
  writeFramed,
  inPlace,
];

/** Runs passes on a graph, in place; `onDone` is told how many are done. */
export function runPasses(
  graph: Graph,
  passes: readonly Pass[],
  backend: Backend,
  onDone?: (done: number, total: number) => void,
): PassReport[] {
  let before = totalMultiplyAdds(graph);
  return passes.map(({ name, run }, i) => {
    const changes = run(graph, backend);
    onDone?.(i + 1, passes.length);
    const after = totalMultiplyAdds(graph);
    const saved = before - after;
    before = after;
    return { pass: name, changes, saved };
  });
}
