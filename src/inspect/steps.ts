/** Walking through a run, module by module: `for await (const step of steps(model, x))`. */

import { BYTES_PER_ELEMENT } from "../backend/backend.ts";
import { fail, MobileDetrError } from "../errors.ts";
import { globExpression } from "../glob.ts";
import type { AnyModule } from "../nn/index.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Costs, countCosts } from "./cost.ts";
import { forwardLine } from "./forward-line.ts";
import { namedTensors, withTensors } from "./named-tensors.ts";
import { statisticsOf, type TensorStatistics, tensorStatistics } from "./statistics.ts";
import { type Pause, type Phase, Stepper, type Stops } from "./stepper.ts";

/** Where a step leads: `into` the next place at all, `over` what is within, `out` of the module around, on to a breakpoint. */
export type Move = "into" | "over" | "out" | "continue";

/** Options of {@link steps}. */
export interface StepsOptions {
  /**
   * Paths at which the run stands still, before and after, however it is moved: `*` stands for one part or a piece of it, `**`
   * for any number ("model.0.layer3.**"). With breakpoints a run goes from one to the next ("continue") where no other move is
   * asked for, without them from place to place ("into").
   */
  readonly breakpoints?: readonly string[];
  /**
   * Whether {@link Steps.interrupt} can end a move: then the event loop gets a turn between modules, some twenty times a second,
   * for which operations since the last module are computed a second time. Default false.
   */
  readonly interruptible?: boolean;
}

/** A tensor with its name, as a trace has it. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** Where a run stands still. Tensors are valid until it goes on: copy out (`toArray`) what should stay. */
export class Step {
  readonly phase: Phase;
  /** Path of the module; "" is the whole model. */
  readonly path: string;
  /** The class, as PyTorch prints it. */
  readonly kind: string;
  readonly module: AnyModule;
  /** Calls around this one; 0 for the model's own. */
  readonly depth: number;
  /** Named "input"; of several "input.0", "input.1", ... */
  readonly inputs: readonly NamedTensor[];
  /** What forward names beside its result (docs/step-through.md lists them); empty before. */
  readonly values: readonly NamedTensor[];
  /** The module's own parameters and buffers, those of modules below left out. */
  readonly parameters: readonly NamedTensor[];
  /** Seconds of the module with all below it; 0 before. */
  readonly seconds: number;
  readonly #stepper: Stepper;
  readonly #key: string;
  readonly #costs: () => Costs | undefined;
  #output: unknown;
  /** The move that the next step will be made with. */
  #move: Move;
  #goal: string | undefined;

  constructor(stepper: Stepper, pause: Pause, costs: () => Costs | undefined, move: Move) {
    const { phase, path, module, depth, inputs, output, observed, seconds } = pause;
    this.phase = phase;
    this.path = path;
    this.kind = module.kind;
    this.module = module;
    this.depth = depth;
    this.inputs = inputs.length === 1 ? named("input", inputs[0]) : named("input", inputs);
    this.#output = output;
    this.values = [...observed].map(([name, tensor]) => ({ name: path ? `${path}.${name}` : name, tensor }));
    this.parameters = [...module.namedTensors()]
      .filter(([name]) => !name.includes("."))
      .map(([name, tensor]) => ({ name, tensor }));
    this.#key = pause.key;
    this.#costs = costs;
    this.seconds = seconds;
    this.#stepper = stepper;
    this.#move = move;
  }

  /**
   * Multiply-adds of the module with all below it, on these shapes. Asked for the first time in a run, the model is called once
   * more, on shapes alone. NaN where its forward cannot do without numbers.
   */
  get multiplyAdds(): number {
    return this.#costs()?.get(this.#key) ?? Number.NaN;
  }

