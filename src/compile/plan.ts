/**
 * A compiled forward: a flat list of steps over memory that was laid out beforehand. A run allocates nothing. Results are
 * views on the plan's memory: they are good until the next run.
 */
import type { KernelName } from "../backend/wasm/instantiate.ts";
import type { WasmBackend } from "../backend/wasm/wasm-backend.ts";
import { fail } from "../errors.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { describeNode, type Graph, type Structure, totalMultiplyAdds, type View } from "./graph.ts";
import type { Lowered, PlanStep } from "./lower.ts";
import type { PassReport } from "./passes.ts";

/** One line of {@link Plan.profile}. */
export interface StepProfile {
  /** Kernel, or method of the reference backend. */
  readonly kernel: string;
  /** Path of the module. */
  readonly path: string;
  /** The graph's node, as it prints. */
  readonly node: string;
  /** Median over the runs. */
  readonly milliseconds: number;
  readonly multiplyAdds: number;
  /** Two operations a multiply-add; 0 where it has none. */
  readonly gflops: number;
}

/** See the file's head; {@link compile} makes it. */
export class Plan<Out = unknown> {
  /** Where the input goes: fill it and call {@link execute}, or let {@link run} copy into it. It is never overwritten. */
  readonly input: Tensor;
  /** What the network gives, of the structure that `forward` returns; views on the plan's memory. */
  readonly output: Out;
  readonly graph: Graph;
  readonly reports: readonly PassReport[];
  /** Threads that take part in a run. */
  readonly threads: number;
  readonly #backend: WasmBackend;
  readonly #lowered: Lowered;
  #disposed = false;

  /** @internal */
  constructor(
    backend: WasmBackend,
    graph: Graph,
    reports: readonly PassReport[],
    lowered: Lowered,
    threads: number,
  ) {
    this.threads = threads;
    this.#backend = backend;
    this.#lowered = lowered;
    this.graph = graph;
    this.reports = reports;
    const tensorOf = (view: View): Tensor =>
      new Tensor(lowered.storageOf(view), view.shape, view.strides, view.offset);
    this.input = tensorOf(graph.inputs[0]);
    this.output = build(graph.output, tensorOf) as Out;
  }

  /** The steps, in order. */
  get steps(): readonly PlanStep[] {
    return this.#lowered.steps;
  }

  /** Bytes of WASM memory that the plan holds: one area for all intermediate values, and packed weights and tables. */
  get bytes(): { readonly area: number; readonly constants: number; readonly total: number } {
    const { areaBytes: area, constantBytes: constants } = this.#lowered;
    return { area, constants, total: area + constants };
  }

  /** Multiply-adds of one run. */
  get multiplyAdds(): number {
    return totalMultiplyAdds(this.graph);
  }

  /**
   * Copies x, of the shape that the plan was made for, into the plan and runs it. Gives {@link output}. `onStep` is told after
   * every step how many are done; what it throws ends the run.
   */
  run(x: Tensor, onStep?: (done: number) => void): Out {
    this.#check();
    if (!sameShape(x.shape, this.input.shape) || x.dtype !== "f32") {
      fail(
        "argument",
        "Plan.run",
        `an f32 input of shape ${formatShape(this.input.shape)}, for which the plan was compiled`,
        `${x.dtype} of shape ${formatShape(x.shape)}`,
        "compile another plan for another shape",
      );
    }
    if (x !== this.input) {
      if (x.backend === this.#backend) this.#backend.copy(x, this.input);
      else {
        const ordered = this.input.isContiguous() ? x : x.permute(0, 2, 3, 1); // as the input lies
        (this.input.storage.data as Float32Array).set(ordered.toFloat32Array());
      }
    }
    return this.execute(onStep);
  }

  /** Runs the plan on what {@link input} holds. Gives {@link output}. `onStep` as in {@link run}. */
  execute(onStep?: (done: number) => void): Out {
    this.#check();
    this.#lowered.steps.forEach((step, i) => {
      this.#runStep(step);
      onStep?.(i + 1);
    });
    return this.output;
  }

  /** Runs the plan `runs` times on what {@link input} holds and times every step. */
  profile(runs = 5): StepProfile[] {
    this.#check();
    const { steps } = this.#lowered;
    const times = steps.map(() => new Float64Array(runs));
    for (let run = 0; run < runs; run++) {
      steps.forEach((step, i) => {
        const start = performance.now();
        this.#runStep(step);
        times[i][run] = performance.now() - start;
      });
    }
    return steps.map((step, i) => {
      const milliseconds = times[i].sort()[runs >> 1];
      const { kernel, multiplyAdds, node } = step;
      const gflops = multiplyAdds > 0 ? (2 * multiplyAdds) / (milliseconds * 1e6) : 0;
      return { kernel, path: node.path, node: describeNode(node), milliseconds, multiplyAdds, gflops };
    });
  }

  /** What every pass did and the multiply-adds that it saved. */
  explain(): string {
    const width = Math.max(...this.reports.map(({ pass }) => pass.length), "pass".length);
    const lines = this.reports.map(({ pass, changes, saved }) => {
      const millions = (saved / 1e6).toFixed(1);
      return `${pass.padEnd(width)} ${String(changes.length).padStart(5)} ${millions.padStart(10)}`;
    });
    const total = (this.multiplyAdds / 1e6).toFixed(1);
    const { area, constants } = this.bytes;
    const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
    return [
      `${"pass".padEnd(width)} ${"times".padStart(5)} ${"MMAC saved".padStart(10)}`,
      ...lines,
      `${this.graph.nodes.length} operations, ${this.steps.length} steps, ${total} million multiply-adds`,
      `memory: ${mb(area)} for values, ${mb(constants)} for weights and tables`,
      "",
    ].join("\n");
  }

  /** The graph, one line an operation. */
  toString(): string {
    return this.graph.toString();
  }

  /** Gives the memory back; a later run is an error, and the outputs can no longer be read. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#lowered.release();
  }

  #runStep(step: PlanStep): void {
    if (step.kind === "host") step.run();
    else {
      const { kernel, args, units, nsPerUnit } = step;
      this.#backend.engine.pool.run(kernel as KernelName, args as never, units, nsPerUnit, this.threads);
    }
  }

  #check(): void {
    if (this.#disposed) fail("state", "Plan", "a plan that is still held", "one that was disposed of");
    this.#backend.engine.pool.check();
  }
}

function build(structure: Structure, tensorOf: (view: View) => Tensor): unknown {
  switch (structure.kind) {
    case "view":
      return tensorOf(structure.view);
    case "list":
      return structure.items.map((item) => build(item, tensorOf));
    case "record":
      return Object.fromEntries(structure.entries.map(([name, item]) => [name, build(item, tensorOf)]));
    default:
      return structure.value;
  }
}