  /** Empty before. */
  get outputs(): readonly NamedTensor[] {
    return named(this.path, this.#output);
  }

  /** The PyTorch line that the module stands for. */
  get line(): string {
    return forwardLine(this.module);
  }

  /** Bytes of the outputs; of views what they show. */
  get bytes(): number {
    return this.outputs.reduce((sum, { tensor }) => sum + tensor.size * BYTES_PER_ELEMENT[tensor.dtype], 0);
  }

  /** Statistics of the outputs, or of one tensor of this step; computed when asked for. */
  statistics(tensor?: Tensor): TensorStatistics {
    if (tensor) return tensorStatistics(tensor);
    if (this.outputs.length === 1) return tensorStatistics(this.outputs[0].tensor);
    const parts = this.outputs.map((output) =>
      Float64Array.from(output.tensor.toArray() as Float32Array, Number),
    );
    const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return statisticsOf(all);
  }

  /** Goes on to the next place at all: the first module within, or what follows. */
  into(): void {
    this.#move = "into";
  }

  /** Goes on behind what is within: to this module's end, or from there to what follows it. */
  over(): void {
    this.#move = "over";
  }

  /** Goes on to the end of the module around this one. */
  out(): void {
    this.#move = "out";
  }

  /** Goes on to the next breakpoint, or to the end. */
  continue(): void {
    this.#move = "continue";
    this.#goal = undefined;
  }

  /** Goes on to the next place whose path fits the pattern, a breakpoint before it included. */
  until(pattern: string): void {
    this.#move = "continue";
    this.#goal = pattern;
  }

  /** The pattern of {@link until}. */
  get goal(): string | undefined {
    return this.#move === "continue" ? this.#goal : undefined;
  }

  /** Where this step leads. */
  get move(): Move {
    return this.#move;
  }

  /**
   * After a module: other tensors in place of `outputs`, in their order, for all that follows; of the same shapes, dtypes and
   * backend. The run frees them. Errors of code "argument" and "state".
   */
  replace(...tensors: readonly Tensor[]): void {
    const { outputs } = this;
    if (tensors.some(({ storage }) => storage.released)) {
      fail("argument", `replace at ${this.path}`, "tensors whose memory is held", "one that was released");
    }
    const sort = ({ dtype, shape, backend }: Tensor): string =>
      `${dtype} ${formatShape(shape)} on ${backend.name}`;
    const differs = (tensor: Tensor, i: number): boolean =>
      sort(tensor) !== sort(outputs[i].tensor) || tensor.backend !== outputs[i].tensor.backend;
    if (this.phase === "after" && (tensors.length !== outputs.length || tensors.some(differs))) {
      const list = (items: readonly Tensor[]): string => items.map(sort).join(", ") || "no tensors";
      fail("argument", `replace at ${this.path}`, list(outputs.map(({ tensor }) => tensor)), list(tensors));
    }
    const output = withTensors(this.#output, tensors[Symbol.iterator]());
    this.#stepper.replace(this.#key, output);
    this.#output = output;
  }
}

function named(prefix: string, value: unknown): NamedTensor[] {
  return [...namedTensors(prefix, value)].map(([name, tensor]) => ({ name, tensor }));
}

const TURN_MS = 50; // after which an interruptible run lets the event loop have its turn

/** A run under way. Iterate it; leaving the loop early frees what it holds. */
export class Steps<Out> implements AsyncIterable<Step> {
  readonly #stepper: Stepper;
  #costs: Costs | undefined;
  #counted = false;
  readonly #model: AnyModule;
  readonly #inputs: readonly unknown[];
  #taken = false;
  readonly #breakpoints = new Map<string, RegExp>();
  readonly #interruptible: boolean;
  #interrupted = false;

  constructor(model: AnyModule, inputs: readonly unknown[], options: StepsOptions = {}) {
    this.#interruptible = options.interruptible ?? false;
    for (const pattern of options.breakpoints ?? []) this.addBreakpoint(pattern);
    this.#model = model;
    this.#inputs = inputs;
    this.#stepper = new Stepper(model, inputs);
  }

  /** What the model gave, once the run has ended; its memory is the caller's (`dispose()`). Error of code "state" before. */
  get result(): Out {
    return this.#stepper.result as Out;
  }

  #count(): Costs | undefined {
    if (this.#counted) return this.#costs;
    this.#counted = true;
    try {
      this.#costs = countCosts(this.#model, this.#inputs);
    } catch (error) {
      if (!(error instanceof MobileDetrError)) throw error; // it wanted numbers
    }
    return this.#costs;
  }

  /** Patterns of paths at which the run stands still. */
  get breakpoints(): readonly string[] {
    return [...this.#breakpoints.keys()];
  }

  /** Adds a breakpoint, for the rest of the run. */
  addBreakpoint(pattern: string): void {
    this.#breakpoints.set(pattern, globExpression(pattern, "."));
  }

  /** Takes a breakpoint away; false where there was none. */
  removeBreakpoint(pattern: string): boolean {
    return this.#breakpoints.delete(pattern);
  }

  /**
   * While a move is under way, of an interruptible run: it stands still before the next module that begins after some milliseconds,
   * at whatever depth. Nothing where the run stands already.
   */
  interrupt(): void {
    this.#interrupted = true;
  }

  /** Steps in their order. A move is what the last step asked for. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Step, void, undefined> {
    if (this.#taken) fail("state", "steps", "one loop over a run", "a second one", "begin another run");
    this.#taken = true;
    const stepper = this.#stepper;
    const usual: Move = this.#breakpoints.size > 0 ? "continue" : "into";
    let move: Move = usual;
    let goal: string | undefined;
    let last: Pause | undefined;
    try {
      while (true) {
        last = await this.#advance(this.#stopsFor(move, goal, last));
        if (!last) return;
        const step = new Step(stepper, last, () => this.#count(), usual);
        yield step;
        move = step.move;
        goal = step.goal;
        await undefined; // a turn for whoever else waits
      }
    } finally {
      stepper.close();
    }
  }

  async #advance(wanted: Stops): Promise<Pause | undefined> {
    if (!this.#interruptible) return this.#stepper.advance(wanted);
    this.#interrupted = false;
    while (true) {
      let arrived = false;
      const turn = performance.now() + TURN_MS;
      const pause = this.#stepper.advance((phase, path, depth) => {
        arrived = wanted(phase, path, depth);
        return arrived || (phase === "before" && performance.now() >= turn);
      });
      // Behind a module it stands only where it was wanted, and other places have been asked about since.
      if (!pause || pause.phase === "after" || arrived) return pause;
      await new Promise((resolve) => setTimeout(resolve));
      if (this.#interrupted) return pause;
    }
  }

  #stopsFor(move: Move, goal: string | undefined, from: Pause | undefined): Stops {
    const aim = goal === undefined ? undefined : globExpression(goal, ".");
    const broken = (path: string): boolean =>
      aim?.test(path) === true || [...this.#breakpoints.values()].some((pattern) => pattern.test(path));
    const depth = from?.depth ?? 0;
    switch (move) {
      case "into":
        return () => true;
      case "over":
        // From a module's beginning to its end; from its end to whatever is next to it or around it.
        return (phase, path, at) =>
          at < depth || (at === depth && (from?.phase === "after" || phase === "after")) || broken(path);
      case "out":
        return (_phase, path, at) => at < depth || broken(path);
      case "continue":
        return (_phase, path) => broken(path);
    }
  }
}

/**
 * Runs `model` on `inputs` and stands still before and after every module: path, inputs, outputs, parameters, cost, time and
 * statistics of each; steps into, over and out; outputs may be replaced before the run goes on. The numbers are those of
 * `model.call(...inputs)`, bit for bit. Inputs stay the caller's.
 */
export function steps<In extends unknown[], Out>(
  model: { call(...inputs: In): Out },
  inputs: Tensor | In,
  options?: StepsOptions,
): Steps<Out> {
  const given = Array.isArray(inputs) ? inputs : [inputs];
  return new Steps<Out>(model as unknown as AnyModule, given, options);
}
